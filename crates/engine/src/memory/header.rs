//! A record's header: lengths, expiry, state, reads and links.
//!
//! ```text
//!  0         4          8        12       14    15     16          24           32
//!  ┌─────────┬──────────┬────────┬────────┬─────┬──────┬───────────┬────────────┐
//!  │ expiry  │ value    │ state  │ key    │hits │flags │ ring      │ wheel      │
//!  │ u32     │ len u32  │ u32    │ len u16│ u8  │ u8   │ prev,next │ prev,next  │
//!  └─────────┴──────────┴────────┴────────┴─────┴──────┴───────────┴────────────┘
//! ```
//!
//! `state`: the ring and the version, see [`State`].
//!
//! Invariants: lengths, version and kind don't change once the record is published, unless nobody but the writer can be
//! looking (`overwrite`).
//! The header consists of atomics only, so looking at the header of any slot, free or live, is
//! never a data race. The links belong to the shard's lock (of a live record), to the limbo
//! lock (of a retired one) or to the class' lock (of a free slot).

use crate::clock::Expiry;
use crate::state::State;
use crate::sync::{AtomicU8, AtomicU16, AtomicU32, Ordering};
use crate::watch::WatchFlags;

/// Bytes before the payload.
pub(crate) const HEADER_BYTES: usize = size_of::<Header>();

const _: () = assert!(size_of::<Header>() == 32 && align_of::<Header>() == 4);

/// Low bits of `hits`: reads since a ring's hand last passed, saturating.
pub(crate) const HITS_MAX: u8 = 3;
const HITS_MASK: u8 = 0b11;
const CHUNKED: u8 = 1 << 2;
const FAR_EXPIRY: u8 = 1 << 3;

/// The largest kind that a record can carry: 4 bits, opaque to the engine.
pub(crate) const KIND_MAX: u8 = 15;

/// Which ring a live record is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Queue {
    Window = 1,
    Probation = 2,
    Protected = 3,
}

impl Queue {
    pub(crate) const ALL: [Self; 3] = [Self::Window, Self::Probation, Self::Protected];
}

/// Links of one intrusive list.
#[repr(C)]
pub(crate) struct Links {
    pub(crate) prev: AtomicU32,
    pub(crate) next: AtomicU32,
}

#[repr(C)]
pub(crate) struct Header {
    expiry: AtomicU32,
    value_len: AtomicU32,
    state: State,
    key_len: AtomicU16,
    /// Raised by readers with a plain load and store: a lost update is harmless. The upper bits
    /// never change after publication, so such a store can't undo anything.
    hits: AtomicU8,
    flags: WatchFlags,
    pub(crate) ring: Links,
    pub(crate) wheel: Links,
}

impl Header {
    /// For a slot that nobody else can reach: a record in no ring.
    #[inline(always)]
    pub(super) fn fill(
        &self,
        [key_len, value_len]: [usize; 2],
        expiry: Expiry,
        kind: u8,
        version: u32,
        is_chunked: bool,
    ) {
        self.state.reset(version);
        self.expiry.store(expiry.word, Ordering::Relaxed);
        self.value_len.store(value_len as u32, Ordering::Relaxed);
        self.key_len.store(key_len as u16, Ordering::Relaxed);
        let chunked = if is_chunked { CHUNKED } else { 0 };
        let far = if expiry.far { FAR_EXPIRY } else { 0 };
        self.hits.store(chunked | far, Ordering::Relaxed);
        self.flags.reset(kind);
    }

    /// For a slot that nobody else can reach yet: as another record's, but in no ring and not watched.
    pub(super) fn copy_from(&self, old: &Self) {
        self.expiry.store(old.expiry().word, Ordering::Relaxed);
        self.value_len
            .store(old.value_len.load(Ordering::Relaxed), Ordering::Relaxed);
        self.state.reset(old.version());
        self.key_len.store(old.key_len() as u16, Ordering::Relaxed);
        self.hits
            .store(old.hits.load(Ordering::Relaxed), Ordering::Relaxed);
        self.flags.reset(old.kind());
    }

    /// Another value, for a record that nobody else can look at now. True if an L0 holds a copy of the old one, which
    /// must be told.
    #[inline(always)]
    pub(super) fn renew(&self, value_len: usize, kind: u8, version: u32) -> bool {
        self.value_len.store(value_len as u32, Ordering::Relaxed);
        self.state.set_version(version);
        self.flags.renew(kind)
    }

