//! One cache line of the index: seven slots and a control word.
//!
//! ```text
//! control  byte 0..6: tag of slot 0..6 (0 = empty)   byte 7: how many entries of each class passed over this bucket
//! slot     bit 63..32: stored hash                   bit 31..0: location of the record
//! ```
//!
//! An entry whose home bucket is full lies in one behind it, and is counted in those that it passed. Two bits of the
//! tag are its class; each class has a count of two bits, so that a search goes on only behind buckets that an
//! entry of *its* class passed. Three means three or more: when one of those goes, the others are counted (`passing`),
//! so no count is ever too high.
//!
//! Writers hold the shard's lock; readers hold nothing. The control word is a hint, the slot word is
//! the truth: a reader takes a candidate from the tags, then believes only the slot's hash and the
//! record's key. The tags are matched inside one 64-bit load, because a vector load of words that
//! others store to would be a data race.
//!
//! Orderings: a slot is stored (release) before the tag that leads to it, and the counts of the
//! buckets that an entry passes over are raised before it is stored. Replacing is one store of one
//! slot word. Every store of a slot releases the record behind it to the reader's acquire load.

use crate::fault;
use crate::sync::{AtomicU64, Ordering};

/// Slots per bucket.
pub(crate) const SLOTS: usize = 7;
/// So many or more.
const PASSED_MAX: u64 = 3;
const PASSED_BITS: u32 = 2;
const PASSED_SHIFT: u32 = 56;
const CLASSES: u32 = 4;
const TAG_BITS: u32 = 8;
const LOW_BITS: u64 = 0x0001_0101_0101_0101;
const HIGH_BITS: u64 = 0x0080_8080_8080_8080;

/// See the module's documentation. All-zero bytes are an empty bucket.
#[repr(C, align(64))]
pub(crate) struct Bucket {
    control: AtomicU64,
    slots: [AtomicU64; SLOTS],
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Bucket>() == 64);
const _: () = assert!(PASSED_SHIFT + CLASSES * PASSED_BITS == u64::BITS);

/// The content of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotWord(pub(crate) u64);

impl SlotWord {
    #[inline(always)]
    pub(crate) fn new(stored_hash: u32, loc: u32) -> Self {
        Self((stored_hash as u64) << 32 | loc as u64)
    }

    #[inline(always)]
    pub(crate) fn stored_hash(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline(always)]
    pub(crate) fn loc(self) -> u32 {
        self.0 as u32
    }

    fn is_empty(self) -> bool {
        self.loc() == 0
    }
}

/// A slot's place in its segment. Valid while the shard's lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    bucket: usize,
    slot: usize,
}

impl Bucket {
    #[cfg(any(test, loom))]
    pub(crate) fn empty() -> Self {
        Self {
            control: AtomicU64::new(0),
            slots: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Bit 7 of byte i is set if slot i may have the tag; may also be set in bytes above a match.
    #[inline(always)]
    fn matches(control: u64, tag: u8) -> u64 {
        let difference = control ^ (LOW_BITS * tag as u64);
        difference.wrapping_sub(LOW_BITS) & !difference & HIGH_BITS
    }

    /// How many entries of a tag's class passed over the bucket, up to [`PASSED_MAX`].
    fn passed(control: u64, tag: u8) -> u64 {
        (control >> PASSED_SHIFT) >> (class(tag) * PASSED_BITS) & PASSED_MAX
    }

    fn first_empty(control: u64) -> Option<usize> {
        let empty = Self::matches(control, 0);
        // The lowest set bit is always a true match.
        (empty != 0).then(|| (empty.trailing_zeros() / TAG_BITS) as usize)
    }

    #[inline(always)]
    fn set_tag(&self, slot: usize, tag: u8) {
        let control = self.control.load(Ordering::Relaxed);
        let shift = slot as u32 * TAG_BITS;
        let cleared = control & !(0xFF << shift);
        // Release: a reader that finds the tag finds the slot's content.
        self.control
            .store(cleared | (tag as u64) << shift, Ordering::Release);
    }

    /// Puts an entry into an empty slot.
    #[inline(always)]
    fn fill(&self, slot: usize, tag: u8, word: SlotWord) {
        // Release: partner of the acquire in `find`.
        self.slots[slot].store(word.0, Ordering::Release);
        fault::point();
        self.set_tag(slot, tag);
    }

    /// Changes the count of a tag's class.
    fn set_passed(&self, tag: u8, count: u64) {
        let shift = PASSED_SHIFT + class(tag) * PASSED_BITS;
        let rest = self.control.load(Ordering::Relaxed) & !passed_mask(tag);
        self.control.store(rest | count << shift, Ordering::Release);
    }

    /// The entries of this bucket: tag and slot. For the lock's holder, or a weakly consistent walk.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u8, SlotWord)> + '_ {
        let control = self.control.load(Ordering::Acquire);
        (0..SLOTS).filter_map(move |slot| {
            let tag = (control >> (slot as u32 * TAG_BITS)) as u8;
            let word = SlotWord(self.slots[slot].load(Ordering::Acquire));
            (tag != 0 && !word.is_empty()).then_some((tag, word))
        })
    }
}

/// The bucket where a search for a hash begins.
#[inline(always)]
fn home(stored_hash: u32, buckets: usize) -> usize {
    ((stored_hash >> 16) as usize * buckets) >> 16
}

/// Which entries are counted together.
#[inline(always)]
fn class(tag: u8) -> u32 {
    u32::from(tag) & (CLASSES - 1)
}

/// The bits of a control word that count a tag's class.
#[inline(always)]
fn passed_mask(tag: u8) -> u64 {
    PASSED_MAX << PASSED_SHIFT << (class(tag) * PASSED_BITS)
}

/// What a look at a hash's home bucket tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glance {
    Found(Position, SlotWord),
    /// There is no such entry.
    Absent,
    /// A full search has to tell.
    Unclear,
}

