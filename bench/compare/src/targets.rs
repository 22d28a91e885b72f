//! What nearcache's figures are held against: 16-byte keys and 100-byte values, nearcache's time divided by the rival's.

use crate::cases::Outcome;

/// Case, entries, rival, the most that the ratio may be.
const RATIOS: [(&str, usize, &str, f64); 6] = [
    ("get, hit", 10_000, "quick_cache", 0.80),
    ("get, hit", 10_000, "moka", 0.20),
    ("get, hit", 1_000_000, "quick_cache", 0.75),
    ("get, hit", 1_000_000, "moka", 0.35),
    ("set, insert and evict", 100_000, "quick_cache", 1.10),
    ("set, insert and evict", 1_000_000, "quick_cache", 1.10),
];
/// Throughput of two threads on popular keys, as a multiple of one's, at the sizes whose popular keys fit a processor.
pub const SPEEDUP_MIN: f64 = 1.8;
pub const SPEEDUP_ENTRIES_MAX: usize = 10_000;
/// Bytes per entry beyond key and value, at a million entries.
pub const OVERHEAD_BYTES_MAX: f64 = 64.0;
pub const OVERHEAD_ENTRIES: usize = 1_000_000;

pub fn ratio(outcome: &Outcome, rival: &str) -> Option<f64> {
    RATIOS
        .iter()
        .find(|(case, entries, name, _)| {
            *case == outcome.case && *entries == outcome.entries && *name == rival
        })
        .map(|(.., most)| *most)
}

pub fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}
