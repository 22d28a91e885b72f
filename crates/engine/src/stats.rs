//! Counters: per-thread cells for reads, per-shard ones (under the lock that is held anyway) for
//! writes, summed when somebody asks.

use crate::heap::{self, OutOfMemory, Shared};
use crate::sync::{AtomicU64, CacheAligned, Mutex, Ordering, lock};

/// What a cache has done and holds. Counters start at zero with the cache and only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Reads that found a live entry.
    pub hits: u64,
    /// Those of the hits that their reader could not use after all, see
    /// [`Handle::add_stale`](crate::Handle::add_stale).
    pub stale: u64,
    /// Reads that didn't.
    pub misses: u64,
    /// Writes that stored a value.
    pub sets: u64,
    /// Entries removed by `delete` and its like (not by `clear`).
    pub deletes: u64,
    /// Entries removed to make room.
    pub evictions: u64,
    /// Those of the evictions where admission refused a new entry in favour of an older one.
    pub rejections: u64,
    /// Entries removed because their time to live was over.
    pub expirations: u64,
    /// Shards whose writer died while it held the lock; each lost the entries that it had.
    pub repairs: u64,
    /// Live entries, expired ones that still wait for their memory to be reclaimed included.
    pub entries: u64,
    /// Bytes of the budget in use: records, index, sketch and book-keeping.
    pub memory_used: u64,
    /// The budget in bytes.
    pub memory_max: u64,
    /// Bytes of `memory_used` that the index takes.
    pub memory_index: u64,
    /// Bytes of `memory_used` that wait for readers to finish before they are free.
    pub memory_retired: u64,
}

/// One thread's counts, on a line of its own: written by that thread only, read by whoever sums.
#[derive(Default)]
pub(crate) struct ReadCounts {
    /// Hits, misses, and those of the hits that were stale.
    counts: CacheAligned<[AtomicU64; 3]>,
}

impl ReadCounts {
    #[inline(always)]
    pub(crate) fn hit(&self) {
        Self::raise(&self.counts.0[0]);
    }

    #[inline(always)]
    pub(crate) fn miss(&self) {
        Self::raise(&self.counts.0[1]);
    }

    /// All hits so far. Of the thread that counts them.
    pub(crate) fn hits(&self) -> u64 {
        self.counts.0[0].load(Ordering::Relaxed)
    }

    /// Hits that an L0 answered.
    pub(crate) fn add_hits(&self, hits: u64) {
        let count = &self.counts.0[0];
        count.store(count.load(Ordering::Relaxed) + hits, Ordering::Relaxed);
    }

    /// A hit was stale.
    pub(crate) fn stale(&self) {
        Self::raise(&self.counts.0[2]);
    }

    /// A plain load and store: there is one writer.
    #[inline(always)]
    fn raise(count: &AtomicU64) {
        count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    fn add_to(&self, sums: &mut [u64; 3]) {
        for (sum, count) in sums.iter_mut().zip(&self.counts.0) {
            *sum += count.load(Ordering::Relaxed);
        }
    }
}

/// All threads' read counts, those of threads that are gone included.
#[derive(Default)]
pub(crate) struct ReadCountsRegistry {
    state: Mutex<(Vec<Shared<ReadCounts>>, [u64; 3])>,
}

impl ReadCountsRegistry {
    pub(crate) fn register(&self) -> Result<Shared<ReadCounts>, OutOfMemory> {
        let counts = Shared::new(ReadCounts::default())?;
        let cells = &mut lock(&self.state).0;
        heap::reserve(cells, 1)?;
        cells.push(counts.clone());
        Ok(counts)
    }

    pub(crate) fn unregister(&self, counts: &Shared<ReadCounts>) {
        let (cells, gone) = &mut *lock(&self.state);
        cells.retain(|cell| !cell.is_same(counts));
        counts.add_to(gone);
    }

    /// Hits, misses and stale hits.
    pub(crate) fn sum(&self) -> [u64; 3] {
        let (cells, gone) = &*lock(&self.state);
        let mut sums = *gone;
        for cell in cells {
            cell.add_to(&mut sums);
        }
        sums
    }
}

/// What one shard's writers count, under its lock.
#[derive(Clone, Copy, Default)]
pub(crate) struct WriteCounts {
    pub(crate) sets: u64,
    pub(crate) deletes: u64,
    /// Without those that were refused.
    pub(crate) evictions: u64,
    pub(crate) rejections: u64,
    pub(crate) expirations: u64,
    pub(crate) repairs: u64,
}
