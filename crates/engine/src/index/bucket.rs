//! One cache line of the index: eight slots.
//!
//! ```text
//!  0           8           16                      48               64
//!  ┌───────────┬───────────┬───────────────────────┬────────────────┐
//!  │ tags      │ marks     │ locations             │ hashes         │
//!  │ 8 x u8    │ u64       │ 8 x u32               │ 8 x u16        │
//!  └───────────┴───────────┴───────────────────────┴────────────────┘
//! tags    of each slot, 0 = empty
//! marks   bit 31..0: of each class, how many entries passed over this bucket, 4 bits
//!         bit 63..32: of each slot, how many buckets its entry passed over, 4 bits
//! hashes  the stored hash's lower half, by which segments are split
//! ```
//!
//! The upper half of the stored hash says in which bucket an entry is at home, and needs no place: an entry lies there, or
//! as many buckets behind as its mark says. (One that is too far to be counted, or moves to a segment of another size, has
//! its key hashed anew.)
//!
//! An entry whose home bucket is full lies in one behind it, and is counted in those that it passed. Three bits of the
//! tag are its class, so that a search goes on only behind buckets that an entry of *its* class passed. The largest count
//! means so many or more: when one of those goes, the others are counted (`passing`), so no count sticks.
//!
//! Writers hold the shard's lock; readers hold nothing. The tags are a hint, the location is
//! the truth: a reader takes a candidate from the tags, then believes only the record's key. The tags are matched inside
//! one 64-bit load, because a vector load of words that others store to would be a data race.
//!
//! Orderings: a location is stored (release) before the tag that leads to it and behind its part of the hash, and the
//! counts of the buckets that an entry passes over are raised before it is stored. Replacing is one store of one
//! location. Every store of a location releases the record behind it to the reader's acquire load.

use crate::fault;
use crate::hash::KeyHash;
#[cfg(not(loom))]
use crate::prefetch::prefetch_line;
use crate::sync::{AtomicU16, AtomicU32, AtomicU64, Ordering};

/// Slots per bucket.
pub(crate) const SLOTS: usize = 8;
const CLASSES: u32 = 8;
const MARK_BITS: u32 = 4;
/// So many or more. (Fewer in models, which could not hold as many.)
const MARK_MAX: u64 = if cfg!(loom) { 3 } else { (1 << MARK_BITS) - 1 };
const DISTANCES_SHIFT: u32 = 32;
const TAG_BITS: u32 = 8;
const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// See the module's documentation. All-zero bytes are an empty bucket.
#[repr(C, align(64))]
pub(crate) struct Bucket {
    tags: AtomicU64,
    marks: AtomicU64,
    locs: [AtomicU32; SLOTS],
    hashes: [AtomicU16; SLOTS],
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Bucket>() == 64);
const _: () = assert!(CLASSES * MARK_BITS == DISTANCES_SHIFT);
const _: () = assert!(DISTANCES_SHIFT + SLOTS as u32 * MARK_BITS == u64::BITS);