    /// Gives the record its version, before publication.
    #[inline(always)]
    pub(super) fn set_version(&self, version: u32) {
        self.state.reset(version);
    }

    /// Short, or else long; its expiry not far, and not read since a hand passed.
    #[inline(always)]
    pub(super) fn is_near_and_unread<const LONG: bool>(&self) -> bool {
        let wanted = if LONG { CHUNKED } else { 0 };
        self.hits.load(Ordering::Relaxed) & (CHUNKED | FAR_EXPIRY | HITS_MASK) == wanted
    }

    /// Short, and its expiry not far.
    #[inline(always)]
    pub(super) fn is_ordinary(&self) -> bool {
        self.hits.load(Ordering::Relaxed) & (CHUNKED | FAR_EXPIRY) == 0
    }

    #[inline(always)]
    pub(crate) fn key_len(&self) -> usize {
        self.key_len.load(Ordering::Relaxed) as usize
    }

    #[inline(always)]
    pub(crate) fn value_len(&self) -> usize {
        self.value_len.load(Ordering::Relaxed) as usize
    }

    pub(crate) fn version(&self) -> u32 {
        self.state.version()
    }

    pub(crate) fn kind(&self) -> u8 {
        self.flags.kind()
    }

    #[inline(always)]
    pub(crate) fn is_chunked(&self) -> bool {
        self.hits.load(Ordering::Relaxed) & CHUNKED != 0
    }

    #[inline(always)]
    pub(crate) fn expiry(&self) -> Expiry {
        Expiry {
            word: self.expiry.load(Ordering::Relaxed),
            far: self.hits.load(Ordering::Relaxed) & FAR_EXPIRY != 0,
        }
    }

    /// The same of an ordinary record, whose expiry is not far.
    #[inline(always)]
    pub(crate) fn near_expiry(&self) -> Expiry {
        Expiry {
            word: self.expiry.load(Ordering::Relaxed),
            far: false,
        }
    }

    /// Changes when the record expires. False where that needs another unit: copy the record.
    pub(crate) fn set_expiry(&self, expiry: Expiry) -> bool {
        let far = self.hits.load(Ordering::Relaxed) & FAR_EXPIRY != 0;
        let fits = far == expiry.far || expiry == Expiry::NEVER;
        if fits {
            self.expiry.store(expiry.word, Ordering::Release);
        }
        fits
    }

    /// Counts a read. No store once the counter is saturated.
    #[inline(always)]
    pub(crate) fn raise_hits(&self) {
        let hits = self.hits.load(Ordering::Relaxed);
        if hits & HITS_MASK < HITS_MAX {
            self.hits.store(hits + 1, Ordering::Relaxed);
        }
    }

    pub(crate) fn hits(&self) -> u8 {
        self.hits.load(Ordering::Relaxed) & HITS_MASK
    }

    pub(crate) fn set_hits(&self, hits: u8) {
        debug_assert!(hits <= HITS_MAX);
        let fixed = self.hits.load(Ordering::Relaxed) & !HITS_MASK;
        self.hits.store(fixed | hits, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn watch(&self) -> bool {
        self.flags.watch()
    }

    /// Marks an unlinked record, which is in no ring from now on; true if an L0 holds a copy of it.
    /// Under the shard's lock.
    pub(crate) fn retire(&self) -> bool {
        self.mark_unfilled();
        self.flags.retire()
    }

    /// As [`Self::retire`], where nobody but the caller can be looking at the record.
    pub(crate) fn retire_unseen(&self) -> bool {
        self.mark_unfilled();
        self.flags.retire_unseen()
    }

    /// See [`WatchFlags::is_watched`].
    pub(crate) fn is_watched(&self) -> bool {
        self.flags.is_watched()
    }

    /// See [`WatchFlags::take_watched`].
    pub(crate) fn take_watched(&self) -> bool {
        self.flags.take_watched()
    }

    /// The ring that the record is in; `None` while it is being filled, retired or free.
    #[inline]
    pub(crate) fn queue(&self) -> Option<Queue> {
        match self.state.ring() {
            1 => Some(Queue::Window),
            2 => Some(Queue::Probation),
            3 => Some(Queue::Protected),
            _ => None,
        }
    }

    /// In no ring: nobody takes the slot for a live record.
    pub(crate) fn mark_unfilled(&self) {
        self.state.reset(self.version());
    }

    /// Under the shard's lock.
    pub(crate) fn set_queue(&self, queue: Queue) {
        self.state.set_ring(queue as u32);
    }
}
