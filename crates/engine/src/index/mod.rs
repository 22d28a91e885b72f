//! One shard's index: a directory of segments of buckets (extendible hashing).
//!
//! The directory is indexed by the low bits of the stored hash. When a segment has no room for an
//! entry it alone is split in two; when two halves have become nearly empty they are merged. Both
//! make new segments, publish them in the directory and retire the old ones, so a reader that still
//! looks at an old one sees it as it was when the change began.
//!
//! Readers: directory pointer, directory entry, bucket; all acquire loads, no lock. Writers hold the
//! shard's lock, which also guards that nothing is retired under their hands.

pub(crate) mod bucket;
pub(crate) mod segment;

use crate::hash::KeyHash;
use crate::memory::allocator::Allocator;
use crate::memory::classes::Class;
use crate::memory::region::Loc;
use crate::prefetch::prefetch_line;
use crate::sync::{AtomicPtr, AtomicU64, Ordering};
use bucket::{Bucket, Position, SlotWord};
use segment::{REACH, SegmentRef};

/// The low 16 bits of the stored hash are the directory's.
pub(crate) const DEPTH_MAX: u32 = 16;
/// Two sibling segments are merged when together they would fill less than this part of one, in
/// percent: well below the half that a split leaves, so that the two don't alternate.
const MERGE_BELOW_PERCENT: usize = 35;

/// A power of two of segment references.
pub(crate) struct Directory {
    depth: u32,
    entries: Box<[AtomicU64]>,
}

impl Directory {
    fn index(&self, stored_hash: u32) -> usize {
        stored_hash as usize & (self.entries.len() - 1)
    }

    #[inline(always)]
    fn segment(&self, stored_hash: u32) -> SegmentRef {
        // Acquire: partner of the release in `publish`: a new segment is filled before it is found.
        SegmentRef(self.entries[self.index(stored_hash)].load(Ordering::Acquire))
    }

    fn publish(&self, index: usize, segment: SegmentRef) {
        self.entries[index].store(segment.0, Ordering::Release);
    }

    /// Makes all entries of a segment's hash prefix lead to it.
    fn publish_all(&self, stored_hash: u32, segment: SegmentRef) {
        let width = 1 << segment.depth();
        for index in (stored_hash as usize & (width - 1)..self.entries.len()).step_by(width) {
            self.publish(index, segment);
        }
    }

    /// Each segment once.
    fn segments(&self) -> impl Iterator<Item = SegmentRef> + '_ {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| {
                let segment = SegmentRef(entry.load(Ordering::Acquire));
                // The first of the entries that lead to it.
                (index < 1 << segment.depth()).then_some(segment)
            })
    }
}

/// What an operation took out of use; readers may still be looking at it.
pub(crate) enum Retired {
    Segment(Loc),
    Directory(Box<Directory>),
}

/// There is no room for the segments that the index needs to grow. Make some and try again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NeedsRoom;

/// See the module's documentation.
pub(crate) struct Index {
    directory: AtomicPtr<Directory>,
    /// Size class of its segments once they are of full size.
    class: Class,
    /// Size class of the one segment that it begins with.
    first: Class,
}

impl Index {
    /// An index with one small empty segment.
    pub(crate) fn new(allocator: &Allocator, variant: usize) -> Result<Self, NeedsRoom> {
        let classes = &allocator.records().classes;
        let (class, first) = (classes.index(variant), classes.index_first(variant));
        let directory = Box::into_raw(Self::empty_directory(allocator, first)?);
        Ok(Self {
            directory: AtomicPtr::new(directory),
            class,
            first,
        })
    }

    fn empty_directory(allocator: &Allocator, class: Class) -> Result<Box<Directory>, NeedsRoom> {
        let segment = SegmentRef::create(allocator, class, 0).ok_or(NeedsRoom)?;
        Ok(Box::new(Directory {
            depth: 0,
            entries: Box::new([AtomicU64::new(segment.0)]),
        }))
    }

    /// # Safety
    /// The caller is pinned for as long as the result is used, or holds the shard's lock.
    #[inline(always)]
    unsafe fn directory(&self) -> &Directory {
        // Acquire: partner of the release swaps below.
        // SAFETY: the pointer came from `Box::into_raw`, and what it points to is retired through
        // the epoch only after it has been replaced.
        unsafe { &*self.directory.load(Ordering::Acquire) }
    }