/// The content of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) loc: u32,
    pub(crate) tag: u8,
    /// The lower half of the stored hash.
    pub(crate) low_hash: u16,
    /// How many buckets it passed over, up to [`MARK_MAX`].
    passed: u64,
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
            tags: AtomicU64::new(0),
            marks: AtomicU64::new(0),
            locs: std::array::from_fn(|_| AtomicU32::new(0)),
            hashes: std::array::from_fn(|_| AtomicU16::new(0)),
        }
    }

    /// Bit 7 of byte i is set if slot i may have the tag; may also be set in bytes above a match.
    #[inline(always)]
    fn matches(tags: u64, tag: u8) -> u64 {
        let difference = tags ^ (LOW_BITS * tag as u64);
        difference.wrapping_sub(LOW_BITS) & !difference & HIGH_BITS
    }

    fn first_empty(tags: u64) -> Option<usize> {
        let empty = Self::matches(tags, 0);
        // The lowest set bit is always a true match.
        (empty != 0).then(|| (empty.trailing_zeros() / TAG_BITS) as usize)
    }

    #[inline(always)]
    fn set_tag(&self, slot: usize, tag: u8) {
        let tags = self.tags.load(Ordering::Relaxed);
        let shift = slot as u32 * TAG_BITS;
        let cleared = tags & !(0xFF << shift);
        // Release: a reader that finds the tag finds the slot's content.
        self.tags
            .store(cleared | (tag as u64) << shift, Ordering::Release);
    }

    /// Puts an entry into an empty slot.
    #[inline(always)]
    fn fill(&self, slot: usize, name: Name, loc: u32) {
        self.hashes[slot].store(name.low_hash(), Ordering::Relaxed);
        // Release: partner of the acquire in `find`.
        self.locs[slot].store(loc, Ordering::Release);
        fault::point();
        self.set_tag(slot, name.tag());
    }

    fn mark(&self, shift: u32) -> u64 {
        self.marks.load(Ordering::Relaxed) >> shift & MARK_MAX
    }

    fn set_mark(&self, shift: u32, count: u64) {
        let rest = self.marks.load(Ordering::Relaxed) & !(MARK_MAX << shift);
        self.marks
            .store(rest | count.min(MARK_MAX) << shift, Ordering::Release);
    }

    /// The entries of this bucket. For the lock's holder, or a weakly consistent walk.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let tags = self.tags.load(Ordering::Acquire);
        (0..SLOTS).filter_map(move |slot| {
            let tag = (tags >> (slot as u32 * TAG_BITS)) as u8;
            let loc = self.locs[slot].load(Ordering::Acquire);
            (tag != 0 && loc != 0).then(|| Entry {
                loc,
                tag,
                low_hash: self.hashes[slot].load(Ordering::Relaxed),
                passed: self.mark(distance_shift(slot)),
            })
        })
    }
}

/// The bucket where a search for a hash begins.
#[inline(always)]
fn home(stored_hash: u32, buckets: usize) -> usize {
    ((stored_hash >> 16) as usize * buckets) >> 16
}

/// Where a bucket's marks count the entries of a tag's class.
#[inline(always)]
fn class_shift(tag: u8) -> u32 {
    (u32::from(tag) & (CLASSES - 1)) * MARK_BITS
}

/// Where a bucket's marks say how far a slot's entry is from its home.
#[inline(always)]
fn distance_shift(slot: usize) -> u32 {
    DISTANCES_SHIFT + slot as u32 * MARK_BITS
}

/// The bucket behind another one; behind the last comes the first.
#[inline(always)]
fn next(bucket: usize, buckets: usize) -> usize {
    if bucket + 1 == buckets { 0 } else { bucket + 1 }
}

/// The home of an entry in bucket `at`, if it is not too far away.
pub(crate) fn home_of(entry: Entry, at: usize, buckets: usize) -> Option<usize> {
    let is_known = entry.passed < MARK_MAX;
    is_known.then(|| (at + buckets - entry.passed as usize) % buckets)
}

/// What a look at a hash's home bucket tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glance {
    Found(Position, u32),
    /// There is no such entry.
    Absent,
    /// A full search has to tell.
    Unclear,
}

/// What an entry is known by in its segment: the bits of its hash that are kept, where a hash has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Name(u64);

impl Name {
    #[inline(always)]
    fn new(tag: u8, low_hash: u16) -> Self {
        Self(u64::from(tag) << 32 | u64::from(low_hash))
    }

    #[inline(always)]
    fn tag(self) -> u8 {
        KeyHash(self.0).tag()
    }

    #[inline(always)]
    fn low_hash(self) -> u16 {
        self.0 as u16
    }

    /// Where a bucket's marks count the entries of this one's class.
    #[inline(always)]
    fn class_shift(self) -> u32 {
        class_shift(self.tag())
    }

