//! How long a randomised test goes on.

/// An unoptimised build, as in `cargo test`, does a tenth.
pub(crate) fn scaled(iterations: u64) -> u64 {
    let unoptimised = std::env::current_exe()
        .is_ok_and(|path| path.components().any(|part| part.as_os_str() == "debug"));
    let scale: Option<f64> = std::env::var("NEARCACHE_STRESS_SCALE")
        .ok()
        .and_then(|n| n.parse().ok());
    let scale = scale.unwrap_or(1.0) / if unoptimised { 10.0 } else { 1.0 };
    (iterations as f64 * scale).ceil() as u64
}
