//! Debug builds only: how often each slot was freed.
//!
//! A reader notes the number when it begins to look at a record and compares it when it is done. If it
//! has grown, the slot was freed while a pinned reader looked at it: reclamation is broken, and what
//! was read may have been anything. Poison shows that only to a reader that checks what it reads.
//!
//! One number per [`BYTES_PER_ENTRY`] of the region, in a mapping of its own that costs memory only
//! where slots were freed. Slots are longer than that, so no two share one.

use super::region::{HugePages, Loc, Region};
use crate::sync::{AtomicU32, Ordering};

const BYTES_PER_ENTRY: usize = 32;

/// See the module's documentation.
pub(crate) struct Generations(Region);

impl Generations {
    pub(crate) fn new(region_bytes: usize) -> Self {
        let bytes = region_bytes / BYTES_PER_ENTRY * size_of::<AtomicU32>();
        Self(
            Region::reserve(bytes, HugePages::WherePopulated)
                .expect("address space for a debug build's checks"),
        )
    }

    fn entry(&self, loc: Loc) -> &AtomicU32 {
        let index = loc.offset() / BYTES_PER_ENTRY;
        let base = self.0.at(Loc::NONE).cast::<AtomicU32>();
        // SAFETY: there is an entry for every place of the region that `new` was told of; the mapping
        // is zeroed, aligned to pages, and only ever used as these atomics.
        unsafe { base.add(index).as_ref() }
    }

    pub(crate) fn of(&self, loc: Loc) -> u32 {
        // Acquire: partner of the release in `raise`.
        self.entry(loc).load(Ordering::Acquire)
    }

    /// A slot is being freed.
    pub(crate) fn raise(&self, loc: Loc) {
        self.entry(loc).fetch_add(1, Ordering::Release);
    }
}