    /// Whether a slot may hold this one. Looked at behind the location, so that it is nothing that an earlier entry of the
    /// slot left there.
    #[inline(always)]
    fn is_of(self, line: &Bucket, slot: usize) -> bool {
        line.hashes[slot].load(Ordering::Relaxed) == self.low_hash()
    }
}

/// Where a search begins, and for what.
#[derive(Clone, Copy)]
pub(crate) struct Seat<'a> {
    buckets: &'a [Bucket],
    home: usize,
    name: Name,
}

impl<'a> Seat<'a> {
    #[inline(always)]
    pub(crate) fn new(buckets: &'a [Bucket], hash: KeyHash) -> Self {
        Self {
            buckets,
            home: home(hash.stored(), buckets.len()),
            name: Name(hash.0),
        }
    }

    /// The seat of an entry of another segment.
    pub(crate) fn of_entry(buckets: &'a [Bucket], entry: Entry, home: usize) -> Self {
        Self {
            buckets,
            home,
            name: Name::new(entry.tag, entry.low_hash),
        }
    }

    /// Asks for the cache line that a search reads first.
    #[cfg(not(loom))]
    #[inline(always)]
    pub(crate) fn prefetch(self) {
        prefetch_line(std::ptr::from_ref(&self.buckets[self.home]).cast());
    }

    /// Whether one look tells that there is no such entry. Under the shard's lock.
    #[cfg(not(loom))]
    #[inline(always)]
    pub(crate) fn is_surely_absent(self) -> bool {
        let line = &self.buckets[self.home];
        Bucket::matches(line.tags.load(Ordering::Relaxed), self.name.tag()) == 0
            && line.mark(self.name.class_shift()) == 0
    }

    /// The look-up of nine reads out of ten: the first slot of the home bucket that has the tag is the one, or none has it
    /// and nothing of the tag's class was pushed out of the bucket. Lock-free. Everything else is left to [`Self::find`], so
    /// that this part is a few instructions that keep all they need in registers.
    #[inline(always)]
    pub(crate) fn glance(self, is_match: impl Fn(u32) -> bool) -> Glance {
        let (bucket, name) = (self.home, self.name);
        let line = &self.buckets[bucket];
        // Acquire: partner of the release in `set_tag`.
        let candidates = Bucket::matches(line.tags.load(Ordering::Acquire), name.tag());
        if candidates == 0 {
            // Acquire: partner of the release in `set_mark`.
            let marks = line.marks.load(Ordering::Acquire);
            return if marks & MARK_MAX << name.class_shift() == 0 {
                Glance::Absent
            } else {
                Glance::Unclear
            };
        }
        let slot = (candidates.trailing_zeros() / TAG_BITS) as usize;
        // Acquire: partner of the release store of the slot; the record behind it is filled.
        let loc = line.locs[slot].load(Ordering::Acquire);
        if name.is_of(line, slot) && loc != 0 && is_match(loc) {
            Glance::Found(Position { bucket, slot }, loc)
        } else {
            Glance::Unclear
        }
    }

    /// Finds the slot whose hash is this one's and whose location `is_match` accepts. Lock-free.
    #[inline]
    pub(crate) fn find(self, is_match: impl Fn(u32) -> bool) -> Option<(Position, u32)> {
        let name = self.name;
        let mut bucket = self.home;
        for _ in 0..self.buckets.len() {
            let line = &self.buckets[bucket];
            // Acquire: partner of the release in `set_tag`.
            let mut candidates = Bucket::matches(line.tags.load(Ordering::Acquire), name.tag());
            while candidates != 0 {
                let slot = (candidates.trailing_zeros() / TAG_BITS) as usize;
                // Acquire: partner of the release store of the slot; the record behind it is filled.
                let loc = line.locs[slot].load(Ordering::Acquire);
                if name.is_of(line, slot) && loc != 0 && is_match(loc) {
                    return Some((Position { bucket, slot }, loc));
                }
                candidates &= candidates - 1;
            }
            // Acquire: partner of the release in `set_mark`.
            let marks = line.marks.load(Ordering::Acquire);
            if marks & MARK_MAX << name.class_shift() == 0 {
                // No entry of this class whose search begins at or before this bucket lies behind it.
                return None;
            }
            bucket = next(bucket, self.buckets.len());
        }
        None
    }

