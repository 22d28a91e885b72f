//! A record that nobody else can reach yet: slots that go back to the allocator unless the record is
//! published, whatever happens to the thread that fills it.

use crate::heap::{self, OutOfMemory};
use crate::memory::allocator::Allocator;
use crate::memory::region::Loc;
use crate::sync::thread;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// See the module's documentation.
pub(crate) struct Unpublished<'a> {
    allocator: &'a Allocator,
    /// The record's own slot, last to be allocated.
    slot: Loc,
    chunks: Vec<Loc>,
    is_lent: bool,
}

impl<'a> Unpublished<'a> {
    /// No slots yet.
    pub(crate) fn new(allocator: &'a Allocator) -> Self {
        Self {
            allocator,
            slot: Loc::NONE,
            chunks: Vec::new(),
            is_lent: false,
        }
    }

    /// Makes room for the locations of so many chunks.
    pub(crate) fn expect_chunks(&mut self, count: usize) -> Result<(), OutOfMemory> {
        heap::reserve(&mut self.chunks, count)
    }

    pub(crate) fn add_chunk(&mut self, chunk: Loc) {
        self.chunks.push(chunk);
    }

    pub(crate) fn set_slot(&mut self, slot: Loc) {
        self.slot = slot;
    }

    pub(crate) fn slot(&self) -> Loc {
        self.slot
    }

    pub(crate) fn chunks(&self) -> &[Loc] {
        &self.chunks
    }

    /// From now on a shard knows of the record, and keeps it unless it is taken back.
    pub(crate) fn lend(&mut self) -> Loc {
        self.is_lent = true;
        self.slot
    }

    pub(crate) fn take_back(&mut self) {
        self.is_lent = false;
    }

    /// A slot is taken off the list before it is freed: the allocator completes what it has begun.
    fn free(&mut self) {
        while let Some(chunk) = self.chunks.pop() {
            self.allocator.free(chunk);
        }
        let slot = std::mem::replace(&mut self.slot, Loc::NONE);
        if !slot.is_none() {
            self.allocator.free(slot);
        }
    }
}

impl Drop for Unpublished<'_> {
    fn drop(&mut self) {
        if self.is_lent || self.slot.is_none() && self.chunks.is_empty() {
            return;
        }
        // What panics while a thread unwinds would end the process.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| self.free())) {
            let rest = catch_unwind(AssertUnwindSafe(|| self.free()));
            if !thread::panicking() {
                drop(rest);
                resume_unwind(payload);
            }
        }
    }
}