/// The look-up of nine reads out of ten: the first slot of the home bucket that has the tag is the one, or none has it
/// and nothing of the tag's class was pushed out of the bucket. Lock-free. Everything else is left to [`find`], so that this part is
/// a few instructions that keep all they need in registers.
#[inline(always)]
pub(crate) fn glance(
    buckets: &[Bucket],
    stored_hash: u32,
    tag: u8,
    is_match: impl Fn(u32) -> bool,
) -> Glance {
    let bucket = home(stored_hash, buckets.len());
    let line = &buckets[bucket];
    // Acquire: partner of the release in `set_tag` and `set_passed`.
    let control = line.control.load(Ordering::Acquire);
    let candidates = Bucket::matches(control, tag);
    if candidates == 0 {
        return if control & passed_mask(tag) == 0 {
            Glance::Absent
        } else {
            Glance::Unclear
        };
    }
    let slot = (candidates.trailing_zeros() / TAG_BITS) as usize;
    // Acquire: partner of the release store of the slot; the record behind it is filled.
    let word = SlotWord(line.slots[slot].load(Ordering::Acquire));
    if word.stored_hash() == stored_hash && !word.is_empty() && is_match(word.loc()) {
        Glance::Found(Position { bucket, slot }, word)
    } else {
        Glance::Unclear
    }
}

/// Finds the slot whose hash is `stored_hash` and whose location `is_match` accepts. Lock-free.
#[inline]
pub(crate) fn find(
    buckets: &[Bucket],
    stored_hash: u32,
    tag: u8,
    is_match: impl Fn(u32) -> bool,
) -> Option<(Position, SlotWord)> {
    let mut bucket = home(stored_hash, buckets.len());
    let passed = passed_mask(tag);
    for _ in 0..buckets.len() {
        let line = &buckets[bucket];
        // Acquire: partner of the release in `set_tag` and `set_passed`.
        let control = line.control.load(Ordering::Acquire);
        let mut candidates = Bucket::matches(control, tag);
        while candidates != 0 {
            let slot = (candidates.trailing_zeros() / TAG_BITS) as usize;
            // Acquire: partner of the release store of the slot; the record behind it is filled.
            let word = SlotWord(line.slots[slot].load(Ordering::Acquire));
            if word.stored_hash() == stored_hash && !word.is_empty() && is_match(word.loc()) {
                return Some((Position { bucket, slot }, word));
            }
            candidates &= candidates - 1;
        }
        if control & passed == 0 {
            // No entry of this class whose search begins at or before this bucket lies behind it.
            return None;
        }
        bucket = next(bucket, buckets.len());
    }
    None
}

/// The bucket behind another one; behind the last comes the first.
#[inline(always)]
fn next(bucket: usize, buckets: usize) -> usize {
    if bucket + 1 == buckets { 0 } else { bucket + 1 }
}