    /// The slot of an entry that is there. Under the shard's lock.
    #[inline(always)]
    pub(crate) fn locate(self, loc: u32) -> Option<Position> {
        let line = &self.buckets[self.home];
        let candidates = Bucket::matches(line.tags.load(Ordering::Relaxed), self.name.tag());
        if candidates != 0 {
            let slot = (candidates.trailing_zeros() / TAG_BITS) as usize;
            if line.locs[slot].load(Ordering::Relaxed) == loc {
                let bucket = self.home;
                return Some(Position { bucket, slot });
            }
        }
        locate_elsewhere(self.buckets, self.home, self.name, loc)
    }

    /// Puts an entry into the first bucket with room, at most `reach` buckets behind its home. Under the
    /// shard's lock, and only for a key that is not there. False when there is no room.
    #[inline(always)]
    pub(crate) fn insert(self, loc: u32, reach: usize) -> bool {
        let line = &self.buckets[self.home];
        if let Some(slot) = Bucket::first_empty(line.tags.load(Ordering::Relaxed)) {
            line.fill(slot, self.name, loc);
            return true;
        }
        insert_behind(self.buckets, self.home, self.name, loc, reach)
    }

    /// Empties the slot of an entry of this hash. Under the shard's lock.
    #[inline(always)]
    pub(crate) fn remove(self, position: Position) {
        let line = &self.buckets[position.bucket];
        line.locs[position.slot].store(0, Ordering::Release);
        fault::point();
        line.set_tag(position.slot, 0);
        fault::point();
        // Behind the removal: a search that still goes on too far does no harm.
        if self.home != position.bucket {
            lower_passed(self.buckets, self.home, self.name, position);
        }
    }
}

// What is rare gets its arguments one by one: a seat that is handed on would lie in memory from the start.

/// As [`Seat::locate`], where it is not the first with its tag in its home bucket.
#[inline(never)]
fn locate_elsewhere(buckets: &[Bucket], home: usize, name: Name, loc: u32) -> Option<Position> {
    let mut bucket = home;
    for _ in 0..buckets.len() {
        let line = &buckets[bucket];
        let mut candidates = Bucket::matches(line.tags.load(Ordering::Relaxed), name.tag());
        while candidates != 0 {
            let slot = (candidates.trailing_zeros() / TAG_BITS) as usize;
            if line.locs[slot].load(Ordering::Relaxed) == loc {
                return Some(Position { bucket, slot });
            }
            candidates &= candidates - 1;
        }
        bucket = next(bucket, buckets.len());
    }
    None
}

/// As [`Seat::insert`], where the home bucket is full.
#[inline(never)]
fn insert_behind(buckets: &[Bucket], home: usize, name: Name, loc: u32, reach: usize) -> bool {
    let mut bucket = home;
    for passed in 1..=reach.min(buckets.len() - 1) {
        bucket = next(bucket, buckets.len());
        let line = &buckets[bucket];
        if let Some(slot) = Bucket::first_empty(line.tags.load(Ordering::Relaxed)) {
            // Before the entry can be found, so that no search stops short of it.
            raise_passed(buckets, home, name, bucket);
            line.set_mark(distance_shift(slot), passed as u64);
            line.fill(slot, name, loc);
            return true;
        }
    }
    false
}

/// Counts an entry that lies in bucket `at` in all buckets from its home to there.
fn raise_passed(buckets: &[Bucket], home: usize, name: Name, at: usize) {
    let shift = name.class_shift();
    let mut bucket = home;
    while bucket != at {
        let line = &buckets[bucket];
        line.set_mark(shift, line.mark(shift) + 1);
        fault::point();
        bucket = next(bucket, buckets.len());
    }
}

