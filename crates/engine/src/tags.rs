//! Invalidation of many entries in constant time: by a tag that they have in common, or by a key on
//! which they depend.
//!
//! Nothing is looked for and removed. The cache counts *stamps*, from 1 upwards, and notes of each tag
//! the stamp of its last invalidation. An entry remembers, in its value, the stamp that was taken before its
//! load read anything; it is valid while each of its tags was last invalidated at that stamp or before.
//!
//! Keys on which entries depend are tags that every write of the key invalidates. A writer only looks
//! for those that were registered before ([`Tags::register`]), under the lock of the key's shard: see
//! `attention` for why it can't overlook one.
//!
//! Tags and keys are known by their 64-bit hashes, in tables of their own. Should two have the same, each
//! invalidates the other's entries, which is safe.
//!
//! Invariants:
//! 1. The counter is raised after the caller has changed the source (tags), or after the write has taken
//!    effect (keys). So who takes the new stamp and then reads finds the change.
//! 2. What a table has forgotten counts as invalidated at the newest stamp that was forgotten with it
//!    (tags), or as not valid at all (keys): never as valid.
//! 3. A key that is registered anew after its table has forgotten some counts as invalidated now: it may
//!    have been written while nobody looked.
//!
//! A table's lock is taken under a shard's (or without) and takes nothing itself.

use crate::attention::Attention;
use crate::heap::{self, OutOfMemory};
use crate::prehashed::{Prehashed, reserve_one};
use crate::sync::{AtomicU8, AtomicU64, Mutex, Ordering, lock};

/// Tables of each kind, at most. A power of two, picked by the upper bits of the hash.
const TABLES: usize = if cfg!(loom) { 1 } else { 16 };
/// One for so many bytes of the budget: a small cache has no room for what it needs no locks for.
const TABLE_BUDGET_BYTES: u64 = 64 * 1024;
/// Hashes that a table remembers; a million in all from 1 MiB on, of each kind.
const COUNT_MAX: usize = (1 << 20) / TABLES;

/// When each was invalidated last; 0: never.
struct Table {
    stamps: Prehashed<u64>,
    count_max: usize,
    /// What was forgotten counts as invalidated at this stamp.
    floor: u64,
    has_forgotten: bool,
}

impl Table {
    /// Room for one more, if need be at the expense of the older half.
    fn make_room(&mut self) -> Result<(), OutOfMemory> {
        if self.stamps.len() >= self.count_max {
            self.forget_older_half();
        }
        reserve_one(&mut self.stamps)
    }

    fn forget_older_half(&mut self) {
        let middle = self.stamps.len() / 2;
        match heap::collect(self.stamps.values().copied()) {
            Ok(mut stamps) if !stamps.is_empty() => {
                let newest = *stamps.select_nth_unstable(middle).1;
                self.forget_until(newest);
            }
            _ => self.forget_all(),
        }
    }

    fn forget_all(&mut self) {
        let newest = self.stamps.values().copied().max();
        self.forget_until(newest.unwrap_or(0));
    }

    fn forget_until(&mut self, newest: u64) {
        self.stamps.retain(|_, stamp| *stamp > newest);
        self.floor = self.floor.max(newest);
        self.has_forgotten = true;
        if self.stamps.is_empty() {
            self.stamps = Prehashed::default();
        }
    }
}

/// See the module's documentation.
pub(crate) struct Tags {
    counter: AtomicU64,
    tags: Box<[Mutex<Table>]>,
    keys: Box<[Mutex<Table>]>,
    /// All keys count as invalidated at this stamp.
    keys_floor: AtomicU64,
    /// Not zero: some key that was registered is not any more.
    has_forgotten_keys: AtomicU8,
}

impl Tags {
    pub(crate) fn new(budget: u64) -> Result<Self, OutOfMemory> {
        Self::with_max(Self::tables(budget), COUNT_MAX)
    }

    /// Tables of each kind for a budget.
    fn tables(budget: u64) -> usize {
        let affordable = (budget / TABLE_BUDGET_BYTES).clamp(1, TABLES as u64);
        1 << affordable.ilog2()
    }

    /// Heap bytes for a budget, as long as nothing is tagged.
    pub(crate) fn bytes(budget: u64) -> usize {
        2 * Self::tables(budget) * size_of::<Mutex<Table>>()
    }

    /// `count` is a power of two.
    pub(crate) fn with_max(count: usize, count_max: usize) -> Result<Self, OutOfMemory> {
        let tables = || {
            heap::slice(count, |_| {
                Mutex::new(Table {
                    stamps: Prehashed::default(),
                    count_max,
                    floor: 0,
                    has_forgotten: false,
                })
            })
        };
        Ok(Self {
            counter: AtomicU64::new(1),
            tags: tables()?,
            keys: tables()?,
            keys_floor: AtomicU64::new(0),
            has_forgotten_keys: AtomicU8::new(0),
        })
    }

