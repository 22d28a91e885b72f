//! A segment: a few hundred buckets that are split, or merged, as one.
//!
//! Blocks come in [`BLOCK_VARIANTS`](crate::limits::BLOCK_VARIANTS) sizes, 1 to 1.75 times the smallest; a segment's children keep
//! its variant. (In small caches there are three sizes, and a segment has the one that fits: see
//! [`ClassTable::index_for`](crate::memory::classes::ClassTable::index_for).) Shards start with different variants, so segments fill up and split at different
//! times: the index as a whole has an even load of about two thirds instead of swinging between a
//! half and full, and no doubling happens everywhere at once.

use super::bucket::{Bucket, Entry, SLOTS, Seat, home_of};
use super::{NeedsRoom, Retired};
use crate::fault;
use crate::hash::KeyHasher;
use crate::heap;
use crate::memory::allocator::Allocator;
use crate::memory::classes::Class;
use crate::memory::region::Loc;
use crate::sync::{AtomicU32, Ordering};

/// The line before the buckets. Guarded by the shard's lock.
#[repr(C, align(64))]
struct Head {
    count: AtomicU32,
}

const _: () = assert!(size_of::<Head>() == size_of::<Bucket>());

/// What a directory entry says of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentRef(pub(crate) u64);

impl SegmentRef {
    pub(crate) fn new(loc: Loc, buckets: usize, depth: u32) -> Self {
        debug_assert!(buckets <= u16::MAX as usize);
        Self(loc.0 as u64 | (buckets as u64) << 32 | (depth as u64) << 48)
    }

    #[inline(always)]
    pub(crate) fn loc(self) -> Loc {
        Loc(self.0 as u32)
    }

    #[inline(always)]
    pub(crate) fn bucket_count(self) -> usize {
        (self.0 >> 32) as u16 as usize
    }

    /// How many low bits of the hash its entries share.
    pub(crate) fn depth(self) -> u32 {
        (self.0 >> 48) as u32
    }

    pub(crate) fn capacity(self) -> usize {
        self.bucket_count() * SLOTS
    }

    /// # Safety
    /// The segment is an initialised block that can't be freed while the result is used: the caller
    /// is pinned since before it loaded this reference, or holds the shard's lock.
    #[inline(always)]
    pub(crate) unsafe fn buckets(self, allocator: &Allocator) -> &[Bucket] {
        let first = allocator.records().region().at(self.loc()).cast::<Bucket>();
        // SAFETY: the block holds a head line and `bucket_count` buckets, aligned to 64 bytes since
        // page and block sizes are multiples of it; buckets consist of atomics.
        unsafe { std::slice::from_raw_parts(first.as_ptr().add(1), self.bucket_count()) }
    }

    /// Number of entries. Guarded by the shard's lock.
    pub(crate) fn count(self, allocator: &Allocator) -> usize {
        self.counter(allocator).load(Ordering::Relaxed) as usize
    }

    /// Changes the number of entries, under the shard's lock, and returns it.
    pub(crate) fn add_count(self, allocator: &Allocator, delta: i32) -> usize {
        let counter = self.counter(allocator);
        // The lock's holder is the only writer: no read-modify-write is needed.
        let count = counter.load(Ordering::Relaxed).wrapping_add_signed(delta);
        counter.store(count, Ordering::Relaxed);
        count as usize
    }

    fn counter(self, allocator: &Allocator) -> &AtomicU32 {
        let head = allocator.records().region().at(self.loc()).cast::<Head>();
        // SAFETY: the first line of a segment's block, never used for anything else while it lives.
        unsafe { &head.as_ref().count }
    }

    /// Allocates an empty segment. It is noted in `made` until the caller has published it.
    pub(crate) fn create(
        allocator: &Allocator,
        class: Class,
        depth: u32,
        made: &mut Vec<Retired>,
    ) -> Result<Self, NeedsRoom> {
        heap::reserve(made, 1)?;
        let loc = allocator
            .allocate(class, crate::memory::allocator::Purpose::Upkeep)
            .ok_or(NeedsRoom::Region)?;
        made.push(Retired::Unpublished(loc));
        fault::point();
        let bytes = allocator.records().classes.slot_bytes(class);
        // SAFETY: the block was just allocated with this size; nobody else can reach it.
        unsafe {
            allocator
                .records()
                .region()
                .at(loc)
                .as_ptr()
                .write_bytes(0, bytes)
        };
        Ok(Self::new(loc, bytes / size_of::<Bucket>() - 1, depth))
    }

    /// Number of entries that `wanted` accepts. Under the shard's lock.
    pub(crate) fn count_of(self, allocator: &Allocator, wanted: impl Fn(u16) -> bool) -> usize {
        // SAFETY: the caller holds the shard's lock, under which the segment is not freed.
        let entries = unsafe { self.buckets(allocator) }
            .iter()
            .flat_map(Bucket::entries);
        entries.filter(|entry| wanted(entry.low_hash)).count()
    }

    /// Copies the entries that `wanted` accepts into `target`, which nobody else can reach yet.
    /// Under the shard's lock.
    pub(crate) fn copy_into(
        self,
        target: Self,
        allocator: &Allocator,
        hasher: &KeyHasher,
        wanted: impl Fn(u16) -> bool,
    ) {
        // SAFETY: the caller holds the shard's lock, under which neither segment is freed.
        let (from, to) = unsafe { (self.buckets(allocator), target.buckets(allocator)) };
        let mut copied = 0;
        let seat_of = |entry: Entry, at| match home_of(entry, at, from.len()) {
            // As far from the segment's beginning as before.
            Some(home) if to.len() == from.len() => Seat::of_entry(to, entry, home),
            _ => {
                // SAFETY: the caller holds the shard's lock, under which what is in its index is live.
                let hash = unsafe { allocator.records().hash_of(Loc(entry.loc), hasher) };
                Seat::new(to, hash)
            }
        };
        for (at, bucket) in from.iter().enumerate() {
            for entry in bucket.entries().filter(|entry| wanted(entry.low_hash)) {
                let inserted = seat_of(entry, at).insert(entry.loc, usize::MAX);
                assert!(inserted, "a segment that takes over a part has room for it");
                copied += 1;
            }
        }
        target.add_count(allocator, copied);
    }
}