    /// Lock-free look-up of the record whose stored hash matches and which `is_match` accepts.
    ///
    /// # Safety
    /// The caller is pinned for as long as the location is used, or holds the shard's lock.
    #[inline(always)]
    pub(crate) unsafe fn find(
        &self,
        allocator: &Allocator,
        hash: KeyHash,
        mut is_match: impl FnMut(Loc) -> bool,
    ) -> Option<Loc> {
        // SAFETY: as the caller promises.
        let buckets = unsafe { self.directory().segment(hash.stored()).buckets(allocator) };
        bucket::find(buckets, hash.stored(), hash.tag(), |loc| is_match(Loc(loc)))
            .map(|(_, word)| Loc(word.loc()))
    }

    /// Asks for the cache line that a look-up of `hash` will read.
    ///
    /// # Safety
    /// The caller is pinned, or holds the shard's lock.
    pub(crate) unsafe fn prefetch(&self, allocator: &Allocator, hash: KeyHash) {
        // SAFETY: as the caller promises.
        let buckets = unsafe { self.directory().segment(hash.stored()).buckets(allocator) };
        prefetch_line(bucket::home_bucket(buckets, hash.stored()).cast());
    }

    /// The segment of a hash and the slot in it. Under the shard's lock.
    fn locate(
        &self,
        allocator: &Allocator,
        hash: KeyHash,
        mut is_match: impl FnMut(Loc) -> bool,
    ) -> Option<(SegmentRef, Position, Loc)> {
        // SAFETY: the caller holds the shard's lock.
        let segment = unsafe { self.directory() }.segment(hash.stored());
        // SAFETY: as above.
        let buckets = unsafe { segment.buckets(allocator) };
        let found = bucket::find(buckets, hash.stored(), hash.tag(), |loc| is_match(Loc(loc)));
        found.map(|(position, word)| (segment, position, Loc(word.loc())))
    }

    /// Makes the slot of `old` lead to `new`, a record of the same key. Under the shard's lock.
    /// False if `old` is not in the index.
    pub(crate) fn replace(&self, allocator: &Allocator, hash: KeyHash, old: Loc, new: Loc) -> bool {
        let Some((segment, position, _)) = self.locate(allocator, hash, |loc| loc == old) else {
            return false;
        };
        // SAFETY: the caller holds the shard's lock.
        let buckets = unsafe { segment.buckets(allocator) };
        bucket::replace(buckets, position, SlotWord::new(hash.stored(), new.0));
        true
    }

