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
mod directory;
pub(crate) mod segment;

use crate::fault;
use crate::hash::{KeyHash, KeyHasher};
use crate::heap::{self, OutOfMemory};
use crate::limits::SMALL;
use crate::memory::allocator::Allocator;
use crate::memory::classes::Class;
use crate::memory::region::Loc;
use bucket::{Bucket, Glance, Position, SLOTS, Seat};
use directory::{Directory, Root, View};
use segment::SegmentRef;
use std::cmp::Reverse;

/// The low 16 bits of the stored hash are the directory's.
pub(crate) const DEPTH_MAX: u32 = if SMALL { 5 } else { 16 };
/// Two sibling segments are merged when together they would fill less than this part of one, in
/// percent: far below what one that has to be split is filled to, so that the two don't alternate.
const MERGE_BELOW_PERCENT: usize = 50;
/// One of them is asked for its sibling below so many entries in a bucket: half of that.
const MERGE_BELOW_PER_BUCKET: usize = SLOTS * MERGE_BELOW_PERCENT / 200;
const _: () = assert!(MERGE_BELOW_PER_BUCKET * 200 == SLOTS * MERGE_BELOW_PERCENT);

/// What an operation took out of use; readers may still be looking at it.
pub(crate) enum Retired {
    Segment(Loc),
    /// Made by the change in progress, perhaps not in the directory yet. Gone when the change is done.
    Unpublished(Loc),
    Directory(Directory),
}

/// Where a record stands in the index. Valid for one hold of the shard's lock, until the index changes.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    segment: SegmentRef,
    position: Position,
    pub(crate) loc: Loc,
}

/// The segment where a hash's entries are. Valid for one hold of the shard's lock, until segments are split or merged.
#[derive(Clone, Copy)]
pub(crate) struct Home<'a> {
    segment: SegmentRef,
    seat: Seat<'a>,
}

impl Home<'_> {
    #[inline(always)]
    fn place(self, position: Position, loc: Loc) -> Place {
        Place {
            segment: self.segment,
            position,
            loc,
        }
    }

    /// Asks for the cache line that a look-up will read.
    #[inline(always)]
    pub(crate) fn prefetch(self) {
        self.seat.prefetch();
    }
}

/// The index can't grow, and has not changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NeedsRoom {
    /// There is no room for its segments. Make some and try again.
    Region,
    /// Nor for what it keeps on the heap, where a cache can't make any.
    Heap(OutOfMemory),
}

impl From<OutOfMemory> for NeedsRoom {
    fn from(refused: OutOfMemory) -> Self {
        Self::Heap(refused)
    }
}

/// See the module's documentation. Two to a cache line: readers go through all shards' in turn.
#[repr(align(32))]
pub(crate) struct Index {
    root: Root,
    /// Size class of its segments once they are of full size.
    class: Class,
    /// Size class of the one segment that it begins with.
    first: Class,
}

impl Index {
    /// Bytes that an index and the smallest directory take beside the region.
    pub(crate) const BYTES_MIN: usize = size_of::<Self>() + Directory::BYTES_MIN;

    /// An index with one small empty segment.
    pub(crate) fn new(allocator: &Allocator, variant: usize) -> Result<Self, NeedsRoom> {
        let classes = &allocator.records().classes;
        let (class, first) = (classes.index(variant), classes.index_first(variant));
        let directory = Self::empty_directory(allocator, (first, class), &mut Vec::new())?;
        Ok(Self {
            root: Root::new(directory),
            class,
            first,
        })
    }

    fn empty_directory(
        allocator: &Allocator,
        (first, full): (Class, Class),
        made: &mut Vec<Retired>,
    ) -> Result<Directory, NeedsRoom> {
        let mut class = first;
        let segment = loop {
            match SegmentRef::create(allocator, class, 0, made) {
                // A block of another size will do: where the cache is full its page may be the only one with room.
                Err(NeedsRoom::Region) if class != full => {
                    class = allocator.records().classes.index_next(class, full);
                }
                created => break created?,
            }
        };
        fault::point();
        let directory = Directory::new(0, |_| segment);
        if directory.is_err() {
            made.pop();
            allocator.free(segment.loc());
        }
        Ok(directory?)
    }

