//! How long a randomised test goes on.

/// An unoptimised build, as in `cargo test`, does a tenth.
pub(crate) fn scaled(iterations: u64) -> u64 {
    let unoptimised = std::env::current_exe()
        .is_ok_and(|path| path.components().any(|part| part.as_os_str() == "debug"));
    let scale = std::env::var("NEARCACHE_STRESS_SCALE")
        .ok()
        .and_then(|n| n.parse().ok());
    iterations * scale.unwrap_or(1) / if unoptimised { 10 } else { 1 }
}