    /// Adds a record whose key is not in the index, splitting its segment if it must. Under the
    /// shard's lock. What the split took out of use is added to `retired`.
    pub(crate) fn insert(
        &self,
        allocator: &Allocator,
        hash: KeyHash,
        loc: Loc,
        retired: &mut Vec<Retired>,
    ) -> Result<(), NeedsRoom> {
        let word = SlotWord::new(hash.stored(), loc.0);
        loop {
            // SAFETY: the caller holds the shard's lock.
            let segment = unsafe { self.directory() }.segment(hash.stored());
            // SAFETY: as above.
            let buckets = unsafe { segment.buckets(allocator) };
            // A segment that can't be split any further is filled to the brim.
            let reach = if segment.depth() < DEPTH_MAX {
                REACH
            } else {
                usize::MAX
            };
            if bucket::insert(buckets, hash.tag(), word, reach) {
                segment.count(allocator).fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            if segment.depth() == DEPTH_MAX {
                return Err(NeedsRoom);
            }
            self.split(allocator, hash.stored(), retired)?;
        }
    }

    /// Removes a record. Under the shard's lock. False if it is not in the index.
    pub(crate) fn remove(
        &self,
        allocator: &Allocator,
        hash: KeyHash,
        loc: Loc,
        retired: &mut Vec<Retired>,
    ) -> bool {
        let Some((segment, position, _)) = self.locate(allocator, hash, |found| found == loc)
        else {
            return false;
        };
        // SAFETY: the caller holds the shard's lock.
        bucket::remove(unsafe { segment.buckets(allocator) }, position);
        let left = segment.count(allocator).fetch_sub(1, Ordering::Relaxed) as usize - 1;
        if left * 100 < segment.capacity() * MERGE_BELOW_PERCENT / 2 && segment.depth() > 0 {
            // The merged one may be as empty, and nothing may be left in it to remove.
            while self.merge(allocator, hash.stored(), retired) {}
        }
        true
    }

    fn split(
        &self,
        allocator: &Allocator,
        stored_hash: u32,
        retired: &mut Vec<Retired>,
    ) -> Result<(), NeedsRoom> {
        // SAFETY: the caller holds the shard's lock.
        let old = unsafe { self.directory() }.segment(stored_hash);
        let depth = old.depth();
        if allocator.class_of(old.loc()) != self.class {
            return self.enlarge(allocator, stored_hash, old, retired);
        }
        let low = SegmentRef::create(allocator, self.class, depth + 1).ok_or(NeedsRoom)?;
        let Some(high) = SegmentRef::create(allocator, self.class, depth + 1) else {
            allocator.free(low.loc());
            return Err(NeedsRoom);
        };
        let is_high = |hash: u32| hash >> depth & 1 == 1;
        old.copy_into(low, allocator, |hash| !is_high(hash));
        old.copy_into(high, allocator, is_high);
        // SAFETY: as above.
        if unsafe { self.directory() }.depth == depth {
            self.double_directory(retired);
        }
        // SAFETY: as above.
        let directory = unsafe { self.directory() };
        let low_hash = stored_hash & !(1 << depth);
        directory.publish_all(low_hash, low);
        directory.publish_all(low_hash | 1 << depth, high);
        retired.push(Retired::Segment(old.loc()));
        Ok(())
    }

    /// Replaces a segment that is not of full size yet by one of twice its size: a small cache has a
    /// small index, whose lines stay in the processor's caches.
    fn enlarge(
        &self,
        allocator: &Allocator,
        stored_hash: u32,
        old: SegmentRef,
        retired: &mut Vec<Retired>,
    ) -> Result<(), NeedsRoom> {
        let classes = &allocator.records().classes;
        let class = classes.index_next(allocator.class_of(old.loc()), self.class);
        let larger = SegmentRef::create(allocator, class, old.depth()).ok_or(NeedsRoom)?;
        old.copy_into(larger, allocator, |_| true);
        // SAFETY: the caller holds the shard's lock.
        let directory = unsafe { self.directory() };
        directory.publish_all(stored_hash, larger);
        retired.push(Retired::Segment(old.loc()));
        Ok(())
    }

    fn double_directory(&self, retired: &mut Vec<Retired>) {
        // SAFETY: the caller holds the shard's lock.
        let old = unsafe { self.directory() };
        let entries = old.entries.iter().chain(&*old.entries);
        let copied = entries
            .map(|entry| AtomicU64::new(entry.load(Ordering::Relaxed)))
            .collect();
        self.swap_directory(
            Box::new(Directory {
                depth: old.depth + 1,
                entries: copied,
            }),
            retired,
        );
    }

    fn swap_directory(&self, new: Box<Directory>, retired: &mut Vec<Retired>) {
        // Release: partner of the acquire in `directory`.
        let old = self.directory.swap(Box::into_raw(new), Ordering::AcqRel);
        // SAFETY: the old pointer came from `Box::into_raw` and has just been replaced, so this is
        // the only place that takes it back; readers are waited for before it is dropped.
        retired.push(Retired::Directory(unsafe { Box::from_raw(old) }));
    }

    /// Merges the segment of a hash with its sibling, if both are nearly empty and there is room
    /// for the result; whether it did.
    fn merge(&self, allocator: &Allocator, stored_hash: u32, retired: &mut Vec<Retired>) -> bool {
        // SAFETY: the caller holds the shard's lock.
        let directory = unsafe { self.directory() };
        let own = directory.segment(stored_hash);
        let depth = own.depth();
        if depth == 0 {
            return false;
        }
        let sibling = directory.segment(stored_hash ^ 1 << (depth - 1));
        let together =
            [own, sibling].map(|segment| segment.count(allocator).load(Ordering::Relaxed) as usize);
        if sibling.depth() != depth
            || together.iter().sum::<usize>() * 100 > own.capacity() * MERGE_BELOW_PERCENT
        {
            return false;
        }
        let Some(merged) = SegmentRef::create(allocator, self.class, depth - 1) else {
            return false;
        };
        own.copy_into(merged, allocator, |_| true);
        sibling.copy_into(merged, allocator, |_| true);
        directory.publish_all(stored_hash, merged);
        retired.extend([own, sibling].map(|segment| Retired::Segment(segment.loc())));
        true
    }

    /// Replaces everything by an empty index and hands out the old directory, whose segments still
    /// hold the entries. Under the shard's lock.
    pub(crate) fn clear(&self, allocator: &Allocator) -> Result<Box<Directory>, NeedsRoom> {
        let mut retired = Vec::new();
        self.swap_directory(Self::empty_directory(allocator, self.first)?, &mut retired);
        match retired.pop() {
            Some(Retired::Directory(old)) => Ok(old),
            _ => unreachable!("swapping retires exactly the old directory"),
        }
    }

    /// Visits the entries of the segment that covers position `at` of the walk's order, and returns
    /// the position behind it; `None` after the last.
    ///
    /// The order is that of the bit-reversed low hash bits: whatever is split or merged between two
    /// calls, a segment covers one contiguous range of it, so an entry that is there throughout is
    /// visited at least once.
    ///
    /// # Safety
    /// The caller is pinned, or holds the shard's lock.
    pub(crate) unsafe fn walk(
        &self,
        allocator: &Allocator,
        at: u32,
        mut visit: impl FnMut(Loc),
    ) -> Option<u32> {
        let stored_hash = (at as u16).reverse_bits() as u32;
        // SAFETY: as the caller promises.
        let segment = unsafe { self.directory() }.segment(stored_hash);
        // SAFETY: as the caller promises.
        let buckets = unsafe { segment.buckets(allocator) };
        for (_, word) in buckets.iter().flat_map(Bucket::entries) {
            visit(Loc(word.loc()));
        }
        let width = 1 << (DEPTH_MAX - segment.depth());
        let next = (at & !(width - 1)) + width;
        (next < 1 << DEPTH_MAX).then_some(next)
    }

    /// Checks every segment; returns the number of entries and segments. Under the shard's lock.
    pub(crate) fn validate(
        &self,
        allocator: &Allocator,
        mut check: impl FnMut(SlotWord) -> Result<(), String>,
    ) -> Result<(usize, usize), String> {
        // SAFETY: the caller holds the shard's lock.
        let directory = unsafe { self.directory() };
        let (mut entries, mut segments) = (0, 0);
        for segment in directory.segments() {
            // SAFETY: as above.
            let buckets = unsafe { segment.buckets(allocator) };
            let found = bucket::validate(buckets)?;
            let counted = segment.count(allocator).load(Ordering::Relaxed) as usize;
            if found != counted {
                return Err(format!(
                    "a segment counts {counted} entries and holds {found}"
                ));
            }
            for (_, word) in buckets.iter().flat_map(Bucket::entries) {
                if directory.segment(word.stored_hash()) != segment {
                    return Err(format!("{word:?} lies in a segment of another hash"));
                }
                check(word)?;
            }
            entries += found;
            segments += 1;
        }
        Ok((entries, segments))
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `Box::into_raw`; nobody uses an index that is being dropped.
        drop(unsafe { Box::from_raw(*self.directory.get_mut()) });
    }
}

/// The entries of a directory that `Index::clear` replaced, some at a time.
pub(crate) struct Doomed {
    directory: Box<Directory>,
    /// Position in the directory, and bucket of the segment there, that come next.
    at: usize,
    bucket: usize,
}

/// What a step of [`Doomed`] came to.
pub(crate) enum Step {
    /// The segment has more entries.
    Part,
    /// All of this segment's entries were visited: it is to be retired.
    Segment(Loc),
    /// There is nothing left but the directory.
    End,
}

impl Doomed {
    pub(crate) fn new(directory: Box<Directory>) -> Self {
        Self {
            directory,
            at: 0,
            bucket: 0,
        }
    }