    /// # Safety
    /// The caller is pinned for as long as the result is used, or holds the shard's lock.
    #[inline(always)]
    unsafe fn directory(&self) -> View<'_> {
        // SAFETY: as the caller promises.
        unsafe { self.root.view() }
    }

    /// Lock-free look-up of a key's record that has not expired at the tick `now`.
    ///
    /// # Safety
    /// The caller is pinned for as long as the location is used, or holds the shard's lock.
    #[inline(always)]
    pub(crate) unsafe fn find_live(
        &self,
        allocator: &Allocator,
        hash: KeyHash,
        key: &[u8],
        now: u64,
    ) -> Option<Loc> {
        let records = allocator.records();
        // SAFETY: as the caller promises.
        let glance = unsafe { self.seat(allocator, hash) }.glance(|loc| {
            records.prefetch_payload(Loc(loc));
            // SAFETY: as the caller promises, and `loc` was just found.
            unsafe { records.is_ordinary_with_key(Loc(loc), key) }
        });
        match glance {
            Glance::Found(_, loc) => {
                let loc = Loc(loc);
                (!records.header(loc).near_expiry().is_past(now)).then_some(loc)
            }
            Glance::Absent => None,
            // SAFETY: as the caller promises.
            Glance::Unclear => unsafe { self.search_live(allocator, hash, key, now) },
        }
    }

    /// # Safety
    /// As [`Self::find_live`].
    #[inline(never)]
    unsafe fn search_live(
        &self,
        allocator: &Allocator,
        hash: KeyHash,
        key: &[u8],
        now: u64,
    ) -> Option<Loc> {
        let records = allocator.records();
        // SAFETY: as the caller promises, and `loc` was just found.
        unsafe { self.find(allocator, hash, |loc| records.key_is(loc, key)) }
            .filter(|loc| !records.header(*loc).expiry().is_past(now))
    }

    /// Lock-free look-up of the record whose stored hash matches and which `is_match` accepts.
    ///
    /// # Safety
    /// The caller is pinned for as long as the location is used, or holds the shard's lock.
    #[inline]
    pub(crate) unsafe fn find(
        &self,
        allocator: &Allocator,
        hash: KeyHash,
        is_match: impl Fn(Loc) -> bool,
    ) -> Option<Loc> {
        // SAFETY: as the caller promises.
        let seat = unsafe { self.seat(allocator, hash) };
        seat.find(|loc| is_match(Loc(loc))).map(|(_, loc)| Loc(loc))
    }

    /// Asks for the cache line that a look-up of `hash` will read.
    ///
    /// # Safety
    /// The caller is pinned, or holds the shard's lock.
    #[inline(always)]
    pub(crate) unsafe fn prefetch(&self, allocator: &Allocator, hash: KeyHash) {
        // SAFETY: as the caller promises.
        unsafe { self.seat(allocator, hash) }.prefetch();
    }

    /// # Safety
    /// As [`Self::directory`].
    #[inline(always)]
    unsafe fn seat<'a>(&self, allocator: &'a Allocator, hash: KeyHash) -> Seat<'a> {
        // SAFETY: as the caller promises.
        let buckets = unsafe { self.directory().segment(hash.stored()).buckets(allocator) };
        Seat::new(buckets, hash)
    }

    /// Where a hash's entries are. Under the shard's lock.
    #[inline(always)]
    pub(crate) fn home<'a>(&self, allocator: &'a Allocator, hash: KeyHash) -> Home<'a> {
        // SAFETY: the caller holds the shard's lock.
        let segment = unsafe { self.directory() }.segment(hash.stored());
        // SAFETY: as above.
        let buckets = unsafe { segment.buckets(allocator) };
        Home {
            segment,
            seat: Seat::new(buckets, hash),
        }
    }

    /// The place of a record that is in the index. Under the shard's lock.
    #[inline(always)]
    fn place_of(&self, allocator: &Allocator, hash: KeyHash, loc: Loc) -> Option<Place> {
        Self::place_at(self.home(allocator, hash), loc)
    }

    /// As [`Self::place_of`], at the hash's home.
    #[inline(always)]
    pub(crate) fn place_at(home: Home<'_>, loc: Loc) -> Option<Place> {
        Some(home.place(home.seat.locate(loc.0)?, loc))
    }

    /// The place of a key's record, expired or not. Under the shard's lock.
    #[inline]
    pub(crate) fn place_of_key(
        &self,
        allocator: &Allocator,
        hash: KeyHash,
        key: &[u8],
    ) -> Option<Place> {
        let home = self.home(allocator, hash);
        let records = allocator.records();
        let glance = home.seat.glance(|loc| {
            // SAFETY: the caller holds the shard's lock, so what is found here stays live.
            unsafe { records.key_is(Loc(loc), key) }
        });
        match glance {
            Glance::Found(position, loc) => Some(home.place(position, Loc(loc))),
            Glance::Absent => None,
            Glance::Unclear => Self::search_key_at(home.seat, allocator, key)
                .map(|(position, loc)| home.place(position, loc)),
        }
    }

    /// As [`Self::place_of_key`], at the home of a key that mostly has none.
    #[inline(always)]
    pub(crate) fn place_of_rare_key_at(
        home: Home<'_>,
        allocator: &Allocator,
        key: &[u8],
    ) -> Option<Place> {
        if home.seat.is_surely_absent() {
            return None;
        }
        // In pieces, so that the home need not lie in memory.
        Self::search_key_at(home.seat, allocator, key)
            .map(|(position, loc)| home.place(position, loc))
    }

    /// The place of a key's record, by a full search.
    #[inline(never)]
    fn search_key_at(seat: Seat<'_>, allocator: &Allocator, key: &[u8]) -> Option<(Position, Loc)> {
        let records = allocator.records();
        let found = seat.find(|loc| {
            // SAFETY: as in `place_of_key`.
            unsafe { records.key_is(Loc(loc), key) }
        });
        found.map(|(position, loc)| (position, Loc(loc)))
    }

    /// Makes the slot of `old` lead to `new`, a record of the same key. Under the shard's lock.
    /// False if `old` is not in the index.
    pub(crate) fn replace(&self, allocator: &Allocator, hash: KeyHash, old: Loc, new: Loc) -> bool {
        let place = self.place_of(allocator, hash, old);
        if let Some(place) = place {
            self.replace_at(allocator, place, new);
        }
        place.is_some()
    }

    /// As [`Self::replace`], where the place is known. Under the same hold of the shard's lock.
    pub(crate) fn replace_at(&self, allocator: &Allocator, place: Place, new: Loc) {
        // SAFETY: the caller holds the shard's lock.
        let buckets = unsafe { place.segment.buckets(allocator) };
        bucket::replace(buckets, place.position, new.0);
    }

    /// Adds a record whose key is not in the index, splitting its segment if it must. Under the
    /// shard's lock. What the split took out of use is added to `retired`.
    #[inline(always)]
    pub(crate) fn insert(
        &self,
        allocator: &Allocator,
        hasher: &KeyHasher,
        hash: KeyHash,
        loc: Loc,
        retired: &mut Vec<Retired>,
    ) -> Result<(), NeedsRoom> {
        loop {
            let home = self.home(allocator, hash);
            if Self::insert_at(home, allocator, loc) {
                return Ok(());
            }
            if home.segment.depth() == DEPTH_MAX {
                return Err(NeedsRoom::Region);
            }
            self.split(allocator, hasher, hash.stored(), retired)?;
        }
    }

    /// Adds a record whose key is not in the index at its hash's home. Under the shard's lock. False if the segment must
    /// be split first.
    #[inline(always)]
    pub(crate) fn insert_at(home: Home<'_>, allocator: &Allocator, loc: Loc) -> bool {
        let Home { segment, seat } = home;
        // A segment that can't be split any further is filled to the brim.
        let reach = if segment.depth() < DEPTH_MAX {
            allocator.records().classes.index_reach()
        } else {
            usize::MAX
        };
        let is_inserted = seat.insert(loc.0, reach);
        if is_inserted {
            fault::point();
            segment.add_count(allocator, 1);
        }
        is_inserted
    }

    /// Removes a record. Under the shard's lock. False if it is not in the index.
    #[inline(always)]
    pub(crate) fn remove(
        &self,
        allocator: &Allocator,
        hasher: &KeyHasher,
        hash: KeyHash,
        loc: Loc,
        retired: &mut Vec<Retired>,
    ) -> bool {
        let home = self.home(allocator, hash);
        let Some(place) = Self::place_at(home, loc) else {
            return false;
        };
        let left = Self::remove_at(home, allocator, place);
        if Self::is_nearly_empty(home.segment, left) {
            // The merged one may be as empty, and nothing may be left in it to remove.
            while self.merge(allocator, hasher, hash.stored(), retired) {}
        }
        true
    }

    /// Removes what lies at a place of this home; returns how many entries are left. Under the shard's lock.
    #[inline(always)]
    pub(crate) fn remove_at(home: Home<'_>, allocator: &Allocator, place: Place) -> usize {
        home.seat.remove(place.position);
        fault::point();
        home.segment.add_count(allocator, -1)
    }

    /// Whether the segment might be merged if one of its entries were removed. Under the shard's lock.
    #[inline(always)]
    pub(crate) fn is_near_merging(home: Home<'_>, allocator: &Allocator) -> bool {
        Self::is_nearly_empty(home.segment, home.segment.count(allocator) - 1)
    }

    #[inline(always)]
    fn is_nearly_empty(segment: SegmentRef, entries: usize) -> bool {
        entries < segment.bucket_count() * MERGE_BELOW_PER_BUCKET && segment.depth() > 0
    }

    fn split(
        &self,
        allocator: &Allocator,
        hasher: &KeyHasher,
        stored_hash: u32,
        retired: &mut Vec<Retired>,
    ) -> Result<(), NeedsRoom> {
        // SAFETY: the caller holds the shard's lock.
        let directory = unsafe { self.directory() };
        let old = directory.segment(stored_hash);
        let depth = old.depth();
        // All that may be refused comes first: the new segments, the old one and the old directory are
        // noted below.
        heap::reserve(retired, 4)?;
        if allocator.class_of(old.loc()) != self.class {
            return self.enlarge(allocator, hasher, old, stored_hash, retired);
        }
        let is_deepest = directory.depth() == depth;
        let doubled = is_deepest.then(|| directory.doubled()).transpose()?;
        let is_high = |low_hash: u16| low_hash >> depth & 1 == 1;
        let count = old.count_of(allocator, is_high);
        let classes = &allocator.records().classes;
        let [low_class, high_class] = [old.count(allocator) - count, count]
            .map(|entries| classes.index_for(entries, self.class));
        let low = SegmentRef::create(allocator, low_class, depth + 1, retired)?;
        fault::point();
        let high =
            SegmentRef::create(allocator, high_class, depth + 1, retired).inspect_err(|_| {
                retired.pop();
                allocator.free(low.loc());
            })?;
        fault::point();
        old.copy_into(low, allocator, hasher, |low_hash| !is_high(low_hash));
        fault::point();
        old.copy_into(high, allocator, hasher, is_high);
        fault::point();
        if let Some(doubled) = doubled {
            // Room was made for it: the old directory is at no time in nobody's hands, readers still
            // use it.
            retired.push(Retired::Directory(self.root.swap(doubled)));
        }
        fault::point();
        // Before it leaves the directory, so that the shard's repair knows of it.
        retired.push(Retired::Segment(old.loc()));
        // SAFETY: as above.
        let directory = unsafe { self.directory() };
        let low_hash = stored_hash & !(1 << depth);
        directory.publish_all(low_hash, low);
        directory.publish_all(low_hash | 1 << depth, high);
        Self::all_published(retired);
        Ok(())
    }

    /// Replaces a segment that is not of full size yet by one of the next size: a small cache has a
    /// small index, whose lines stay in the processor's caches.
    fn enlarge(
        &self,
        allocator: &Allocator,
        hasher: &KeyHasher,
        old: SegmentRef,
        stored_hash: u32,
        retired: &mut Vec<Retired>,
    ) -> Result<(), NeedsRoom> {
        let classes = &allocator.records().classes;
        let class = classes.index_next(allocator.class_of(old.loc()), self.class);
        let larger = SegmentRef::create(allocator, class, old.depth(), retired)?;
        fault::point();
        old.copy_into(larger, allocator, hasher, |_| true);
        fault::point();
        retired.push(Retired::Segment(old.loc()));
        // SAFETY: the caller holds the shard's lock.
        let directory = unsafe { self.directory() };
        directory.publish_all(stored_hash, larger);
        Self::all_published(retired);
        Ok(())
    }

    /// The change in progress is done: what it made is in the directory.
    fn all_published(retired: &mut Vec<Retired>) {
        fault::point();
        retired.retain(|block| !matches!(block, Retired::Unpublished(_)));
        fault::point();
    }

    /// Merges the segment of a hash with its sibling, if both are nearly empty and there is room
    /// for the result; whether it did.
    fn merge(
        &self,
        allocator: &Allocator,
        hasher: &KeyHasher,
        stored_hash: u32,
        retired: &mut Vec<Retired>,
    ) -> bool {
        // SAFETY: the caller holds the shard's lock.
        let directory = unsafe { self.directory() };
        let own = directory.segment(stored_hash);
        let depth = own.depth();
        if depth == 0 {
            return false;
        }
        let sibling = directory.segment(stored_hash ^ 1 << (depth - 1));
        let together = [own, sibling].map(|segment| segment.count(allocator));
        if sibling.depth() != depth
            || together.iter().sum::<usize>() * 100 > own.capacity() * MERGE_BELOW_PERCENT
        {
            return false;
        }
        // The merged one and the two that it replaces are noted below.
        if heap::reserve(retired, 3).is_err() {
            return false;
        }
        let classes = &allocator.records().classes;
        let class = classes.index_for(together.iter().sum(), self.class);
        let Ok(merged) = SegmentRef::create(allocator, class, depth - 1, retired) else {
            return false;
        };
        fault::point();
        own.copy_into(merged, allocator, hasher, |_| true);
        fault::point();
        sibling.copy_into(merged, allocator, hasher, |_| true);
        fault::point();
        retired.extend([own, sibling].map(|segment| Retired::Segment(segment.loc())));
        directory.publish_all(stored_hash, merged);
        Self::all_published(retired);
        true
    }

    /// Replaces everything by an empty index and hands out the old directory, whose segments still
    /// hold the entries. Under the shard's lock.
    ///
    /// `made` is where the shard's repair looks for what the change in progress made.
    pub(crate) fn clear(
        &self,
        allocator: &Allocator,
        made: &mut Vec<Retired>,
    ) -> Result<Directory, NeedsRoom> {
        let empty = Self::empty_directory(allocator, (self.first, self.class), made)?;
        // No point until the caller has the old directory: readers still use it.
        made.retain(|block| !matches!(block, Retired::Unpublished(_)));
        Ok(self.root.swap(empty))
    }

    /// After the death of a writer: undoes a split or an enlargement and completes a merge that was
    /// about to be published, and sorts out `retired`, which holds what is not in the directory then.
    /// Readers may go on: all segments are complete before the first is published. Under the
    /// shard's lock. Without memory for its lists it has done nothing.
    pub(crate) fn settle(&self, retired: &mut Vec<Retired>) -> Result<(), OutOfMemory> {
        // SAFETY: the caller holds the shard's lock.
        let directory = unsafe { self.directory() };
        let references = directory.references();
        let mut found = heap::collect(references.map(|(index, segment)| (segment, index)))?;
        let mut indexed: Vec<Loc> = Vec::new();
        heap::reserve(&mut indexed, found.len())?;
        // The widest last: what is split is complete until it is replaced, what was merged before it
        // replaces. Of two that are equally wide either will do.
        found.sort_unstable_by_key(|(segment, _)| (Reverse(segment.depth()), segment.0));
        found.dedup_by_key(|(segment, _)| *segment);
        for (segment, index) in &found {
            directory.publish_all(*index as u32, *segment);
        }
        indexed.extend(directory.segments().map(SegmentRef::loc));
        indexed.sort_unstable();
        retired.retain(|block| match block {
            Retired::Segment(loc) | Retired::Unpublished(loc) => {
                indexed.binary_search(loc).is_err()
            }
            Retired::Directory(_) => true,
        });
        for block in retired {
            if let Retired::Unpublished(loc) = block {
                *block = Retired::Segment(*loc);
            }
        }
        Ok(())
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
        let stored_hash = at.reverse_bits() >> (u32::BITS - DEPTH_MAX);
        // SAFETY: as the caller promises.
        let segment = unsafe { self.directory() }.segment(stored_hash);
        // SAFETY: as the caller promises.
        let buckets = unsafe { segment.buckets(allocator) };
        for entry in buckets.iter().flat_map(Bucket::entries) {
            visit(Loc(entry.loc));
        }
        let width = 1 << (DEPTH_MAX - segment.depth());
        let next = (at & !(width - 1)) + width;
        (next < 1 << DEPTH_MAX).then_some(next)
    }

    /// Checks every segment; returns the number of entries and segments. `hash_of` checks a record, and tells its key's hash.
    /// Under the shard's lock.
    pub(crate) fn validate(
        &self,
        allocator: &Allocator,
        mut hash_of: impl FnMut(Loc) -> Result<KeyHash, String>,
    ) -> Result<(usize, usize), String> {
        // SAFETY: the caller holds the shard's lock.
        let directory = unsafe { self.directory() };
        let (mut entries, mut segments) = (0, 0);
        for segment in directory.segments() {
            // SAFETY: as above.
            let buckets = unsafe { segment.buckets(allocator) };
            let counted = segment.count(allocator);
            let mut found = 0;
            for (at, entry) in buckets
                .iter()
                .enumerate()
                .flat_map(|(at, bucket)| bucket.entries().map(move |entry| (at, entry)))
            {
                let hash = hash_of(Loc(entry.loc))?;
                if directory.segment(hash.stored()) != segment {
                    return Err(format!("{entry:?} lies in a segment of another hash"));
                }
                bucket::validate_entry(buckets, at, entry, hash)?;
                found += 1;
            }
            bucket::validate(buckets)?;
            if found != counted {
                return Err(format!(
                    "a segment counts {counted} entries and holds {found}"
                ));
            }
            entries += found;
            segments += 1;
        }
        Ok((entries, segments))
    }
}

