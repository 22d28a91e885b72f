//! Which segment a hash belongs to: a power of two of segment references, indexed by the low bits of the stored hash.
//!
//! Readers come here on every look-up, from all shards in turn, so it takes few cache lines: one word leads to the
//! references and says how many there are.
//!
//! ```text
//! root   bit 63..6: address of the references, which begin a cache line   bit 4..0: depth, their number's logarithm
//! ```

use super::DEPTH_MAX;
use super::segment::SegmentRef;
use crate::fault;
use crate::heap::{self, OutOfMemory};
use crate::sync::{AtomicPtr, AtomicU64, Ordering};
use std::marker::PhantomData;
use std::ptr::NonNull;

const REFERENCES_PER_LINE: usize = 8;
const DEPTH_BITS: usize = 0b11111;

#[repr(C, align(64))]
struct Line([AtomicU64; REFERENCES_PER_LINE]);

const _: () = assert!(align_of::<Line>() > DEPTH_BITS && DEPTH_MAX as usize <= DEPTH_BITS);
const _: () = assert!(size_of::<Line>() == REFERENCES_PER_LINE * size_of::<AtomicU64>());

/// A directory and its memory. No box before it is dropped: one that was replaced has readers for a while, and a box says
/// that there is nobody else.
pub(crate) struct Directory {
    /// Invariant: came from a box, which nobody else takes back.
    lines: NonNull<[Line]>,
    depth: u32,
}

// SAFETY: it owns its lines, which are atomics.
unsafe impl Send for Directory {}
// SAFETY: as above.
unsafe impl Sync for Directory {}

impl Drop for Directory {
    fn drop(&mut self) {
        // SAFETY: a box's (Invariant). Whoever drops a directory knows that nobody is looking at it any more.
        drop(unsafe { Box::from_raw(self.lines.as_ptr()) });
    }
}

impl Directory {
    /// Bytes of the smallest.
    pub(super) const BYTES_MIN: usize = size_of::<Line>();

    /// A directory of `1 << depth` references.
    pub(super) fn new(
        depth: u32,
        segment_of: impl Fn(usize) -> SegmentRef,
    ) -> Result<Self, OutOfMemory> {
        let length = 1usize << depth;
        let reference = |index: usize| AtomicU64::new(segment_of(index % length).0);
        let lines = heap::slice(length.div_ceil(REFERENCES_PER_LINE), |line| {
            Line(std::array::from_fn(|at| {
                reference(line * REFERENCES_PER_LINE + at)
            }))
        })?;
        // SAFETY: a box's address is not null.
        let lines = unsafe { NonNull::new_unchecked(Box::into_raw(lines)) };
        Ok(Self { lines, depth })
    }

    pub(super) fn view(&self) -> View<'_> {
        let first = self.lines.cast();
        // SAFETY: the lines hold `1 << depth` references, and are borrowed as long as the view.
        unsafe { View::new(first, self.depth) }
    }
}

/// What leads to an index's directory. Owns it.
pub(super) struct Root {
    tagged: AtomicPtr<Line>,
    owns: PhantomData<Directory>,
}

impl Root {
    pub(super) fn new(directory: Directory) -> Self {
        Self {
            tagged: AtomicPtr::new(Self::tag(directory)),
            owns: PhantomData,
        }
    }

    fn tag(directory: Directory) -> *mut Line {
        let depth = directory.depth as usize;
        let first = std::mem::ManuallyDrop::new(directory)
            .lines
            .as_ptr()
            .cast::<Line>();
        first.map_addr(|address| address | depth)
    }

    fn untag(tagged: *mut Line) -> (NonNull<Line>, u32) {
        let depth = tagged.addr() & DEPTH_BITS;
        let first = tagged.map_addr(|address| address & !DEPTH_BITS);
        // SAFETY: what `tag` made of a box's address, which is not null.
        (unsafe { NonNull::new_unchecked(first) }, depth as u32)
    }