/// Counts an entry that lay at a place behind its home no longer.
#[inline(never)]
fn lower_passed(buckets: &[Bucket], home: usize, name: Name, position: Position) {
    buckets[position.bucket].set_mark(distance_shift(position.slot), 0);
    fault::point();
    let shift = name.class_shift();
    let mut bucket = home;
    while bucket != position.bucket {
        let line = &buckets[bucket];
        let left = match line.mark(shift) {
            MARK_MAX => passing(buckets, bucket, name.tag()),
            count => count - 1,
        };
        line.set_mark(shift, left);
        fault::point();
        bucket = next(bucket, buckets.len());
    }
}

/// Counts the entries of a tag's class that passed over a bucket, up to [`MARK_MAX`]. Counts of the buckets behind it may be too
/// high, and one that passed over more buckets than can be counted is taken for one that passed over this.
#[inline(never)]
fn passing(buckets: &[Bucket], over: usize, tag: u8) -> u64 {
    let shift = class_shift(tag);
    let mut count = 0;
    let mut bucket = over;
    for distance in 1..buckets.len() as u64 {
        bucket = next(bucket, buckets.len());
        let line = &buckets[bucket];
        for entry in line.entries() {
            let has_passed = entry.passed >= distance.min(MARK_MAX);
            count += u64::from(class_shift(entry.tag) == shift && has_passed);
        }
        if count >= MARK_MAX || line.mark(shift) == 0 {
            break;
        }
    }
    count.min(MARK_MAX)
}

/// Makes a slot lead to another record of the same key. Under the shard's lock.
pub(crate) fn replace(buckets: &[Bucket], position: Position, loc: u32) {
    // Release: partner of the acquire in `find`.
    buckets[position.bucket].locs[position.slot].store(loc, Ordering::Release);
}

/// Checks that an entry of bucket `at` is where its hash says, as far as it is known.
#[cfg(not(loom))]
pub(crate) fn validate_entry(
    buckets: &[Bucket],
    at: usize,
    entry: Entry,
    hash: KeyHash,
) -> Result<(), String> {
    let home = home(hash.stored(), buckets.len());
    let is_at_home = home_of(entry, at, buckets.len()).is_none_or(|known| known == home);
    if entry.tag != hash.tag() || entry.low_hash != hash.stored() as u16 || !is_at_home {
        return Err(format!(
            "{entry:?} in bucket {at} is not of {hash:?}, whose home is {home}"
        ));
    }
    Ok(())
}

/// Checks the counts of all buckets; returns the number of entries. Under the shard's lock.
pub(crate) fn validate(buckets: &[Bucket]) -> Result<usize, String> {
    let mut passed = vec![[0u64; CLASSES as usize]; buckets.len()];
    let (mut entries, mut has_far) = (0, false);
    for (at, bucket) in buckets.iter().enumerate() {
        for entry in bucket.entries() {
            entries += 1;
            has_far |= entry.passed == MARK_MAX;
            // Those at least.
            let mut over = (at + buckets.len() - entry.passed as usize) % buckets.len();
            while over != at {
                passed[over][(class_shift(entry.tag) / MARK_BITS) as usize] += 1;
                over = next(over, buckets.len());
            }
        }
    }
    for (at, expected) in passed.into_iter().enumerate() {
        for (class, expected) in expected.into_iter().enumerate() {
            let expected = expected.min(MARK_MAX);
            let counted = buckets[at].mark(class as u32 * MARK_BITS);
            if counted < expected || counted > expected && !has_far {
                return Err(format!(
                    "bucket {at} counts {counted} entries of class {class} that pass, there are {expected}"
                ));
            }
        }
    }
    Ok(entries)
}

