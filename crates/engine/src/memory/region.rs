//! The one region of memory that everything lives in, addressed by offsets.
//!
//! It is reserved at construction and committed by the operating system as it is first touched.
//! A [`Loc`] counts granules of 8 bytes from its start, so 32 bits reach 32 GiB and nothing in the
//! region holds a pointer.
//!
//! What it leaves to others: which parts are in use ([`super::allocator`]) and what they mean
//! ([`super::record`], [`crate::index`]).

use crate::prefetch::prefetch_line;
use std::io;
use std::ptr::NonNull;

/// Bytes per granule, the unit of a [`Loc`].
pub(crate) const GRANULE_BYTES: usize = 8;
/// What the system provides at a time where it has transparent huge pages.
pub(crate) const HUGE_PAGE_BYTES: usize = 2 << 20;
/// Transparent huge pages need this alignment to be of use.
const ALIGNMENT_BYTES: usize = HUGE_PAGE_BYTES;
/// The head of the region holds no slots: its locations are free to serve as sentinels of lists.
pub(crate) const HEAD_BYTES: usize = 4096;

/// The place of a slot in the region, in granules. Below [`Loc::FIRST`] it names a list's sentinel;
/// zero is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Loc(pub(crate) u32);

impl Loc {
    pub(crate) const NONE: Self = Self(0);
    /// The first location that a slot can have.
    pub(crate) const FIRST: Self = Self((HEAD_BYTES / GRANULE_BYTES) as u32);

    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    pub(crate) fn is_sentinel(self) -> bool {
        self < Self::FIRST
    }

    #[inline(always)]
    pub(crate) fn offset(self) -> usize {
        self.0 as usize * GRANULE_BYTES
    }

    pub(crate) fn from_offset(offset: usize) -> Self {
        debug_assert_eq!(offset % GRANULE_BYTES, 0);
        Self((offset / GRANULE_BYTES) as u32)
    }
}

/// Where the system shall provide huge pages, if it has them in [`HUGE_PAGE_BYTES`]. A random read in a large table is
/// bound by TLB misses: huge pages were worth 10 to 15 %. But whoever touches one first waits until all of it is zeroed,
/// 0.2 to 6 ms.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum HugePages {
    /// Everywhere.
    Everywhere,
    /// For the first one, which is touched at construction, and where [`Region::populate`] is asked for them. What is
    /// touched without that comes in small pages, at a few microseconds each.
    WherePopulated,
}

/// A reserved range of zeroed memory. Unmapped when dropped.
pub(crate) struct Region {
    base: NonNull<u8>,
    bytes: usize,
    mapping: Mapping,
}

// SAFETY: the region is plain memory owned by this value; who may touch which part when is the
// users' protocol (locks and epochs), not tied to a thread.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

