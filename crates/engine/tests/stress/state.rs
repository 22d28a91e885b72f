//! What all threads of a run know of each key, and what a read may therefore find.

use crate::value::Rng;
use nearcache_engine::{Cache, ManualClock};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// An entry outlives its time to live by at most two ticks.
pub(crate) const LATE_MS: u64 = 10;
/// What is known of a key by those who don't write it.
#[derive(Default)]
pub(crate) struct Key {
    pub(crate) name: Vec<u8>,
    /// Number of the operation that has begun last.
    pub(crate) started: AtomicU64,
    /// See [`Returned`].
    pub(crate) returned: AtomicU64,
    /// Writes up to this one were removed by a `clear` or `delete_prefix` that has returned.
    pub(crate) removed: AtomicU64,
    /// What `removals` was when the stored write began.
    pub(crate) born: AtomicU64,
    /// Until then it must be there, and from then on it must not be.
    pub(crate) live_until_ms: AtomicU64,
    pub(crate) over_at_ms: AtomicU64,
}

/// The outcome of the operation that has returned last.
#[derive(Clone, Copy, Default)]
pub(crate) struct Returned {
    pub(crate) operation: u64,
    pub(crate) present: bool,
    /// No older write may be seen any more.
    pub(crate) write_min: u32,
}

impl Returned {
    pub(crate) fn pack(self) -> u64 {
        self.operation << 33 | (self.present as u64) << 32 | self.write_min as u64
    }

    pub(crate) fn unpack(word: u64) -> Self {
        Self {
            operation: word >> 33,
            present: word >> 32 & 1 == 1,
            write_min: word as u32,
        }
    }
}

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) budget: u64,
    pub(crate) keys: usize,
    pub(crate) threads: usize,
    pub(crate) iterations: u64,
    /// Length of a value, given how far the run has come (0 to 7).
    pub(crate) size: fn(&mut Rng, u64) -> usize,
    /// Nothing may be evicted, so nothing may be lost.
    pub(crate) roomy: bool,
    pub(crate) expiring: bool,
    pub(crate) removing: bool,
}

pub(crate) struct Shared {
    pub(crate) scenario: Scenario,
    pub(crate) cache: Cache,
    pub(crate) clock: ManualClock,
    pub(crate) keys: Vec<Key>,
    /// The present is between the two. The lower one moves after the L0s' clock.
    pub(crate) now_min_ms: AtomicU64,
    pub(crate) now_max_ms: AtomicU64,
    /// Odd while a `clear` or `delete_prefix` is running.
    pub(crate) removals: AtomicU64,
    pub(crate) working: AtomicUsize,
}

/// What a reader knows before it reads.
pub(crate) struct Before {
    pub(crate) returned: Returned,
    pub(crate) removed: u64,
    pub(crate) born: u64,
    pub(crate) live_until_ms: u64,
    pub(crate) over_at_ms: u64,
    pub(crate) removals: u64,
    pub(crate) now_min_ms: u64,
}

impl Shared {
    pub(crate) fn before(&self, n: usize) -> Before {
        let key = &self.keys[n];
        Before {
            returned: Returned::unpack(key.returned.load(Ordering::Acquire)),
            removed: key.removed.load(Ordering::Acquire),
            born: key.born.load(Ordering::Acquire),
            live_until_ms: key.live_until_ms.load(Ordering::Acquire),
            over_at_ms: key.over_at_ms.load(Ordering::Acquire),
            removals: self.removals.load(Ordering::SeqCst),
            now_min_ms: self.now_min_ms.load(Ordering::SeqCst),
        }
    }

    pub(crate) fn check(&self, n: usize, before: &Before, found: Option<u32>, from: &str) {
        let key = &self.keys[n];
        let now_max_ms = self.now_max_ms.load(Ordering::SeqCst);
        let removals = self.removals.load(Ordering::SeqCst);
        let undisturbed = key.started.load(Ordering::SeqCst) == before.returned.operation;
        let Some(write) = found else {
            let removed =
                removals != before.born || removals % 2 == 1 || removals != before.removals;
            let certain = self.scenario.roomy && before.returned.present && undisturbed && !removed;
            assert!(
                !certain || now_max_ms >= before.live_until_ms,
                "key {n} was lost"
            );
            return;
        };
        let min = before.returned.write_min;
        assert!(
            write >= min,
            "key {n}: {from} gave write {write} after {min} had returned"
        );
        assert!(
            write as u64 > before.removed,
            "key {n}: {from} gave write {write}, removed up to {}",
            before.removed
        );
        assert!(
            !undisturbed || write == min,
            "key {n}: {from} gave write {write}, {min} is the last"
        );
        let over = undisturbed && before.now_min_ms >= before.over_at_ms;
        assert!(
            !over,
            "key {n}: {from} gave write {write}, which ended at {} ms, at {} ms",
            before.over_at_ms, before.now_min_ms
        );
    }
}
