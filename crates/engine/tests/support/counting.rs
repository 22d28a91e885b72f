//! The program's allocator, with an account of what a test's own thread does.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

std::thread_local! {
    /// How often this thread has asked for memory.
    pub(crate) static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// Bytes that it was given less those that it gave back, modulo 2^64.
    pub(crate) static HEAP_BYTES: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts.
struct Counting;

fn note(allocations: u64, given: usize, back: usize) {
    ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
    let bytes = HEAP_BYTES.get().wrapping_add(given as u64);
    HEAP_BYTES.set(bytes.wrapping_sub(back as u64));
}

// SAFETY: everything is passed on to the system's allocator unchanged; counting neither allocates nor
// panics (the cells need no initialising and have no destructor).
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(1, layout.size(), 0);
        // SAFETY: the caller's promises are the ones that it needs.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, 0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(1, size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;