impl Region {
    pub(crate) fn reserve(bytes: usize, huge_pages: HugePages) -> io::Result<Self> {
        let covered = with_whole_huge_pages(bytes);
        let mapping = Mapping::new(covered + ALIGNMENT_BYTES)?;
        let address = mapping.start.as_ptr() as usize;
        let padding = address.next_multiple_of(ALIGNMENT_BYTES) - address;
        // SAFETY: the padding is less than the alignment, by which the mapping exceeds `covered`.
        let base = unsafe { mapping.start.add(padding) };
        let preferred = match huge_pages {
            HugePages::Everywhere => covered,
            HugePages::WherePopulated => covered.min(HUGE_PAGE_BYTES),
        };
        mapping.avoid_huge_pages(base, covered);
        mapping.prefer_huge_pages(base, preferred);
        Ok(Self {
            base,
            bytes,
            mapping,
        })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The address of a location. Looking there is the caller's responsibility.
    #[inline(always)]
    pub(crate) fn at(&self, loc: Loc) -> NonNull<u8> {
        debug_assert!(
            loc.offset() < self.bytes,
            "{loc:?} lies outside of the region"
        );
        // SAFETY: locations are made by the allocator from offsets inside the region (checked
        // above in debug builds), so the result stays inside the mapping.
        unsafe { self.base.add(loc.offset()) }
    }

    /// Has the system provide the memory of a range now, instead of when it is first touched, and in huge pages. Its
    /// contents stay as they are, whoever may be using it; but who touches it meanwhile may have to wait.
    pub(crate) fn populate(&self, offset: usize, bytes: usize) {
        debug_assert!(offset + bytes <= self.bytes);
        // SAFETY: the range lies inside the mapping (checked above in debug builds; the allocator
        // asks for no more than the region has).
        let from = unsafe { self.base.add(offset) };
        (self.mapping).prefer_huge_pages(from, with_whole_huge_pages(bytes));
        self.mapping.populate(from, bytes);
    }

    /// Makes a huge page of the small ones from `offset` on, if the system can. Their contents stay as they are, whoever
    /// may be using them; who does waits while they are copied.
    pub(crate) fn unite(&self, offset: usize) {
        debug_assert!(
            offset.is_multiple_of(HUGE_PAGE_BYTES) && offset + HUGE_PAGE_BYTES <= self.bytes
        );
        // SAFETY: the range lies inside the mapping (checked above in debug builds; the allocator
        // asks for no more than the region has).
        self.mapping.unite(unsafe { self.base.add(offset) });
    }

    /// Asks the processor to fetch the line at `loc`. Never faults, whatever `loc` is.
    #[inline(always)]
    pub(crate) fn prefetch(&self, loc: Loc) {
        let address = self.base.as_ptr().wrapping_add(loc.offset());
        prefetch_line(address);
    }
}

/// A region's bytes, with the rest of its last huge page if it fills at least half of that: the system provides a huge
/// page only where all of it is mapped.
fn with_whole_huge_pages(bytes: usize) -> usize {
    let last = bytes % HUGE_PAGE_BYTES;
    if last >= HUGE_PAGE_BYTES / 2 {
        bytes - last + HUGE_PAGE_BYTES
    } else {
        bytes
    }
}

/// Bytes of a page: 4 KiB on x64; on arm64 4, 16 or 64 KiB, as the kernel was built.
#[cfg(all(target_os = "linux", not(miri)))]
fn system_page_bytes() -> usize {
    // SAFETY: sysconf takes an integer and touches no memory of ours.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// Bytes of a transparent huge page: what one table of pages maps, which fills a page with entries of 8 bytes.
#[cfg(all(target_os = "linux", not(miri)))]
fn huge_page_bytes(page_bytes: usize) -> usize {
    page_bytes / size_of::<u64>() * page_bytes
}

/// Whether huge pages have [`HUGE_PAGE_BYTES`].
#[cfg(all(target_os = "linux", not(miri)))]
fn has_huge_pages() -> bool {
    huge_page_bytes(system_page_bytes()) == HUGE_PAGE_BYTES
}

/// Not in the crate for every C library.
#[cfg(all(target_os = "linux", not(miri)))]
const MADV_COLLAPSE: libc::c_int = 25;

impl Drop for Region {
    fn drop(&mut self) {
        super::asan::permit(self.base, self.bytes);
        self.mapping.release();
    }
}

struct Mapping {
    start: NonNull<u8>,
    /// What is given back.
    #[cfg_attr(windows, allow(dead_code, reason = "the system knows it itself"))]
    bytes: usize,
}

#[cfg(all(unix, not(miri)))]
impl Mapping {
    fn new(bytes: usize) -> io::Result<Self> {
        // SAFETY: an anonymous private mapping at an address of the kernel's choice touches no
        // memory that exists.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start =
            NonNull::new(start.cast()).ok_or_else(|| io::Error::other("mmap gave address zero"))?;
        Ok(Self { start, bytes })
    }

    fn release(&mut self) {
        // SAFETY: the range is the mapping that `new` made; the owner is being dropped.
        unsafe {
            libc::munmap(self.start.as_ptr().cast(), self.bytes);
        }
    }
}

/// What the system is told of ranges of a mapping. Where it refuses the region works all the same.
#[cfg(all(target_os = "linux", not(miri)))]
impl Mapping {
    fn advise(&self, from: NonNull<u8>, bytes: usize, advice: libc::c_int) {
        // SAFETY: the callers' ranges lie inside our mapping. No advice changes contents but the one to give memory
        // back, which only a spare region gets that nobody else knows.
        unsafe {
            libc::madvise(from.as_ptr().cast(), bytes, advice);
        }
    }

    /// A kernel before 5.14 refuses, and provides the memory when it is touched.
    fn populate(&self, from: NonNull<u8>, bytes: usize) {
        self.advise(from, bytes, libc::MADV_POPULATE_WRITE);
    }

    /// While the system copies to the huge page, users of the small ones wait: half a millisecond, but ten times that
    /// where the host of a virtual machine provides the page's memory only then. So one is touched and given back
    /// before, to be what the system takes next. A kernel before 6.1 refuses, and the small pages stay.
    fn unite(&self, from: NonNull<u8>) {
        if has_huge_pages() {
            self.prefer_huge_pages(from, HUGE_PAGE_BYTES);
            let spare = Region::reserve(HUGE_PAGE_BYTES, HugePages::Everywhere);
            if let Ok(Region { base, mapping, .. }) = &spare {
                mapping.populate(*base, HUGE_PAGE_BYTES);
                mapping.advise(*base, HUGE_PAGE_BYTES, libc::MADV_DONTNEED);
            }
            self.advise(from, HUGE_PAGE_BYTES, MADV_COLLAPSE);
        }
    }

    fn avoid_huge_pages(&self, from: NonNull<u8>, bytes: usize) {
        self.advise(from, bytes, libc::MADV_NOHUGEPAGE);
    }

    /// Not those of a kernel with larger pages, which come 32 or 512 MiB at a time, and all of it zeroed by the write
    /// that touches it first.
    fn prefer_huge_pages(&self, from: NonNull<u8>, bytes: usize) {
        if has_huge_pages() {
            self.advise(from, bytes, libc::MADV_HUGEPAGE);
        }
    }
}

/// Other systems are told nothing.
#[cfg(any(not(target_os = "linux"), miri))]
impl Mapping {
    fn populate(&self, _from: NonNull<u8>, _bytes: usize) {}

    fn unite(&self, _from: NonNull<u8>) {}

    fn avoid_huge_pages(&self, _from: NonNull<u8>, _bytes: usize) {}

    fn prefer_huge_pages(&self, _from: NonNull<u8>, _bytes: usize) {}
}

#[cfg(all(windows, not(miri)))]
impl Mapping {
    fn new(bytes: usize) -> io::Result<Self> {
        use windows_sys::Win32::System::Memory::{
            MEM_COMMIT, MEM_RESERVE, PAGE_READWRITE, VirtualAlloc,
        };
        // SAFETY: a new allocation at an address of the system's choice.
        let start = unsafe {
            VirtualAlloc(
                std::ptr::null(),
                bytes,
                MEM_RESERVE | MEM_COMMIT,
                PAGE_READWRITE,
            )
        };
        let start = NonNull::new(start.cast()).ok_or_else(io::Error::last_os_error)?;
        Ok(Self { start, bytes })
    }

    fn release(&mut self) {
        use windows_sys::Win32::System::Memory::{MEM_RELEASE, VirtualFree};
        // SAFETY: the range is the allocation that `new` made; the owner is being dropped.
        unsafe {
            VirtualFree(self.start.as_ptr().cast(), 0, MEM_RELEASE);
        }
    }
}

/// Miri interprets no system calls for memory: the region is an ordinary allocation there.
#[cfg(miri)]
impl Mapping {
    fn new(bytes: usize) -> io::Result<Self> {
        // SAFETY: the layout has a size above zero and a valid alignment.
        let start = unsafe { std::alloc::alloc_zeroed(Self::layout(bytes)) };
        let start = NonNull::new(start).ok_or_else(|| io::Error::other("out of memory"))?;
        Ok(Self { start, bytes })
    }

    fn layout(bytes: usize) -> std::alloc::Layout {
        std::alloc::Layout::from_size_align(bytes, 4096).expect("the budget was checked")
    }

    fn release(&mut self) {
        // SAFETY: allocated by `new` with the same layout; the owner is being dropped.
        unsafe { std::alloc::dealloc(self.start.as_ptr(), Self::layout(self.bytes)) };
    }
}

#[cfg(all(test, target_os = "linux", not(any(miri, loom))))]
mod tests {
    use super::*;

    #[test]
    fn huge_pages_grow_with_the_square_of_the_pages() {
        assert_eq!(huge_page_bytes(4 << 10), HUGE_PAGE_BYTES);
        assert_eq!(huge_page_bytes(16 << 10), 32 << 20);
        assert_eq!(huge_page_bytes(64 << 10), 512 << 20);
    }

    #[test]
    fn the_region_begins_and_is_populated_at_boundaries_of_every_size_of_page() {
        assert!(system_page_bytes().is_power_of_two());
        assert_eq!(ALIGNMENT_BYTES % (64 << 10), 0);
        for bytes in [HEAD_BYTES, 1 << 20, (3 << 20) + HEAD_BYTES] {
            let region = Region::reserve(bytes, HugePages::WherePopulated).unwrap();
            let start = region.at(Loc(0)).as_ptr() as usize;
            assert_eq!(start % ALIGNMENT_BYTES, 0);
            // The system rounds the end up to a page, which the mapping has room for.
            assert!(
                (start + bytes).next_multiple_of(system_page_bytes())
                    <= region.mapping.start.as_ptr() as usize + region.mapping.bytes
            );
            region.populate(0, bytes);
        }
    }
}