    /// # Safety
    /// `tagged` came from `tag`, and nobody else takes it back.
    unsafe fn take_back(tagged: *mut Line) -> Directory {
        let (first, depth) = Self::untag(tagged);
        let count = (1usize << depth).div_ceil(REFERENCES_PER_LINE);
        // Address and number of lines are those of the directory that `tag` took apart.
        let lines = NonNull::slice_from_raw_parts(first, count);
        Directory { lines, depth }
    }

    /// # Safety
    /// The caller is pinned for as long as the result is used, or holds the shard's lock.
    #[inline(always)]
    pub(super) unsafe fn view(&self) -> View<'_> {
        // Acquire: partner of the release in `swap`.
        let (first, depth) = Self::untag(self.tagged.load(Ordering::Acquire));
        // SAFETY: a directory of that depth; it is retired through the epoch only after it has been replaced.
        unsafe { View::new(first.cast(), depth) }
    }

    /// Puts another directory in place of the present one, which readers may still be looking at. Under the shard's
    /// lock.
    pub(super) fn swap(&self, new: Directory) -> Directory {
        // Release: partner of the acquire in `view`.
        let old = self.tagged.swap(Self::tag(new), Ordering::AcqRel);
        // SAFETY: it has just been replaced, so this is the only place that takes it back.
        unsafe { Self::take_back(old) }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        // SAFETY: nobody uses an index that is being dropped.
        drop(unsafe { Self::take_back(*self.tagged.get_mut()) });
    }
}

/// A directory as those see it who may not free it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    /// Invariant: a power of two of them, so never none.
    references: &'a [AtomicU64],
}

impl<'a> View<'a> {
    /// # Safety
    /// `1 << depth` references lie at `first`, and remain for `'a`.
    #[inline(always)]
    unsafe fn new(first: NonNull<AtomicU64>, depth: u32) -> Self {
        // SAFETY: as the caller promises; references are atomics, which may be shared.
        let references = unsafe { std::slice::from_raw_parts(first.as_ptr(), 1 << depth) };
        Self { references }
    }

    pub(super) fn depth(self) -> u32 {
        self.references.len().ilog2()
    }

    #[inline(always)]
    pub(super) fn segment(self, stored_hash: u32) -> SegmentRef {
        let index = stored_hash as usize & self.references.len().wrapping_sub(1);
        debug_assert!(index < self.references.len());
        // SAFETY: the length is a power of two (Invariant), so what is masked by one less is below it.
        let reference = unsafe { self.references.get_unchecked(index) };
        // Acquire: partner of the release in `publish_all`: a new segment is filled before it is found.
        SegmentRef(reference.load(Ordering::Acquire))
    }

    /// The same directory with twice as many references.
    pub(super) fn doubled(self) -> Result<Directory, OutOfMemory> {
        Directory::new(self.depth() + 1, |index| self.segment(index as u32))
    }

    /// Makes all references of a segment's hash prefix lead to it. Under the shard's lock.
    pub(super) fn publish_all(self, stored_hash: u32, segment: SegmentRef) {
        let width = 1 << segment.depth();
        let first = stored_hash as usize & (width - 1);
        for reference in self.references.iter().skip(first).step_by(width) {
            // Release: partner of the acquire in `segment`.
            reference.store(segment.0, Ordering::Release);
            fault::point();
        }
    }

    /// All references, with their indexes.
    pub(super) fn references(self) -> impl Iterator<Item = (usize, SegmentRef)> + 'a {
        self.references.iter().map(Self::load).enumerate()
    }

    /// The first position from `at` on that leads to a segment which no earlier one leads to.
    pub(super) fn segment_from(self, at: usize) -> Option<(usize, SegmentRef)> {
        let rest = self.references.get(at..)?.iter();
        (at..)
            .zip(rest.map(Self::load))
            .find(|(index, segment)| *index < 1 << segment.depth())
    }

    fn load(reference: &AtomicU64) -> SegmentRef {
        // Acquire: as in `segment`.
        SegmentRef(reference.load(Ordering::Acquire))
    }

    /// Each segment once.
    pub(super) fn segments(self) -> impl Iterator<Item = SegmentRef> + 'a {
        // The first of the references that lead to it.
        self.references()
            .filter(|(index, segment)| *index < 1 << segment.depth())
            .map(|(_, segment)| segment)
    }
}