/// The slot of an entry that is there. Under the shard's lock.
#[inline(always)]
pub(crate) fn locate(buckets: &[Bucket], tag: u8, word: SlotWord) -> Option<Position> {
    let bucket = home(word.stored_hash(), buckets.len());
    let line = &buckets[bucket];
    let candidates = Bucket::matches(line.control.load(Ordering::Relaxed), tag);
    if candidates != 0 {
        let slot = (candidates.trailing_zeros() / TAG_BITS) as usize;
        if line.slots[slot].load(Ordering::Relaxed) == word.0 {
            return Some(Position { bucket, slot });
        }
    }
    locate_elsewhere(buckets, tag, word)
}

/// As [`locate`], where it is not the first with its tag in its home bucket.
#[inline(never)]
fn locate_elsewhere(buckets: &[Bucket], tag: u8, word: SlotWord) -> Option<Position> {
    let mut bucket = home(word.stored_hash(), buckets.len());
    for _ in 0..buckets.len() {
        let line = &buckets[bucket];
        let mut candidates = Bucket::matches(line.control.load(Ordering::Relaxed), tag);
        while candidates != 0 {
            let slot = (candidates.trailing_zeros() / TAG_BITS) as usize;
            if line.slots[slot].load(Ordering::Relaxed) == word.0 {
                return Some(Position { bucket, slot });
            }
            candidates &= candidates - 1;
        }
        bucket = next(bucket, buckets.len());
    }
    None
}

/// The line that a search for `stored_hash` reads first.
#[inline(always)]
pub(crate) fn home_bucket(buckets: &[Bucket], stored_hash: u32) -> *const Bucket {
    &buckets[home(stored_hash, buckets.len())]
}

/// Puts an entry into the first bucket with room, at most `reach` buckets behind its home. Under the
/// shard's lock, and only for a key that is not there. False when there is no room.
#[inline(always)]
pub(crate) fn insert(buckets: &[Bucket], tag: u8, word: SlotWord, reach: usize) -> bool {
    let home = home(word.stored_hash(), buckets.len());
    let control = buckets[home].control.load(Ordering::Relaxed);
    if let Some(slot) = Bucket::first_empty(control) {
        buckets[home].fill(slot, tag, word);
        return true;
    }
    insert_behind(buckets, home, tag, word, reach.min(buckets.len() - 1))
}

/// As [`insert`], where the home bucket is full.
#[inline(never)]
fn insert_behind(buckets: &[Bucket], home: usize, tag: u8, word: SlotWord, reach: usize) -> bool {
    let mut bucket = home;
    for _ in 0..reach {
        bucket = next(bucket, buckets.len());
        let control = buckets[bucket].control.load(Ordering::Relaxed);
        if let Some(slot) = Bucket::first_empty(control) {
            // Before the entry can be found, so that no search stops short of it.
            raise_passed(buckets, home, bucket, tag);
            buckets[bucket].fill(slot, tag, word);
            return true;
        }
    }
    false
}

/// Counts an entry that lies in bucket `at` in all buckets from its home to there.
fn raise_passed(buckets: &[Bucket], home: usize, at: usize, tag: u8) {
    let mut bucket = home;
    while bucket != at {
        let line = &buckets[bucket];
        let count = Bucket::passed(line.control.load(Ordering::Relaxed), tag);
        line.set_passed(tag, (count + 1).min(PASSED_MAX));
        fault::point();
        bucket = next(bucket, buckets.len());
    }
}

/// Counts an entry that lay in bucket `at` no longer.
#[inline(never)]
fn lower_passed(buckets: &[Bucket], home: usize, at: usize, tag: u8) {
    let mut bucket = home;
    while bucket != at {
        let line = &buckets[bucket];
        let left = match Bucket::passed(line.control.load(Ordering::Relaxed), tag) {
            PASSED_MAX => passing(buckets, bucket, tag),
            count => count - 1,
        };
        line.set_passed(tag, left);
        fault::point();
        bucket = next(bucket, buckets.len());
    }
}

