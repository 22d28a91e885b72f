//! Which keys were missed since hits fell? A few bytes per entry that remember the misses of about one turn of the
//! cache.
//!
//! A key that comes back is one that whoever lets everybody in hits the second time; nothing in a scan does. The table is direct-mapped: a place holds 16 bits of the key that was missed there last. In a cache with more
//! entries than places only the keys whose hash falls on a place are remembered: a sample.
//!
//! All is relaxed, plain loads and stores: what is lost to a race is one hint less.

use super::{
    MISSED_BUDGET_SHARE, MISSED_PLACE_BUDGET_MIN, MISSED_PLACES_MAX, MISSED_PLACES_MIN,
    MISSES_PER_BATCH_MAX, MISSES_PER_BATCH_MIN, MISSES_PER_BATCH_SHARE,
};
use crate::hash::KeyHash;
use crate::heap::{self, OutOfMemory};
use crate::sync::{AtomicU16, AtomicU64, Ordering};

/// Added to all tags when everything is forgotten: odd and irregular, so that it takes 2^16 times until an old tag
/// looks like a new one.
const EPOCH_STEP: u64 = 0x9e37;

/// See the module's documentation.
pub(crate) struct Missed {
    tags: Box<[AtomicU16]>,
    /// Keys are spread over so many places, of which those in `tags` exist.
    spread: AtomicU64,
    epoch: AtomicU64,
    batch: AtomicU64,
}

impl Missed {
    fn places(budget: u64) -> usize {
        let affordable = (budget / MISSED_BUDGET_SHARE) as usize / size_of::<AtomicU16>();
        let least = MISSED_PLACES_MIN.min((budget / MISSED_PLACE_BUDGET_MIN) as usize);
        affordable.clamp(least.max(1), MISSED_PLACES_MAX)
    }

    /// Heap bytes for a budget.
    pub(crate) fn bytes(budget: u64) -> usize {
        Self::places(budget) * size_of::<AtomicU16>()
    }

    pub(crate) fn new(budget: u64) -> Result<Self, OutOfMemory> {
        let missed = Self {
            tags: heap::slice(Self::places(budget), |_| AtomicU16::new(0))?,
            spread: AtomicU64::new(0),
            epoch: AtomicU64::new(0),
            batch: AtomicU64::new(0),
        };
        missed.set_entries(0);
        Ok(missed)
    }

    /// The cache holds so many entries when it is full.
    pub(crate) fn set_entries(&self, entries: u64) {
        let spread = entries.clamp(self.tags.len() as u64, u32::MAX as u64);
        self.spread.store(spread, Ordering::Relaxed);
        let batch = entries / MISSES_PER_BATCH_SHARE;
        let batch = batch.clamp(MISSES_PER_BATCH_MIN, MISSES_PER_BATCH_MAX);
        self.batch.store(batch, Ordering::Relaxed);
    }

    /// So many misses a handle hands over at once.
    #[inline(always)]
    pub(crate) fn batch(&self) -> u64 {
        self.batch.load(Ordering::Relaxed)
    }

    /// Changes when everything is forgotten.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// How many keys one that is remembered stands for.
    pub(crate) fn weight(&self) -> f32 {
        self.spread.load(Ordering::Relaxed) as f32 / self.tags.len() as f32
    }

    /// Notes a miss; whether the key was missed before.
    #[inline]
    pub(crate) fn note(&self, hash: KeyHash) -> bool {
        let Some((tag, own)) = self.place(hash) else {
            return false;
        };
        let is_known = tag.load(Ordering::Relaxed) == own;
        if !is_known {
            tag.store(own, Ordering::Relaxed);
        }
        is_known
    }

    /// Whether the key was missed before.
    pub(crate) fn knows(&self, hash: KeyHash) -> bool {
        self.place(hash)
            .is_some_and(|(tag, own)| tag.load(Ordering::Relaxed) == own)
    }

    /// The place of a key, and what stands there if it was missed; `None` for a key that is not in the sample.
    #[inline(always)]
    fn place(&self, hash: KeyHash) -> Option<(&AtomicU16, u16)> {
        let bits = hash.sketch();
        let spread = self.spread.load(Ordering::Relaxed);
        let place = ((bits & u64::from(u32::MAX)) * spread) >> 32;
        let tag = self.tags.get(place as usize)?;
        let epoch = self.epoch.load(Ordering::Relaxed);
        Some((tag, (bits >> 32).wrapping_add(epoch) as u16))
    }

    /// Forgets everything: no tag is what it was.
    pub(crate) fn forget(&self) {
        let epoch = self.epoch.load(Ordering::Relaxed);
        self.epoch
            .store(epoch.wrapping_add(EPOCH_STEP), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::KeyHasher;

    fn known(missed: &Missed, keys: std::ops::Range<u64>) -> usize {
        let hasher = KeyHasher::new(1);
        let hashes = keys.map(|key| hasher.hash(&key.to_le_bytes()));
        hashes.filter(|hash| missed.note(*hash)).count()
    }

    #[test]
    fn knows_most_of_what_was_missed_within_a_turn_and_nothing_that_was_not() {
        let missed = Missed::new(1 << 20).unwrap();
        missed.set_entries(1_000);
        assert_eq!(known(&missed, 0..500), 0);
        assert!(known(&missed, 0..500) > 300);
        let hash = |key: u64| KeyHasher::new(1).hash(&key.to_le_bytes());
        assert!((0..500).filter(|key| missed.knows(hash(*key))).count() > 300);
        assert!(!missed.knows(hash(500)));
        assert!(known(&missed, 1_000..20_000) <= 2);
    }

    #[test]
    fn of_many_keys_it_remembers_a_sample() {
        let missed = Missed::new(1 << 20).unwrap();
        missed.set_entries(100_000);
        known(&missed, 0..20_000);
        let estimate = known(&missed, 0..20_000) as f32 * missed.weight();
        assert!((10_000.0..22_000.0).contains(&estimate), "{estimate}");
    }

    #[test]
    fn nothing_is_known_after_forgetting() {
        let missed = Missed::new(1 << 20).unwrap();
        missed.set_entries(1_000);
        known(&missed, 0..500);
        missed.forget();
        assert!(known(&missed, 0..500) <= 1);
    }
}
