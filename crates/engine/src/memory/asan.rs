//! Tells AddressSanitizer (`--cfg nearcache_asan`) which slots of the region are free, so that it
//! reports a reader that looks at one: the sanitizer itself knows of the region only that it is
//! mapped. Otherwise nothing is done. The header of a free slot may be looked at (see "What looks
//! like a bug and is not" in `DESIGN.md`), so it never becomes inaccessible.

use std::ptr::NonNull;

#[cfg(nearcache_asan)]
unsafe extern "C" {
    fn __asan_poison_memory_region(start: *const u8, bytes: usize);
    fn __asan_unpoison_memory_region(start: *const u8, bytes: usize);
}

/// Nobody may touch these bytes of the region.
#[inline(always)]
pub(crate) fn forbid(start: NonNull<u8>, bytes: usize) {
    #[cfg(nearcache_asan)]
    // SAFETY: marks bytes of our own mapping, which the caller has taken out of use.
    unsafe {
        __asan_poison_memory_region(start.as_ptr(), bytes)
    };
    let _ = (start, bytes);
}

/// These bytes of the region are in use.
#[inline(always)]
pub(crate) fn permit(start: NonNull<u8>, bytes: usize) {
    #[cfg(nearcache_asan)]
    // SAFETY: unmarks bytes of our own mapping.
    unsafe {
        __asan_unpoison_memory_region(start.as_ptr(), bytes)
    };
    let _ = (start, bytes);
}
