//! Making a record in a slot.

use super::{HEADER_BYTES, NewRecord, Records};
use crate::memory::classes::Class;
use crate::memory::region::Loc;
use crate::memory::{asan, bytes};
use crate::sync::Ordering;

impl Records {
    /// Fills a slot that nobody else can reach yet, and the chunks that belong to it.
    ///
    /// # Safety
    /// `loc` and `chunks` are slots that the caller has just allocated, of the classes and number
    /// that [`Self::slot_bytes`] and [`ClassTable::chunks`] prescribe for this record.
    pub(crate) unsafe fn fill(&self, loc: Loc, chunks: &[Loc], new: NewRecord<'_>) {
        let header = self.header(loc);
        let lengths = [new.key.len(), new.value.len()];
        header.fill(lengths, new.expiry, new.kind, 0, !chunks.is_empty());
        if chunks.is_empty() {
            // SAFETY: as the caller promises.
            unsafe { Self::fill_short(self.region.at(loc).as_ptr(), &new) };
            return;
        }
        // Should the record never be published, its chunks are freed with it, whatever this slot's
        // last record did with its own.
        self.set_chunks_moved(loc, false);
        // SAFETY: as the caller promises.
        unsafe { self.fill_chunks(loc, chunks, new) };
    }

    /// # Safety
    /// At `start` is a slot that holds header, key and value of the record, and is the caller's alone.
    #[inline(always)]
    unsafe fn fill_short(start: *mut u8, new: &NewRecord<'_>) {
        // SAFETY: as the caller promises.
        unsafe {
            let payload = start.add(HEADER_BYTES);
            bytes::copy(payload, new.key);
            payload
                .add(new.key.len())
                .copy_from_nonoverlapping(new.value.as_ptr(), new.value.len());
        }
    }

    /// Fills the slot, and if it is a long one the chunks, of a record that occupied as much, and was not watched. The table of
    /// chunks stays as it is, and so does the record's place in the wheel.
    ///
    /// # Safety
    /// The new record and that one are both long, or both short. That one is in no index any more, nobody can be reading it, and
    /// neither slot nor chunks were freed.
    #[inline(always)]
    pub(crate) unsafe fn refill<const LONG: bool>(
        &self,
        loc: Loc,
        new: &NewRecord<'_>,
        slot_bytes: usize,
        version: u32,
    ) {
        let lengths = [new.key.len(), new.value.len()];
        if !LONG {
            self.recycle(loc, slot_bytes);
        }
        (self.header(loc)).fill(lengths, new.expiry, new.kind, version, LONG);
        // SAFETY: as the caller promises; what occupies as much fits, and has as many chunks.
        unsafe {
            if LONG {
                self.fill_table(loc, self.classes.chunks(lengths[0] + lengths[1]), *new);
            } else {
                Self::fill_short(self.region.at(loc).as_ptr(), new);
            }
        }
    }

    /// Whether a record is short, or else long, its expiry not far, was not read since a hand passed, and occupies as many bytes as
    /// the new one will, which is such a one.
    #[inline(always)]
    pub(crate) fn is_unread_and_alike<const LONG: bool>(
        &self,
        loc: Loc,
        new: &NewRecord<'_>,
        slot_bytes: u64,
    ) -> bool {
        let header = self.header(loc);
        let payload = self.payload_len(header);
        // Most are exactly as long.
        header.is_near_and_unread::<LONG>()
            && (payload == new.key.len() + new.value.len() || self.occupied(loc) == slot_bytes)
    }

    /// The class of the slot that a new record gets, and its bytes, if it is a short one.
    #[inline(always)]
    pub(crate) fn short_slot(&self, new: &NewRecord<'_>) -> Option<(Class, usize)> {
        let bytes = HEADER_BYTES + new.key.len() + new.value.len();
        (bytes <= self.classes.slot_bytes_max()).then(|| self.classes.record_slot(bytes))
    }

    /// The class of the slot that a long record of so many bytes of key and value gets, and the bytes that it occupies with its
    /// chunks.
    pub(crate) fn long_slot(&self, payload: usize) -> (Class, usize) {
        let chunks = self.classes.chunks(payload);
        let (class, slot_bytes) = self.classes.record_slot(self.slot_bytes(payload, chunks));
        (class, slot_bytes + chunks * self.classes.slot_bytes_max())
    }

    /// A slot passes from a record that nobody can reach any more to the next one.
    #[inline(always)]
    fn recycle(&self, loc: Loc, slot_bytes: usize) {
        if cfg!(any(debug_assertions, nearcache_asan)) {
            self.poison(loc, slot_bytes);
            asan::permit(self.region.at(loc), slot_bytes);
        }
    }

    /// # Safety
    /// As [`Self::fill`].
    unsafe fn fill_chunks(&self, loc: Loc, chunks: &[Loc], new: NewRecord<'_>) {
        for (index, chunk) in chunks.iter().enumerate() {
            self.chunk_entry(loc, index)
                .store(chunk.0, Ordering::Relaxed);
        }
        // SAFETY: as the caller promises.
        unsafe { self.fill_table(loc, chunks.len(), new) };
    }

    /// Fills the chunks that the record's table leads to, and the slot behind it.
    ///
    /// # Safety
    /// The table has as many chunks as this record needs, and these and the slot are the caller's alone.
    unsafe fn fill_table(&self, loc: Loc, chunks: usize, new: NewRecord<'_>) {
        for index in 0..chunks {
            let chunk = Loc(self.chunk_entry(loc, index).load(Ordering::Relaxed));
            self.chunk_hash(chunk).store(new.hash.0, Ordering::Relaxed);
        }
        let mut position = 0;
        for part in [new.key, new.value] {
            let mut rest = part;
            while !rest.is_empty() {
                let (destination, room) = self.payload_piece(loc, chunks, position);
                let count = rest.len().min(room);
                // SAFETY: `payload_piece` gives the bytes from `position` to the end of its chunk
                // (or of the slot); they belong to this record, which is ours alone.
                unsafe { destination.copy_from_nonoverlapping(rest.as_ptr(), count) };
                position += count;
                rest = &rest[count..];
            }
        }
    }
}