/// A hash with these parts.
#[cfg(any(test, loom))]
pub(crate) fn hash_of(stored_hash: u32, tag: u8) -> KeyHash {
    KeyHash(u64::from(tag) << 32 | u64::from(stored_hash))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn buckets(count: usize) -> Vec<Bucket> {
        (0..count).map(|_| Bucket::empty()).collect()
    }

    fn seat(buckets: &[Bucket]) -> Seat<'_> {
        Seat::new(buckets, hash_of(5, 9))
    }

    #[test]
    fn entries_that_share_a_home_are_found_wherever_they_overflow_to() {
        let buckets = buckets(4);
        for loc in 1..=24 {
            assert!(seat(&buckets).insert(loc, 3));
        }
        validate(&buckets).unwrap();
        for loc in 1..=24 {
            assert!(seat(&buckets).find(|found| found == loc).is_some());
        }
        assert!(seat(&buckets).find(|found| found == 25).is_none());
    }

    #[test]
    fn removing_restores_the_counts_so_that_searches_stop_early_again() {
        let buckets = buckets(4);
        for loc in 1..=24 {
            assert!(seat(&buckets).insert(loc, 3));
        }
        for loc in 1..=24 {
            let (position, _) = seat(&buckets).find(|found| found == loc).unwrap();
            seat(&buckets).remove(position);
            validate(&buckets).unwrap();
        }
        assert!(
            buckets
                .iter()
                .all(|bucket| bucket.tags.load(Ordering::Relaxed) == 0
                    && bucket.marks.load(Ordering::Relaxed) == 0)
        );
    }

    #[test]
    fn a_search_ends_where_only_entries_of_other_classes_went_on() {
        let buckets = buckets(2);
        for loc in 1..=10 {
            assert!(seat(&buckets).insert(loc, 1));
        }
        let look = |tag| Seat::new(&buckets, hash_of(5, tag)).glance(|_| false);
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
            let seat = Seat::new(&buckets, hash_of(hash, tag));
            if seat.insert(loc, 7) {
                there.push((seat, loc));
            }
            // From nearly empty to quite full, and back.
            while there.len() > 8 + loc as usize / 20 % 48 {
                let at = (random >> 40) as usize % there.len();
                let (seat, loc) = there.swap_remove(at);
                seat.remove(seat.locate(loc).unwrap());
            }
            if loc % 16 == 0 {
                assert_eq!(validate(&buckets), Ok(there.len()));
                let found = |(seat, loc): &(Seat<'_>, u32)| seat.locate(*loc).is_some();
                assert!(there.iter().all(found));
            }
        }
    }

    #[test]
    fn a_full_segment_refuses() {
        let buckets = buckets(2);
        for loc in 1..=16 {
            assert!(Seat::new(&buckets, hash_of(loc << 8, 1)).insert(loc, 1));
        }
        assert!(!Seat::new(&buckets, hash_of(0, 1)).insert(99, 1));
    }

    #[test]
    fn entries_too_far_from_home_to_be_counted_are_found_and_leave_nothing_behind() {
        let buckets = buckets(20);
        let all = 20 * SLOTS as u32;
        for loc in 1..=all {
            assert!(seat(&buckets).insert(loc, usize::MAX));
        }
        for loc in 1..=all {
            assert_eq!(validate(&buckets), Ok((all - loc + 1) as usize));
            let (position, _) = seat(&buckets).find(|found| found == loc).unwrap();
            seat(&buckets).remove(position);
        }
        assert!(
            buckets
                .iter()
                .all(|bucket| bucket.marks.load(Ordering::Relaxed) == 0)
        );
    }

    #[test]
    fn every_tag_is_matched_in_every_slot() {
        for tag in 1..=255u8 {
            for slot in 0..SLOTS {
                let bucket = Bucket::empty();
                bucket.set_tag(slot, tag);
                let tags = bucket.tags.load(Ordering::Relaxed);
                assert_ne!(Bucket::matches(tags, tag) & (0x80 << (8 * slot)), 0);
            }
        }
    }
}

#[cfg(all(test, loom))]
mod models;