/// Counts the entries of a tag's class that passed over a bucket, up to [`PASSED_MAX`]. Counts of the buckets behind it
/// may be too high.
fn passing(buckets: &[Bucket], over: usize, tag: u8) -> u64 {
    let mut count = 0;
    let mut bucket = over;
    for distance in 1..buckets.len() {
        bucket = next(bucket, buckets.len());
        let line = &buckets[bucket];
        for (other, word) in line.entries() {
            let home = home(word.stored_hash(), buckets.len());
            let passed = (bucket + buckets.len() - home) % buckets.len();
            let is_counted = class(other) == class(tag) && passed >= distance;
            count += u64::from(is_counted);
        }
        let goes_on = line.control.load(Ordering::Relaxed) & passed_mask(tag) != 0;
        if count >= PASSED_MAX || !goes_on {
            break;
        }
    }
    count.min(PASSED_MAX)
}

/// Makes a slot lead to another record of the same key. Under the shard's lock.
pub(crate) fn replace(buckets: &[Bucket], position: Position, word: SlotWord) {
    // Release: partner of the acquire in `find`.
    buckets[position.bucket].slots[position.slot].store(word.0, Ordering::Release);
}

/// Empties a slot. Under the shard's lock.
#[inline(always)]
pub(crate) fn remove(buckets: &[Bucket], position: Position) {
    let line = &buckets[position.bucket];
    let word = SlotWord(line.slots[position.slot].load(Ordering::Relaxed));
    let control = line.control.load(Ordering::Relaxed);
    line.slots[position.slot].store(0, Ordering::Release);
    fault::point();
    line.set_tag(position.slot, 0);
    fault::point();
    let home = home(word.stored_hash(), buckets.len());
    // Behind the removal: a search that still goes on too far does no harm.
    if home != position.bucket {
        let tag = (control >> (position.slot as u32 * TAG_BITS)) as u8;
        lower_passed(buckets, home, position.bucket, tag);
    }
}