    /// What an entry is to remember whose load begins now.
    pub(crate) fn stamp(&self) -> u64 {
        // Acquire: partner of `advance`: who takes a stamp finds what was changed before it.
        self.counter.load(Ordering::Acquire)
    }

    fn advance(&self) -> u64 {
        // Release: partner of `stamp`.
        self.counter.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Invalidates the entries with any of these tags; returns their stamp.
    pub(crate) fn invalidate(&self, hashes: impl Iterator<Item = u64>) -> u64 {
        let stamp = self.advance();
        for hash in hashes {
            let mut table = lock(table_of(&self.tags, hash));
            if let Some(last) = table.stamps.get_mut(&hash) {
                // Another call may have come between, with a later stamp.
                *last = stamp.max(*last);
            } else if table.make_room().is_ok() {
                table.stamps.insert(hash, stamp);
            } else {
                // No memory to tell the tag from others: all of this table are invalidated.
                table.forget_all();
                table.floor = table.floor.max(stamp);
            }
        }
        stamp
    }

    /// Whether an entry with these tags, loaded at `stamp`, is valid.
    pub(crate) fn are_current(&self, mut hashes: impl Iterator<Item = u64>, stamp: u64) -> bool {
        // Nothing has been invalidated since. Whoever knows of an invalidation that has returned finds
        // the counter raised.
        if self.counter.load(Ordering::Acquire) <= stamp {
            return true;
        }
        hashes.all(|hash| {
            let table = lock(table_of(&self.tags, hash));
            let last = table.stamps.get(&hash).copied();
            last.unwrap_or(table.floor) <= stamp
        })
    }

    pub(crate) fn is_registered(&self, hash: u64) -> bool {
        lock(table_of(&self.keys, hash)).stamps.contains_key(&hash)
    }

    /// From now on writes of a key are noted. The caller holds the lock of the key's shard.
    pub(crate) fn register(&self, attention: &Attention, hash: u64) -> Result<(), OutOfMemory> {
        let mut table = lock(table_of(&self.keys, hash));
        if table.stamps.contains_key(&hash) {
            return Ok(());
        }
        let made = table.make_room();
        if table.has_forgotten {
            // Relaxed: who must see it is told of the writes that were not noted by the table's lock.
            self.has_forgotten_keys.store(1, Ordering::Relaxed);
        }
        made?;
        let stamp = if table.has_forgotten {
            self.advance()
        } else {
            0
        };
        table.stamps.insert(hash, stamp);
        // Never lowered again, also not for what is forgotten: a writer that finds a key forgotten has
        // taken the table's lock to learn it.
        attention.raise();
        Ok(())
    }

    /// A key was written; true if it is registered, and so everybody who depends on it invalid. Called
    /// after the change, under the lock of the key's shard.
    pub(crate) fn note_write(&self, hash: u64) -> bool {
        let mut table = lock(table_of(&self.keys, hash));
        let Some(last) = table.stamps.get_mut(&hash) else {
            return false;
        };
        *last = self.advance();
        true
    }

    /// All keys may have been written.
    pub(crate) fn note_all_written(&self) {
        let stamp = self.advance();
        self.keys_floor.fetch_max(stamp, Ordering::AcqRel);
    }

    /// Whether an entry that depends on these keys, loaded at `stamp`, is valid.
    pub(crate) fn are_unwritten(&self, mut hashes: impl Iterator<Item = u64>, stamp: u64) -> bool {
        // As in `are_current`; but a key that was forgotten may have been written unnoticed.
        let is_quiet = self.counter.load(Ordering::Acquire) <= stamp;
        if is_quiet && self.has_forgotten_keys.load(Ordering::Relaxed) == 0 {
            return true;
        }
        let has_floor_passed = self.keys_floor.load(Ordering::Acquire) <= stamp;
        hashes.all(|hash| {
            let table = lock(table_of(&self.keys, hash));
            let last = table.stamps.get(&hash);
            has_floor_passed && last.is_some_and(|last| *last <= stamp)
        })
    }
}

fn table_of(tables: &[Mutex<Table>], hash: u64) -> &Mutex<Table> {
    // Two shifts, because a shift by 64 is undefined for a single table.
    &tables[((hash >> 1) >> (u64::BITS - 1 - tables.len().ilog2())) as usize]
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    fn invalidate(tags: &Tags, hashes: &[u64]) -> u64 {
        tags.invalidate(hashes.iter().copied())
    }

    fn is_current(tags: &Tags, hash: u64, stamp: u64) -> bool {
        tags.are_current([hash].into_iter(), stamp)
    }

    fn is_unwritten(tags: &Tags, hash: u64, stamp: u64) -> bool {
        tags.are_unwritten([hash].into_iter(), stamp)
    }

    #[test]
    fn a_tag_is_current_from_the_stamp_of_its_last_invalidation_on() {
        let tags = Tags::new(1 << 20).unwrap();
        assert_eq!(tags.stamp(), 1);
        assert!(is_current(&tags, 5, 1));
        assert_eq!(invalidate(&tags, &[5, 6]), 2);
        assert_eq!(invalidate(&tags, &[6]), 3);
        assert_eq!(tags.stamp(), 3);
        assert_eq!(
            [1, 2, 3].map(|stamp| is_current(&tags, 5, stamp)),
            [false, true, true]
        );
        assert_eq!(
            [1, 2, 3].map(|stamp| is_current(&tags, 6, stamp)),
            [false, false, true]
        );
        assert!(is_current(&tags, 7, 1));
    }

    #[test]
    fn a_forgotten_tag_counts_as_invalidated_with_the_newest_that_was_forgotten() {
        const MAX: u64 = 8;
        let tags = Tags::with_max(TABLES, MAX as usize).unwrap();
        // All in one table. The tag of hash n is invalidated at stamp n + 2.
        for hash in 0..MAX {
            invalidate(&tags, &[hash]);
        }
        assert!(is_current(&tags, 1_000, 1), "nothing has been forgotten");
        invalidate(&tags, &[MAX]);
        let newest = MAX / 2 + 2;
        for hash in 0..=MAX {
            let last = (hash + 2).max(newest);
            assert!(!is_current(&tags, hash, last - 1), "{hash}");
            assert!(is_current(&tags, hash, last), "{hash}");
        }
        assert!(
            !is_current(&tags, 1_000, newest - 1),
            "never seen, or forgotten"
        );
        assert!(is_current(&tags, 1_000, newest));
        let of_another_table = 1 << 63;
        assert!(is_current(&tags, of_another_table, 1));
    }

    #[test]
    fn many_tags_of_one_invalidation_are_forgotten_together() {
        let tags = Tags::with_max(TABLES, 8).unwrap();
        let stamp = invalidate(&tags, &(0..100).collect::<Vec<_>>());
        for hash in 0..100 {
            assert!(!is_current(&tags, hash, stamp - 1));
            assert!(is_current(&tags, hash, stamp));
        }
    }

    #[test]
    fn only_writes_of_registered_keys_are_noted() {
        let (tags, attention) = (Tags::new(1 << 20).unwrap(), Attention::new());
        let stamp = tags.stamp();
        assert!(!tags.note_write(5));
        assert_eq!(tags.stamp(), stamp);
        assert!(!attention.is_needed());
        tags.register(&attention, 5).unwrap();
        assert!(attention.is_needed() && tags.is_registered(5));
        assert!(is_unwritten(&tags, 5, stamp));
        assert!(tags.note_write(5));
        assert!(!is_unwritten(&tags, 5, stamp));
        assert!(is_unwritten(&tags, 5, tags.stamp()));
        assert!(
            is_current(&tags, 5, stamp),
            "a tag of that hash is another thing"
        );
        invalidate(&tags, &[5]);
        assert!(is_unwritten(&tags, 5, stamp + 1), "and the other way round");
        tags.note_all_written();
        assert!(!is_unwritten(&tags, 5, stamp + 2));
        assert!(is_unwritten(&tags, 5, tags.stamp()));
    }

    #[test]
    fn a_key_that_was_forgotten_is_not_known_to_be_unwritten_also_not_when_it_is_registered_anew() {
        let (tags, attention) = (Tags::with_max(TABLES, 4).unwrap(), Attention::new());
        for hash in 0..4 {
            tags.register(&attention, hash).unwrap();
        }
        let before = tags.stamp();
        tags.register(&attention, 4).unwrap();
        let after = tags.stamp();
        let forgotten: Vec<_> = (0..4).filter(|hash| !tags.is_registered(*hash)).collect();
        assert!(!forgotten.is_empty());
        for hash in forgotten {
            assert!(!tags.note_write(hash), "unnoticed");
            assert!(!is_unwritten(&tags, hash, after));
            tags.register(&attention, hash).unwrap();
            assert!(!is_unwritten(&tags, hash, before));
            assert!(!is_unwritten(&tags, hash, after));
            assert!(is_unwritten(&tags, hash, tags.stamp()));
        }
        assert!(attention.is_needed());
    }
}
