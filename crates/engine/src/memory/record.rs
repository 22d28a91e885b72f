//! One entry's memory: a header, the key, the value.
//!
//! ```text
//!  0        32
//!  ┌────────┬─────┬───────┐
//!  │ header │ key │ value │
//!  └────────┴─────┴───────┘
//! ```
//!
//! A long record has a table of chunk locations after the header; its payload, key and
//! value as one stream, fills the chunks in order and ends behind the table.
//!
//! Invariants: key and value don't change once the record is published, unless
//! nobody but the writer can be looking (`overwrite`). Looking at them needs a pin, the shard's lock, or ownership of a
//! record that is not yet published; looking at a header (`header`) needs nothing.

mod filling;

use super::bytes;
use super::classes::{CHUNK_ENTRY_BYTES, CHUNK_HEAD_BYTES, ClassTable};
pub(crate) use super::header::{HEADER_BYTES, HITS_MAX, Header, KIND_MAX, Queue};
use super::region::{Loc, Region};
use crate::clock::Expiry;
use crate::hash::{KeyHash, KeyHasher};
use crate::heap::{self, OutOfMemory};
use crate::limit::{Unit, WEIGHT_BYTES, weight_of};
use crate::prefetch::prefetch_line;
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use std::ptr::NonNull;

/// Lines fetched ahead of a read: more would only help values that take long to copy anyway.
const PAYLOAD_LINES_AHEAD: usize = 2;
const LINE_BYTES: usize = 64;

/// In a retired record's wheel link: its chunks belong to a copy of it.
const CHUNKS_MOVED: u32 = u32::MAX;

/// What a new record is made of.
#[derive(Clone, Copy)]
pub(crate) struct NewRecord<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    pub(crate) kind: u8,
    pub(crate) expiry: Expiry,
    /// The key's, for the chunks of a long record.
    pub(crate) hash: KeyHash,
}

/// The region, seen as records.
pub(crate) struct Records {
    region: Region,
    pub(crate) classes: ClassTable,
    unit: Unit,
    #[cfg(debug_assertions)]
    pub(crate) generations: super::generation::Generations,
}

impl Records {
    pub(crate) fn new(region: Region, classes: ClassTable, unit: Unit) -> Self {
        Self {
            #[cfg(debug_assertions)]
            generations: super::generation::Generations::new(region.bytes()),
            region,
            classes,
            unit,
        }
    }

    pub(crate) fn region(&self) -> &Region {
        &self.region
    }

    #[inline(always)]
    pub(crate) fn header(&self, loc: Loc) -> &Header {
        // SAFETY: every location that the allocator gives out is aligned, lies inside the region
        // with at least HEADER_BYTES behind it, and was zeroed by the system or initialised since.
        // A header is nothing but atomics, for which every bit pattern is valid and shared access
        // is no race.
        unsafe { self.region.at(loc).cast::<Header>().as_ref() }
    }

    /// Bytes of key and value.
    #[inline(always)]
    fn payload_len(&self, header: &Header) -> usize {
        header.key_len() + header.value_len()
    }

    /// What the record counts for in eviction: the bytes that it occupies, unless the cache has a limit
    /// in another unit. For a record that is live, under its shard's lock.
    #[inline]
    pub(crate) fn charge(&self, loc: Loc) -> u64 {
        match self.unit {
            Unit::Bytes => self.occupied(loc),
            Unit::Entries => 1,
            Unit::Weight => self.weight(loc),
        }
    }

    /// As [`Self::charge`], where it is known what the record occupies.
    #[inline(always)]
    pub(crate) fn charge_of(&self, loc: Loc, occupied: u64) -> u64 {
        match self.unit {
            Unit::Bytes => occupied,
            Unit::Entries => 1,
            Unit::Weight => self.weight(loc),
        }
    }

    #[inline(never)]
    fn weight(&self, loc: Loc) -> u64 {
        let header = self.header(loc);
        let mut prefix = [0; WEIGHT_BYTES];
        let prefix = &mut prefix[..header.value_len().min(WEIGHT_BYTES)];
        // SAFETY: the shard's lock is held and the record is not freed yet, so its payload is there and
        // doesn't change; the range lies in the value.
        unsafe { self.copy_out(loc, header.key_len(), prefix) };
        weight_of(prefix)
    }