    /// Visits the next entries, at least `count` or to the end of a segment.
    pub(crate) fn step(
        &mut self,
        allocator: &Allocator,
        count: usize,
        mut visit: impl FnMut(Loc),
    ) -> Step {
        let Some(segment) = self.segment() else {
            return Step::End;
        };
        // SAFETY: the segment was taken out of the index but not retired: nobody frees it but us.
        let buckets = unsafe { segment.buckets(allocator) };
        let mut visited = 0;
        for bucket in &buckets[self.bucket..] {
            if visited >= count {
                return Step::Part;
            }
            for (_, word) in bucket.entries() {
                visit(Loc(word.loc()));
                visited += 1;
            }
            self.bucket += 1;
        }
        self.at += 1;
        self.bucket = 0;
        Step::Segment(segment.loc())
    }

    /// The segment at the first position from `at` on that leads to one not seen before.
    fn segment(&mut self) -> Option<SegmentRef> {
        while let Some(entry) = self.directory.entries.get(self.at) {
            let segment = SegmentRef(entry.load(Ordering::Relaxed));
            if self.at < 1 << segment.depth() {
                return Some(segment);
            }
            self.at += 1;
        }
        None
    }

    pub(crate) fn into_directory(self) -> Box<Directory> {
        self.directory
    }
}