/// The entries of a directory that `Index::clear` replaced, some at a time.
pub(crate) struct Doomed {
    directory: Directory,
    /// Position in the directory, and bucket of the segment there, that come next.
    at: usize,
    bucket: usize,
}

/// What a step of [`Doomed`] came to.
pub(crate) enum Step {
    /// The segment has more entries.
    Part,
    /// All of this segment's entries were visited: it is to be retired, and then passed over with
    /// [`Doomed::advance`].
    Segment(Loc),
    /// There is nothing left but the directory.
    End,
}

impl Doomed {
    pub(crate) fn new(directory: Directory) -> Self {
        Self {
            directory,
            at: 0,
            bucket: 0,
        }
    }

    /// Visits the next entries, at least `count` or to the end of a segment. Should `visit` panic, the
    /// next step begins with the same bucket.
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
            for entry in bucket.entries() {
                visit(Loc(entry.loc));
                visited += 1;
            }
            self.bucket += 1;
        }
        Step::Segment(segment.loc())
    }

    /// The segment at the first position from `at` on that leads to one not seen before.
    fn segment(&mut self) -> Option<SegmentRef> {
        let found = self.directory.view().segment_from(self.at);
        found.map(|(at, segment)| {
            self.at = at;
            segment
        })
    }

    /// What [`Self::step`] visited has been retired, and its segment with it.
    pub(crate) fn advance(&mut self) {
        self.at += 1;
        self.bucket = 0;
    }

    pub(crate) fn into_directory(self) -> Directory {
        self.directory
    }
}
