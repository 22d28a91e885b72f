//! What size a cache needs for a trace: the miss-ratio curve of the engine and of LRU, and what is worth
//! knowing beside it.
//!
//! The trace is read twice. The first pass (`census`) counts what can be counted exactly, and chooses
//! the rate at which keys are sampled (SHARDS, Waldspurger et al. 2015): a key belongs to the sample by
//! its hash, with all its requests. The second pass (`curve`) replays the sample against caches that
//! are smaller by the same rate: exact stack distances for LRU, the engine itself in miniature.
//!
//! Sizes are budgets of the engine in bytes: of each entry key, value, header and its part of index and sketch, and
//! what every cache takes.
//! Memory here doesn't grow with the trace; it follows from the number of samples.

mod census;
pub mod costs;
mod curve;
mod distance;
mod hot;
mod plot;
pub mod report;

use crate::error::Error;
use crate::format::Reader;
use crate::request::{Request, mix};
pub use census::Census;
pub use curve::{Curve, Point, Window};
pub use hot::Named;
use nearcache_engine::MEMORY_BYTES_MIN;
pub use plot::svg;

/// What the engine stores beside key and value: a header.
const HEADER_BYTES: u64 = 32;
/// An entry's part of the index.
const INDEX_BYTES: u64 = 16;
/// Slots up to this size come in steps of eight bytes, larger ones in coarser steps...
const FINE_BYTES_MAX: u64 = 256;
/// ... so that an entry's is larger by this part on average.
const SLOT_WASTE_SHARE: u64 = 24;
/// The part of the budget that the sketch takes.
const SKETCH_SHARE: u64 = 40;
/// The part of what entries take that is free beside them: slots that wait, pages that are half full.
const SPARE_SHARE: u64 = 24;
/// What a cache takes without entries, half-full pages of a few sizes included.
const FIXED_BYTES: u64 = 14 * 1024;

/// The keys of a trace are sampled by other bits of their hashes than the engine uses.
const SAMPLING_SALT: u64 = 0x5348_4152_4453_2121;

/// How to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Keys of the sample at most; at least half as many are used if the trace has them.
    pub samples: usize,
    /// Bytes of a value where the trace doesn't say.
    pub value_bytes: u64,
    /// The hit ratio to find a size for.
    pub target: f64,
}

/// Everything that was found out.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizing {
    /// The trace's name.
    pub trace: String,
    /// Of the first pass.
    pub census: Census,
    /// Of the second pass.
    pub curve: Curve,
    /// The hit ratio that was asked for.
    pub target: f64,
}

/// Which keys belong to the sample: those whose hash is below a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// One in 2^this many keys.
    halvings: u32,
}

impl Sample {
    fn holds(self, key: u64) -> bool {
        mix(key ^ SAMPLING_SALT).leading_zeros() >= self.halvings
    }

    /// The part of the keys that is used.
    pub fn rate(self) -> f64 {
        0.5f64.powi(self.halvings as i32)
    }

    /// What a number of the sample stands for.
    fn scale_up(self, number: u64) -> u64 {
        number << self.halvings
    }
}

/// Bytes of the engine's budget that an entry takes.
pub fn entry_bytes(key_bytes: u32, value_bytes: u64) -> u64 {
    let record = (HEADER_BYTES + u64::from(key_bytes)).saturating_add(value_bytes);
    let slot = if record <= FINE_BYTES_MAX {
        record.next_multiple_of(8)
    } else {
        record.saturating_add(record / SLOT_WASTE_SHARE)
    };
    let slot = slot.saturating_add(INDEX_BYTES);
    let all = slot.saturating_add(slot / (SKETCH_SHARE - 1));
    all.saturating_add(all / SPARE_SHARE)
}

/// The budget of a cache whose entries take so many bytes in all.
pub fn budget(entries_bytes: u64) -> u64 {
    entries_bytes
        .saturating_add(FIXED_BYTES)
        .max(MEMORY_BYTES_MIN)
}

/// Bytes that the entries of the smallest cache take.
const ENTRIES_BYTES_MIN: u64 = MEMORY_BYTES_MIN - FIXED_BYTES;

/// Measures a trace; `open` is called twice.
///
/// # Errors
/// As the reader; or if there is no read in the trace.
pub fn measure(
    trace: String,
    mut open: impl FnMut() -> Result<Box<dyn Reader>, Error>,
    options: &Options,
) -> Result<Sizing, Error> {
    let (census, sample) = census::take(open()?.as_mut(), options)?;
    let curve = curve::take(open()?.as_mut(), &census, &sample, options)?;
    Ok(Sizing {
        trace,
        census,
        curve,
        target: options.target,
    })
}

/// The size of a request's value, where it says one that is known to be right: a read that was a miss
/// when it was recorded has none.
fn known_size(request: &Request) -> Option<u64> {
    request.size.filter(|size| *size > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearcache_engine::{Cache, Config, Ttl};

    #[test]
    fn entries_take_as_much_of_the_budget_as_is_said() {
        // Each value length of these is as frequent.
        for (from, to) in [
            (20, 20),
            (100, 100),
            (300, 300),
            (1_000, 1_000),
            (10, 1_000),
        ] {
            for budget_bytes in [64 << 10, 128 << 10, 1 << 20, 8 << 20] {
                let cache = Cache::new(Config {
                    shards: Some(1),
                    seed: Some(1),
                    ..Config::new(budget_bytes)
                })
                .unwrap();
                let handle = cache.handle();
                let length = |key: u64| from + mix(key) % (to - from + 1);
                // Several times what fits.
                let keys = (budget_bytes / (32 + from) * 4).min(400_000);
                for key in 0..keys {
                    let value = vec![1; length(key) as usize];
                    let _ = handle.set(&key.to_le_bytes(), &value, 0, Ttl::Forever);
                }
                let held = (0..keys).filter(|key| handle.get(&key.to_le_bytes(), |_| ()).is_some());
                let entries: u64 = held.map(|key| entry_bytes(8, length(key))).sum();
                let off = budget(entries) as f64 / budget_bytes as f64 - 1.0;
                // In small caches every size in use holds a page that is not full.
                let most = match budget_bytes {
                    4_194_304.. => 0.04,
                    _ if from == to => 0.1,
                    _ => 0.2,
                };
                assert!(
                    off.abs() < most,
                    "values of {from} to {to} bytes in {budget_bytes}: {off:+.3}"
                );
            }
        }
    }
}