    /// Bytes of slots that the record occupies, chunks included.
    #[inline(always)]
    pub(crate) fn occupied(&self, loc: Loc) -> u64 {
        let header = self.header(loc);
        if header.is_chunked() {
            return self.occupied_by_chunked(header);
        }
        self.classes
            .record_bytes(HEADER_BYTES + self.payload_len(header)) as u64
    }

    #[inline(never)]
    fn occupied_by_chunked(&self, header: &Header) -> u64 {
        let (_, bytes) = self.long_slot(self.payload_len(header));
        bytes as u64
    }

    /// Bytes that a record with `payload` bytes in all, of them `chunks` chunks elsewhere, needs in
    /// its own slot.
    pub(crate) fn slot_bytes(&self, payload: usize, chunks: usize) -> usize {
        HEADER_BYTES
            + chunks * CHUNK_ENTRY_BYTES
            + payload.saturating_sub(chunks * self.classes.chunk_payload_bytes())
    }

    /// Whether two records have keys and values of the same lengths. In units other than weight their charges are the
    /// same then.
    #[inline(always)]
    pub(crate) fn have_equal_lengths(&self, one: Loc, other: Loc) -> bool {
        let lengths = |loc| {
            let header = self.header(loc);
            (header.key_len(), header.value_len())
        };
        self.unit != Unit::Weight && lengths(one) == lengths(other)
    }

    /// Whether two records are short and occupy the same.
    #[inline(always)]
    pub(crate) fn are_alike(&self, one: Loc, other: Loc) -> bool {
        let is_short = |loc| !self.header(loc).is_chunked();
        is_short(one) && is_short(other) && self.occupied(one) == self.occupied(other)
    }

    /// Whether `value` could take the place of a live record's value: the record stays a short one, and
    /// occupies as much as before. Never where values have weights, which the shard has added up.
    #[inline(always)]
    pub(crate) fn fits_in_place(&self, header: &Header, value: &[u8]) -> bool {
        if header.is_chunked() || self.unit == Unit::Weight {
            return false;
        }
        let bytes = |value_len| HEADER_BYTES + header.key_len() + value_len;
        let new_bytes = bytes(value.len());
        // A value as long as before fits, and most are.
        value.len() == header.value_len()
            || new_bytes <= self.classes.slot_bytes_max()
                && self.classes.record_bytes(new_bytes)
                    == self.classes.record_bytes(bytes(header.value_len()))
    }

    /// Writes a value over that of a live record; true if an L0 holds a copy of the old one, which must be told.
    ///
    /// # Safety
    /// The lock of the record's shard is held, nobody can be reading the record
    /// ([`Epoch::is_only_reader`](crate::epoch::Epoch::is_only_reader)), and it
    /// [fits](Self::fits_in_place).
    #[inline]
    pub(crate) unsafe fn renew_value(
        &self,
        loc: Loc,
        value: &[u8],
        kind: u8,
        version: u32,
    ) -> bool {
        let header = self.header(loc);
        // SAFETY: a short record's value follows its key, and there is room for this one in the slot; nobody reads it
        // meanwhile.
        unsafe {
            let destination = self.region.at(loc).add(HEADER_BYTES + header.key_len());
            destination
                .as_ptr()
                .copy_from_nonoverlapping(value.as_ptr(), value.len());
        }
        header.renew(value.len(), kind, version)
    }

    /// Copies a record that can't change (the caller holds its shard's lock) to a new slot of the
    /// same class. Chunks stay where they are and belong to the copy from then on.
    ///
    /// # Safety
    /// `to` was just allocated with the class of `from`; the caller holds the lock of the shard that
    /// `from` is live in.
    pub(crate) unsafe fn relocate(&self, from: Loc, to: Loc) {
        let (old, new) = (self.header(from), self.header(to));
        new.copy_from(old);
        let payload = self.payload_len(old);
        let chunks = if old.is_chunked() {
            self.classes.chunks(payload)
        } else {
            0
        };
        for index in 0..chunks {
            let chunk = self.chunk_entry(from, index).load(Ordering::Relaxed);
            self.chunk_entry(to, index).store(chunk, Ordering::Relaxed);
        }
        let head = HEADER_BYTES + chunks * CHUNK_ENTRY_BYTES;
        let tail = self.slot_bytes(payload, chunks) - head;
        // SAFETY: both slots have the class of this record, so both hold head and tail; `from` is
        // immutable and `to` is ours alone.
        unsafe {
            let source = self.region.at(from).as_ptr().add(head);
            self.region
                .at(to)
                .as_ptr()
                .add(head)
                .copy_from_nonoverlapping(source, tail);
        }
    }