/// Checks counts and tags of all buckets. Under the shard's lock.
pub(crate) fn validate(buckets: &[Bucket]) -> Result<usize, String> {
    let mut passed = vec![[0u64; CLASSES as usize]; buckets.len()];
    let mut entries = 0;
    for (at, bucket) in buckets.iter().enumerate() {
        for (tag, word) in bucket.entries() {
            entries += 1;
            let mut over = home(word.stored_hash(), buckets.len());
            while over != at {
                passed[over][class(tag) as usize] += 1;
                over = next(over, buckets.len());
            }
        }
    }
    for (at, expected) in passed.into_iter().enumerate() {
        let control = buckets[at].control.load(Ordering::Relaxed);
        let counted = (0..CLASSES).map(|class| Bucket::passed(control, class as u8));
        if !counted
            .clone()
            .eq(expected.map(|count| count.min(PASSED_MAX)))
        {
            return Err(format!(
                "bucket {at} counts {:?} passing entries of each class, there are {expected:?}",
                counted.collect::<Vec<_>>()
            ));
        }
    }
    Ok(entries)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn buckets(count: usize) -> Vec<Bucket> {
        (0..count).map(|_| Bucket::empty()).collect()
    }

    #[test]
    fn entries_that_share_a_home_are_found_wherever_they_overflow_to() {
        let buckets = buckets(4);
        for loc in 1..=20 {
            assert!(insert(&buckets, 9, SlotWord::new(5, loc), 3));
        }
        validate(&buckets).unwrap();
        for loc in 1..=20 {
            assert!(find(&buckets, 5, 9, |found| found == loc).is_some());
        }
        assert!(find(&buckets, 5, 9, |found| found == 21).is_none());
    }

    #[test]
    fn removing_restores_the_counts_so_that_searches_stop_early_again() {
        let buckets = buckets(4);
        for loc in 1..=20 {
            assert!(insert(&buckets, 9, SlotWord::new(5, loc), 3));
        }
        for loc in 1..=20 {
            let (position, _) = find(&buckets, 5, 9, |found| found == loc).unwrap();
            remove(&buckets, position);
            validate(&buckets).unwrap();
        }
        assert!(
            buckets
                .iter()
                .all(|bucket| bucket.control.load(Ordering::Relaxed) == 0)
        );
    }

    #[test]
    fn a_search_ends_where_only_entries_of_other_classes_went_on() {
        let buckets = buckets(2);
        for loc in 1..=9 {
            assert!(insert(&buckets, 9, SlotWord::new(5, loc), 1));
        }
        let look = |tag| glance(&buckets, 5, tag, |_| false);
        assert_eq!(look(9 + CLASSES as u8), Glance::Unclear);
        assert!((10..9 + CLASSES as u8).all(|tag| look(tag) == Glance::Absent));
    }

    #[test]
    fn counts_are_right_however_full_the_buckets_were_and_whoever_goes() {
        let buckets = buckets(8);
        let (mut random, mut there) = (1u64, Vec::new());
        for loc in 1..20_000 {
            random = random.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
            let (hash, tag) = ((random >> 32) as u32, ((random >> 24) as u8).max(1));
            let word = SlotWord::new(hash, loc);
            if insert(&buckets, tag, word, 7) {
                there.push((tag, word));
            }
            // From nearly empty to quite full, and back.
            while there.len() > 8 + loc as usize / 20 % 48 {
                let at = (random >> 40) as usize % there.len();
                let (tag, word) = there.swap_remove(at);
                remove(&buckets, locate(&buckets, tag, word).unwrap());
            }
            if loc % 16 == 0 {
                assert_eq!(validate(&buckets), Ok(there.len()));
                let found = |(tag, word): &(u8, SlotWord)| locate(&buckets, *tag, *word).is_some();
                assert!(there.iter().all(found));
            }
        }
    }

    #[test]
    fn a_full_segment_refuses() {
        let buckets = buckets(2);
        for loc in 1..=14 {
            assert!(insert(&buckets, 1, SlotWord::new(loc << 8, loc), 1));
        }
        assert!(!insert(&buckets, 1, SlotWord::new(0, 99), 1));
    }

    #[test]
    fn every_tag_is_matched_in_every_slot() {
        for tag in 1..=255u8 {
            for slot in 0..SLOTS {
                let bucket = Bucket::empty();
                bucket.set_tag(slot, tag);
                let control = bucket.control.load(Ordering::Relaxed);
                assert_ne!(Bucket::matches(control, tag) & (0x80 << (8 * slot)), 0);
            }
        }
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    const HASH: u32 = 1;

    #[test]
    fn loom_a_replaced_entry_is_always_found_old_or_new() {
        loom::model(|| {
            let buckets = Arc::new([Bucket::empty()]);
            assert!(insert(&buckets[..], 7, SlotWord::new(HASH, 10), 0));
            let writer = {
                let buckets = Arc::clone(&buckets);
                thread::spawn(move || {
                    let (position, _) = find(&buckets[..], HASH, 7, |_| true).unwrap();
                    replace(&buckets[..], position, SlotWord::new(HASH, 20));
                })
            };
            let (_, word) = find(&buckets[..], HASH, 7, |_| true).expect("never absent");
            assert!([10, 20].contains(&word.loc()));
            writer.join().unwrap();
            let (_, word) = find(&buckets[..], HASH, 7, |_| true).unwrap();
            assert_eq!(word.loc(), 20);
        });
    }

    #[test]
    fn loom_an_overflowing_insert_is_visible_once_it_returned_and_hides_no_other() {
        loom::model(|| {
            let buckets = Arc::new([Bucket::empty(), Bucket::empty()]);
            for loc in 1..=7 {
                assert!(insert(&buckets[..], 7, SlotWord::new(HASH, loc), 1));
            }
            let writer = {
                let buckets = Arc::clone(&buckets);
                thread::spawn(move || assert!(insert(&buckets[..], 7, SlotWord::new(HASH, 8), 1)))
            };
            assert!(find(&buckets[..], HASH, 7, |loc| loc == 3).is_some());
            writer.join().unwrap();
            assert!(find(&buckets[..], HASH, 7, |loc| loc == 8).is_some());
        });
    }

    #[test]
    fn loom_an_entry_that_goes_hides_no_other_that_passed_over_the_same_buckets() {
        loom::model(|| {
            let buckets = Arc::new([Bucket::empty(), Bucket::empty()]);
            // More of one class go on than are counted.
            for loc in 1..=11 {
                assert!(insert(&buckets[..], 7, SlotWord::new(HASH, loc), 1));
            }
            let writer = {
                let buckets = Arc::clone(&buckets);
                thread::spawn(move || {
                    for loc in 8..=9 {
                        let place = locate(&buckets[..], 7, SlotWord::new(HASH, loc));
                        remove(&buckets[..], place.unwrap());
                    }
                })
            };
            assert!(find(&buckets[..], HASH, 7, |loc| loc == 11).is_some());
            writer.join().unwrap();
            assert!(find(&buckets[..], HASH, 7, |loc| loc == 10).is_some());
        });
    }

    #[test]
    fn loom_a_removed_slot_that_is_used_again_never_shows_a_mixture() {
        loom::model(|| {
            let buckets = Arc::new([Bucket::empty()]);
            assert!(insert(&buckets[..], 7, SlotWord::new(HASH, 10), 0));
            let writer = {
                let buckets = Arc::clone(&buckets);
                thread::spawn(move || {
                    let (position, _) = find(&buckets[..], HASH, 7, |_| true).unwrap();
                    remove(&buckets[..], position);
                    assert!(insert(&buckets[..], 9, SlotWord::new(2, 20), 0));
                })
            };
            if let Some((_, word)) = find(&buckets[..], HASH, 7, |_| true) {
                assert_eq!(word, SlotWord::new(HASH, 10));
            }
            writer.join().unwrap();
            assert!(find(&buckets[..], HASH, 7, |_| true).is_none());
        });
    }

    /// A segment on the heap, and whether its memory has been given back.
    struct Segment {
        buckets: [Bucket; 1],
        freed: loom::cell::UnsafeCell<bool>,
    }

    /// A directory of two entries, by the lowest bit of the hash; both lead to segment 0 at first.
    struct Split {
        directory: [AtomicU64; 2],
        segments: [Segment; 3],
        epoch: crate::epoch::Epoch,
        returned: AtomicU64,
    }

    // SAFETY: the cells are what the model is about; the checker finds every unordered access.
    unsafe impl Sync for Split {}
    // SAFETY: as above.
    unsafe impl Send for Split {}

    impl Split {
        fn new() -> Arc<Self> {
            let split = Self {
                directory: [AtomicU64::new(0), AtomicU64::new(0)],
                segments: std::array::from_fn(|_| Segment {
                    buckets: [Bucket::empty()],
                    freed: loom::cell::UnsafeCell::new(false),
                }),
                epoch: crate::epoch::Epoch::new(),
                returned: AtomicU64::new(0),
            };
            for hash in 0..2 {
                let word = SlotWord::new(hash, 10 + hash);
                assert!(insert(&split.segments[0].buckets, 7, word, 0));
            }
            Arc::new(split)
        }

        fn get(&self, slot: &crate::epoch::ReaderSlot, hash: u32) -> u32 {
            let _pin = self.epoch.pin(slot);
            let at = self.directory[hash as usize & 1].load(Ordering::Acquire);
            let segment = &self.segments[at as usize];
            // SAFETY: what the model is to show.
            segment.freed.with(|freed| assert!(!unsafe { *freed }));
            let found = find(&segment.buckets, hash, 7, |_| true);
            // SAFETY: as above.
            segment.freed.with(|freed| assert!(!unsafe { *freed }));
            found.expect("never absent").1.loc()
        }

        fn split(&self) {
            for hash in 0..2 {
                let at = 1 + hash as usize;
                let word = SlotWord::new(hash, 10 + hash);
                assert!(insert(&self.segments[at].buckets, 7, word, 0));
            }
            for (hash, entry) in self.directory.iter().enumerate() {
                entry.store(1 + hash as u64, Ordering::Release);
            }
        }

        fn free_old(&self) {
            let stamp = self.epoch.stamp();
            if stamp < self.epoch.advance(None) {
                // SAFETY: what the model is to show.
                self.segments[0]
                    .freed
                    .with_mut(|freed| unsafe { *freed = true });
            }
        }
    }

    /// A segment is split, an entry replaced in its new one, the old one freed when nobody can be
    /// looking at it. A reader finds its entry throughout, and the new value once that returned.
    #[test]
    fn loom_a_split_hides_no_entry_and_frees_nothing_that_is_read() {
        loom::model(|| {
            let split = Split::new();
            let slot = split.epoch.register().unwrap();
            let writer = {
                let split = Arc::clone(&split);
                thread::spawn(move || {
                    split.split();
                    let buckets = &split.segments[2].buckets;
                    let (position, _) = find(buckets, 1, 7, |_| true).unwrap();
                    replace(buckets, position, SlotWord::new(1, 21));
                    split.returned.store(1, Ordering::Release);
                    split.free_old();
                })
            };
            let returned = split.returned.load(Ordering::Acquire) == 1;
            let loc = split.get(&slot, 1);
            assert!(loc == 21 || loc == 11 && !returned, "a superseded record");
            assert_eq!(split.get(&slot, 0), 10);
            writer.join().unwrap();
        });
    }
}