    /// Gives the record its version, before publication.
    pub(crate) fn set_version(&self, loc: Loc, version: u32) {
        self.header(loc).set_version(version);
    }

    /// The chunks of a record, none for a short one.
    pub(crate) fn chunks(&self, loc: Loc) -> impl Iterator<Item = Loc> + '_ {
        let header = self.header(loc);
        let count = if header.is_chunked() {
            self.classes.chunks(self.payload_len(header))
        } else {
            0
        };
        (0..count).map(move |index| Loc(self.chunk_entry(loc, index).load(Ordering::Relaxed)))
    }

    /// The chunks that are freed with a retired record: none if they went with a copy of it.
    pub(crate) fn owned_chunks(&self, loc: Loc) -> impl Iterator<Item = Loc> + '_ {
        let moved = self.header(loc).wheel.prev.load(Ordering::Relaxed) == CHUNKS_MOVED;
        self.chunks(loc)
            .take(if moved { 0 } else { usize::MAX })
            .filter(|chunk| !chunk.is_none())
    }

    /// Takes the chunks off a retired record that no reader can be looking at, one by one.
    pub(crate) fn take_chunks(&self, loc: Loc) -> impl Iterator<Item = Loc> + '_ {
        let moved = self.header(loc).wheel.prev.load(Ordering::Relaxed) == CHUNKS_MOVED;
        let count = if moved { 0 } else { self.chunks(loc).count() };
        (0..count).filter_map(move |index| {
            let entry = self.chunk_entry(loc, index);
            let chunk = Loc(entry.load(Ordering::Relaxed));
            // Before it is freed, so that a thread that dies meanwhile leaves no entry that leads there.
            entry.store(0, Ordering::Relaxed);
            (!chunk.is_none()).then_some(chunk)
        })
    }

    /// Notes whether a retired record's chunks belong to a copy of it now. Readers may still be
    /// looking at the record, so this is kept in a link, which they never read.
    pub(crate) fn set_chunks_moved(&self, loc: Loc, moved: bool) {
        let mark = if moved { CHUNKS_MOVED } else { 0 };
        self.header(loc).wheel.prev.store(mark, Ordering::Relaxed);
    }

    /// The key hash of the record that a chunk belongs to, or belonged to when it was last in use.
    pub(crate) fn hash_of_chunk(&self, chunk: Loc) -> KeyHash {
        KeyHash(self.chunk_hash(chunk).load(Ordering::Relaxed))
    }

    fn chunk_entry(&self, loc: Loc, index: usize) -> &AtomicU32 {
        // SAFETY: entry `index` of the table lies in the slot behind the header (the class was
        // chosen to hold it), aligned to 4 bytes because slots are aligned to 8. Tables are only
        // ever accessed as atomics while the record lives.
        unsafe {
            self.region
                .at(loc)
                .add(HEADER_BYTES + index * CHUNK_ENTRY_BYTES)
                .cast()
                .as_ref()
        }
    }

    fn chunk_hash(&self, chunk: Loc) -> &AtomicU64 {
        // SAFETY: the first word of a chunk, aligned to 8, only ever accessed as an atomic.
        unsafe { self.region.at(chunk).cast().as_ref() }
    }

    /// Address of the payload's byte `position`, and how many bytes follow it contiguously at most.
    fn payload_piece(&self, loc: Loc, chunks: usize, position: usize) -> (*mut u8, usize) {
        let chunk_bytes = self.classes.chunk_payload_bytes();
        let index = position / chunk_bytes;
        if index < chunks {
            let chunk = Loc(self.chunk_entry(loc, index).load(Ordering::Relaxed));
            let within = position % chunk_bytes;
            // SAFETY: `within` is less than the chunk's payload.
            let address = unsafe { self.region.at(chunk).add(CHUNK_HEAD_BYTES + within) };
            return (address.as_ptr(), chunk_bytes - within);
        }
        let within = HEADER_BYTES + chunks * CHUNK_ENTRY_BYTES + (position - chunks * chunk_bytes);
        debug_assert!(within <= self.classes.slot_bytes_max());
        // SAFETY: the rest of the payload ends inside the slot, which was sized for it.
        let address = unsafe { self.region.at(loc).add(within) };
        (address.as_ptr(), usize::MAX)
    }

    /// Asks for the lines behind the header's, so that header, key and value of a small record are
    /// waited for once, not one after the other.
    #[inline(always)]
    pub(crate) fn prefetch_payload(&self, loc: Loc) {
        let header = self.region.at(loc).as_ptr();
        for line in 1..=PAYLOAD_LINES_AHEAD {
            prefetch_line(header.wrapping_add(line * LINE_BYTES));
        }
    }

    /// Whether the record's key is `key`.
    ///
    /// # Safety
    /// The caller is pinned since before it found `loc`, or holds the lock of the shard that the
    /// record is live in, or owns the unpublished record.
    #[inline]
    pub(crate) unsafe fn key_is(&self, loc: Loc, key: &[u8]) -> bool {
        let header = self.header(loc);
        if header.key_len() != key.len() {
            return false;
        }
        // SAFETY: as the caller promises, and the lengths are the same.
        unsafe {
            if header.is_chunked() {
                self.chunked_key_is(loc, key)
            } else {
                self.short_key_is(loc, key)
            }
        }
    }

    /// Whether the record is an ordinary one (short, and its expiry not far) and its key is `key`.
    ///
    /// # Safety
    /// As [`Self::key_is`].
    #[inline(always)]
    pub(crate) unsafe fn is_ordinary_with_key(&self, loc: Loc, key: &[u8]) -> bool {
        let header = self.header(loc);
        // SAFETY: as the caller promises.
        header.key_len() == key.len()
            && header.is_ordinary()
            && unsafe { self.short_key_is(loc, key) }
    }

    /// # Safety
    /// As [`Self::key_is`]; and the record is a short one with a key of this length.
    #[inline(always)]
    unsafe fn short_key_is(&self, loc: Loc, key: &[u8]) -> bool {
        // SAFETY: a short record's key follows its header; it is immutable while the caller's promise holds.
        unsafe { bytes::equal(self.region.at(loc).as_ptr().add(HEADER_BYTES), key) }
    }

    /// # Safety
    /// As [`Self::key_is`]; and the key's length is the record's.
    #[inline(never)]
    unsafe fn chunked_key_is(&self, loc: Loc, key: &[u8]) -> bool {
        let mut same = true;
        // SAFETY: as the caller promises.
        unsafe {
            self.for_each_piece(loc, 0, key.len(), |at, piece| {
                same &= piece == &key[at..at + piece.len()];
            });
        }
        same
    }

    /// Visits the payload's bytes from `start`, `len` of them, in order, as contiguous pieces with
    /// their distance from `start`.
    ///
    /// # Safety
    /// As [`Self::key_is`]; and the range lies in the payload.
    unsafe fn for_each_piece(
        &self,
        loc: Loc,
        start: usize,
        len: usize,
        mut visit: impl FnMut(usize, &[u8]),
    ) {
        let header = self.header(loc);
        let chunks = if header.is_chunked() {
            self.classes.chunks(self.payload_len(header))
        } else {
            0
        };
        let mut done = 0;
        while done < len {
            let (address, room) = self.payload_piece(loc, chunks, start + done);
            let count = room.min(len - done);
            // SAFETY: `count` bytes at `address` are payload of this record, immutable while the
            // caller's promise holds.
            visit(done, unsafe { std::slice::from_raw_parts(address, count) });
            done += count;
        }
    }

    /// Calls `read` with the record's key, for which a key that spans chunks is copied.
    ///
    /// # Safety
    /// As [`Self::key_is`].
    pub(crate) unsafe fn with_key<R>(
        &self,
        loc: Loc,
        read: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, OutOfMemory> {
        let header = self.header(loc);
        // SAFETY: as the caller promises.
        unsafe {
            if let Some(key) = self.contiguous(loc, 0, header.key_len()) {
                return Ok(read(key));
            }
            let mut key = heap::zeroes(header.key_len())?;
            self.copy_out(loc, 0, &mut key);
            Ok(read(&key))
        }
    }

    /// The hash of the record's key, which the chunks of a long one have.
    ///
    /// # Safety
    /// As [`Self::key_is`].
    #[inline(always)]
    pub(crate) unsafe fn hash_of(&self, loc: Loc, hasher: &KeyHasher) -> KeyHash {
        let header = self.header(loc);
        if header.is_chunked() {
            let first = self.chunk_entry(loc, 0).load(Ordering::Relaxed);
            return self.hash_of_chunk(Loc(first));
        }
        let start = self.region.at(loc).as_ptr();
        // SAFETY: the key of a short record follows its header, and is immutable while the caller's
        // promise holds.
        hasher
            .hash(unsafe { std::slice::from_raw_parts(start.add(HEADER_BYTES), header.key_len()) })
    }

    /// Where a short record's value begins; `None` for a long one.
    #[inline(always)]
    pub(crate) fn short_value(&self, loc: Loc, header: &Header) -> Option<NonNull<u8>> {
        if header.is_chunked() {
            return None;
        }
        // SAFETY: header, key and value of a short record lie in its slot.
        Some(unsafe { self.region.at(loc).add(HEADER_BYTES + header.key_len()) })
    }

    /// The value's bytes, if they lie in one piece.
    ///
    /// # Safety
    /// As [`Self::key_is`], for as long as the slice is used.
    pub(crate) unsafe fn contiguous_value(&self, loc: Loc) -> Option<&[u8]> {
        let header = self.header(loc);
        // SAFETY: as the caller promises.
        unsafe { self.contiguous(loc, header.key_len(), header.value_len()) }
    }

    /// # Safety
    /// As [`Self::key_is`]; and the range lies in the payload.
    unsafe fn contiguous(&self, loc: Loc, start: usize, len: usize) -> Option<&[u8]> {
        let header = self.header(loc);
        if !header.is_chunked() {
            // SAFETY: the payload of a short record follows its header.
            return Some(unsafe {
                std::slice::from_raw_parts(
                    self.region.at(loc).as_ptr().add(HEADER_BYTES + start),
                    len,
                )
            });
        }
        let chunks = self.classes.chunks(self.payload_len(header));
        let (address, room) = self.payload_piece(loc, chunks, start);
        // SAFETY: `payload_piece` vouches for `room` bytes.
        (len <= room).then(|| unsafe { std::slice::from_raw_parts(address, len) })
    }

    /// Copies the value to `out`, which has exactly its length.
    ///
    /// # Safety
    /// As [`Self::key_is`].
    pub(crate) unsafe fn copy_value(&self, loc: Loc, out: &mut [u8]) {
        let header = self.header(loc);
        debug_assert_eq!(out.len(), header.value_len());
        // SAFETY: as the caller promises; the value follows the key in the payload.
        unsafe { self.copy_out(loc, header.key_len(), out) };
    }

    /// # Safety
    /// As [`Self::key_is`]; and the range lies in the payload.
    unsafe fn copy_out(&self, loc: Loc, start: usize, out: &mut [u8]) {
        let len = out.len();
        // SAFETY: as the caller promises.
        unsafe {
            self.for_each_piece(loc, start, len, |at, piece| {
                out[at..at + piece.len()].copy_from_slice(piece);
            });
        }
    }

    /// Makes reads of freed memory visible in debug builds.
    pub(crate) fn poison(&self, loc: Loc, slot_bytes: usize) {
        #[cfg(debug_assertions)]
        self.generations.raise(loc);
        if cfg!(debug_assertions) {
            // SAFETY: the slot is free: nobody reads its payload. Its header stays intact.
            unsafe {
                self.region
                    .at(loc)
                    .as_ptr()
                    .add(HEADER_BYTES)
                    .write_bytes(0xDB, slot_bytes - HEADER_BYTES);
            }
        }
        let payload = Loc::from_offset(loc.offset() + HEADER_BYTES);
        super::asan::forbid(self.region.at(payload), slot_bytes - HEADER_BYTES);
    }
}
