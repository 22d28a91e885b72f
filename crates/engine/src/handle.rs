//! A thread's way into a cache, and the read path.

use crate::changes::{Drained, note_key, noted_keys};
use crate::clock::Ttl;
use crate::engine::{Engine, Terms};
use crate::epoch::ReaderSlot;
use crate::error::Error;
use crate::hash::KeyHash;
use crate::heap::{OutOfMemory, Shared};
use crate::memory::record::HITS_MAX;
use crate::memory::region::Loc;
use crate::policy::adaptation::Samples;
use crate::shard::Condition;
use crate::stats::ReadCounts;
use crate::sync::AtomicU64;
use crate::value::Value;
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::sync::Arc;

/// Keys of a batch whose cache lines are fetched ahead at once.
const BATCH_AHEAD: usize = 16;

/// A thread's access to a [`Cache`](crate::Cache): owns the slot in which its reads are announced
/// and the cell in which they are counted. Make one per thread with
/// [`Cache::handle`](crate::Cache::handle) and keep it; it keeps the cache alive.
pub struct Handle {
    pub(crate) engine: Arc<Engine>,
    slot: Shared<ReaderSlot>,
    counts: Shared<ReadCounts>,
    changes_seen: AtomicU64,
    drain_buffer: RefCell<Vec<u8>>,
    samples: Samples,
    pub(crate) claimant: Claimant,
    /// Not `Sync`: the slot has one reader.
    _not_sync: PhantomData<Cell<()>>,
}

/// Whose a handle's claims are.
pub(crate) struct Claimant {
    pub(crate) owner: u64,
    /// Whether it has ever claimed anything.
    pub(crate) has_claimed: Cell<bool>,
}

/// Where a [`Handle::scan`] goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(u64);

impl Cursor {
    /// The beginning.
    pub const START: Self = Self(0);

    /// The cursor as a number below 2^24, to be kept elsewhere.
    pub fn into_raw(self) -> u64 {
        self.0
    }

    /// A cursor from a number that [`Self::into_raw`] gave.
    pub fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    fn new(shard: usize, at: u32) -> Self {
        Self((shard as u64) << 16 | at as u64)
    }

    fn shard(self) -> usize {
        (self.0 >> 16) as usize
    }

    fn at(self) -> u32 {
        self.0 as u16 as u32
    }
}

/// What a read does beside reading. Constants, so that each kind of read is compiled on its own.
struct Read<const COUNTED: bool, const WATCHING: bool>;

impl Handle {
    pub(crate) fn new(engine: Arc<Engine>) -> Result<Self, OutOfMemory> {
        let counts = engine.read_counts.register()?;
        let slot = engine.register_reader();
        let slot = slot.inspect_err(|_| engine.read_counts.unregister(&counts))?;
        Ok(Self {
            slot,
            counts,
            changes_seen: AtomicU64::new(engine.common.changes.position()),
            drain_buffer: RefCell::new(Vec::new()),
            samples: Samples::new(),
            claimant: Claimant {
                owner: engine.common.claims.new_owner(),
                has_claimed: Cell::new(false),
            },
            engine,
            _not_sync: PhantomData,
        })
    }

    /// Calls `read` with the value of a key, in place and pinned, and returns what it returns; `None`
    /// if there is no live entry. Counts a hit or a miss.
    ///
    /// Lock-free. `read` should copy out what it needs and return: memory that is evicted meanwhile
    /// can't be used again before it does, and a write to the same cache from inside may find no room.
    #[inline]
    pub fn get<R>(&self, key: &[u8], read: impl FnOnce(Value<'_>) -> R) -> Option<R> {
        self.read(Read::<true, false>, key, read)
    }

    /// As [`Self::get`]; and if the entry has proven hot, marks it as watched, so that an L0 may keep
    /// a copy until [`Self::drain_changes`] names its key. [`Value::watched`] tells.
    #[inline]
    pub fn get_watched<R>(&self, key: &[u8], read: impl FnOnce(Value<'_>) -> R) -> Option<R> {
        self.read(Read::<true, true>, key, read)
    }

    /// As [`Self::get`], but neither statistics nor eviction learn of it.
    #[inline]
    pub fn peek<R>(&self, key: &[u8], read: impl FnOnce(Value<'_>) -> R) -> Option<R> {
        self.read(Read::<false, false>, key, read)
    }

    /// Copies the value to the end of `out` and returns its kind. Counts a hit or a miss.
    pub fn get_into(&self, key: &[u8], out: &mut Vec<u8>) -> Option<u8> {
        self.get(key, |value| {
            match value.as_contiguous() {
                Some(bytes) => out.extend_from_slice(bytes),
                None => {
                    let start = out.len();
                    out.resize(start + value.len(), 0);
                    value.copy_to(&mut out[start..]);
                }
            }
            value.kind()
        })
    }

    /// Whether there is a live entry. Not counted.
    #[inline]
    pub fn contains(&self, key: &[u8]) -> bool {
        self.peek(key, |_| ()).is_some()
    }

    /// Milliseconds that an entry has left, `u64::MAX` for ever; `None` if there is none.
    pub fn remaining_ms(&self, key: &[u8]) -> Option<u64> {
        self.peek(key, |value| value.remaining_ms())
    }

    #[inline(always)]
    fn read<const COUNTED: bool, const WATCHING: bool, R>(
        &self,
        _: Read<COUNTED, WATCHING>,
        key: &[u8],
        read: impl FnOnce(Value<'_>) -> R,
    ) -> Option<R> {
        let hash = self.engine.common.hasher.hash(key);
        let _pin = self.engine.common.epoch.pin(&self.slot);
        // SAFETY: pinned until the end of this function.
        unsafe { self.read_pinned(Read::<COUNTED, WATCHING>, hash, key, read) }
    }

    /// # Safety
    /// The caller is pinned.
    #[inline(always)]
    unsafe fn read_pinned<const COUNTED: bool, const WATCHING: bool, R>(
        &self,
        _: Read<COUNTED, WATCHING>,
        hash: KeyHash,
        key: &[u8],
        read: impl FnOnce(Value<'_>) -> R,
    ) -> Option<R> {
        let engine = &*self.engine;
        let records = engine.records();
        let index = &engine.indexes[engine.shard_index(hash)];
        let now = engine.common.clock.now();
        // SAFETY: as the caller promises.
        let found = unsafe { index.find_live(&engine.common.allocator, hash, key, now) };
        let Some(loc) = found else {
            if COUNTED {
                self.count_miss(hash);
            }
            return None;
        };
        let header = records.header(loc);
        if COUNTED {
            self.counts.hit();
            header.raise_hits();
            if engine.common.adaptation.looks_at(hash) {
                self.samples.note_hit(hash, &engine.common.adaptation);
            }
        }
        let watched = WATCHING && header.hits() == HITS_MAX && header.watch();
        // SAFETY: found live while pinned, and the caller stays pinned.
        Some(read(unsafe { Value::new(engine, loc, header, watched) }))
    }

    fn count_miss(&self, hash: KeyHash) {
        self.counts.miss();
        let common = &self.engine.common;
        let is_new = common.sketch.count(hash, 1) == 1;
        self.samples
            .note_miss(hash, is_new, self.counts.hits(), &common.adaptation);
    }

    /// Reads several keys; `visit` gets each key's place in `keys` and its value. Counts hits and
    /// misses. Faster than a loop of `get` where entries are not in the processor's caches, because
    /// their lines are fetched at the same time.
    pub fn get_many(&self, keys: &[&[u8]], mut visit: impl FnMut(usize, Option<Value<'_>>)) {
        let engine = &*self.engine;
        for (batch, keys) in keys.chunks(BATCH_AHEAD).enumerate() {
            let _pin = engine.common.epoch.pin(&self.slot);
            let mut hashes = [KeyHash(0); BATCH_AHEAD];
            for (hash, key) in hashes.iter_mut().zip(keys) {
                *hash = engine.common.hasher.hash(key);
                // SAFETY: pinned.
                unsafe {
                    engine.indexes[engine.shard_index(*hash)]
                        .prefetch(&engine.common.allocator, *hash)
                };
            }
            for (hash, _) in hashes.iter().zip(keys) {
                let index = &engine.indexes[engine.shard_index(*hash)];
                // SAFETY: pinned.
                let candidate = unsafe { index.find(&engine.common.allocator, *hash, |_| true) };
                engine
                    .records()
                    .region()
                    .prefetch(candidate.unwrap_or(Loc::NONE));
            }
            for (place, (hash, key)) in hashes.iter().zip(keys).enumerate() {
                let place = batch * BATCH_AHEAD + place;
                // SAFETY: pinned.
                let found = unsafe {
                    self.read_pinned(Read::<true, false>, *hash, key, |value| {
                        visit(place, Some(value))
                    })
                };
                if found.is_none() {
                    visit(place, None);
                }
            }
        }
    }

    /// Stores a value with a kind from 0 to 15. A time to live of zero deletes the key instead.
    ///
    /// # Errors
    /// If key, value or time to live exceed their limits, or no room can be made. Nothing has changed
    /// then.
    #[inline]
    pub fn set(&self, key: &[u8], value: &[u8], kind: u8, ttl: Ttl) -> Result<(), Error> {
        self.store(key, value, kind, ttl, Terms::ALWAYS)?;
        Ok(())
    }

    // Inlined, so that the time to live is not copied on its way: in other pieces than it was stored in, which takes as
    // long as hashing the key.
    #[inline(always)]
    pub(crate) fn store(
        &self,
        key: &[u8],
        value: &[u8],
        kind: u8,
        ttl: Ttl,
        terms: Terms,
    ) -> Result<bool, Error> {
        let stored = self
            .engine
            .store(key, value, kind, ttl, terms, &self.slot)?;
        if let Some(hash) = stored {
            self.samples
                .note_write(hash, &self.engine.common.adaptation);
        }
        Ok(stored.is_some())
    }

    /// Stores a value if the key has no live entry; whether it did.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn set_if_absent(
        &self,
        key: &[u8],
        value: &[u8],
        kind: u8,
        ttl: Ttl,
    ) -> Result<bool, Error> {
        self.store(key, value, kind, ttl, Terms::On(Condition::IfAbsent))
    }

    /// Stores a value if the key has a live entry; whether it did.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn replace(&self, key: &[u8], value: &[u8], kind: u8, ttl: Ttl) -> Result<bool, Error> {
        self.store(key, value, kind, ttl, Terms::On(Condition::IfPresent))
    }

    /// Stores a value if the key's entry still has the version that [`Value::version`] told; whether
    /// it did.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn compare_and_set(
        &self,
        key: &[u8],
        version: u64,
        value: &[u8],
        kind: u8,
        ttl: Ttl,
    ) -> Result<bool, Error> {
        self.store(
            key,
            value,
            kind,
            ttl,
            Terms::On(Condition::IfVersion(version)),
        )
    }

    /// Stores several values in order. Stops at the first error; the number of those stored before
    /// it comes with it.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn set_many<'a>(
        &self,
        entries: impl IntoIterator<Item = (&'a [u8], &'a [u8], u8)>,
        ttl: Ttl,
    ) -> Result<usize, (usize, Error)> {
        let mut stored = 0;
        for (key, value, kind) in entries {
            self.set(key, value, kind, ttl)
                .map_err(|error| (stored, error))?;
            stored += 1;
        }
        Ok(stored)
    }

    /// Removes an entry; whether there was a live one.
    ///
    /// # Errors
    /// [`Error::Poisoned`] only.
    pub fn delete(&self, key: &[u8]) -> Result<bool, Error> {
        Ok(self.engine.delete(key)?)
    }

    /// Gives an entry a new time to live from now on; whether there was one.
    ///
    /// # Errors
    /// If the time to live exceeds its limit.
    pub fn touch(&self, key: &[u8], ttl: Ttl) -> Result<bool, Error> {
        self.engine.touch(key, ttl, &self.slot)
    }

    /// Removes everything: visible to every thread's next read when it returns. The memory is given
    /// back in the background.
    ///
    /// # Errors
    /// If no room can be made for an empty index.
    pub fn clear(&self) -> Result<(), Error> {
        self.engine.clear(&self.slot)
    }

    /// Visits entries whose key begins with `prefix`: a segment of the index at a time, until at
    /// least `limit` were visited. Returns where to go on, `None` at the end.
    ///
    /// Weakly consistent: an entry that is there from the first call to the last is visited at least
    /// once, others may or may not be. Not counted. `visit` runs pinned.
    ///
    /// # Panics
    /// If there is no memory for a copy of a key of hundreds of bytes that does not lie in one piece.
    pub fn scan(
        &self,
        from: Cursor,
        prefix: &[u8],
        limit: usize,
        visit: impl FnMut(&[u8], Value<'_>),
    ) -> Option<Cursor> {
        let scanned = self.try_scan(from, prefix, limit, visit);
        scanned.expect("memory for a copy of a long key")
    }

    fn try_scan(
        &self,
        from: Cursor,
        prefix: &[u8],
        limit: usize,
        mut visit: impl FnMut(&[u8], Value<'_>),
    ) -> Result<Option<Cursor>, OutOfMemory> {
        let engine = &*self.engine;
        let (mut shard, mut at) = (from.shard(), from.at());
        let mut visited = 0;
        while visited < limit.max(1) {
            let Some(index) = engine.indexes.get(shard) else {
                return Ok(None);
            };
            let mut refused = None;
            let _pin = engine.common.epoch.pin(&self.slot);
            // SAFETY: pinned.
            let next = unsafe {
                index.walk(&engine.common.allocator, at, |loc| {
                    match self.visit_matching(loc, prefix, &mut visit) {
                        Ok(is_visited) => visited += usize::from(is_visited),
                        Err(error) => refused = Some(error),
                    }
                })
            };
            if let Some(error) = refused {
                return Err(error);
            }
            match next {
                Some(next) => at = next,
                None => (shard, at) = (shard + 1, 0),
            }
        }
        Ok((shard < engine.shards.len()).then(|| Cursor::new(shard, at)))
    }

    /// # Safety
    /// The caller is pinned since before it found `loc`.
    unsafe fn visit_matching(
        &self,
        loc: Loc,
        prefix: &[u8],
        visit: &mut impl FnMut(&[u8], Value<'_>),
    ) -> Result<bool, OutOfMemory> {
        let engine = &*self.engine;
        let header = engine.records().header(loc);
        if header.expiry().is_past(engine.common.clock.now()) {
            return Ok(false);
        }
        // SAFETY: as the caller promises.
        unsafe {
            engine.records().with_key(loc, |key| {
                let matches = key.starts_with(prefix);
                if matches {
                    visit(key, Value::new(engine, loc, header, false));
                }
                matches
            })
        }
    }

    /// Visits all entries whose key begins with `prefix` (all, if it is empty). As [`Self::scan`].
    pub fn for_each(&self, prefix: &[u8], mut visit: impl FnMut(&[u8], Value<'_>)) {
        let mut cursor = Some(Cursor::START);
        while let Some(from) = cursor {
            cursor = self.scan(from, prefix, usize::MAX, &mut visit);
        }
    }

    /// Removes all entries whose key begins with `prefix`; their number. Those that are written while
    /// it runs may remain.
    ///
    /// # Errors
    /// [`Error::Poisoned`], or [`Error::OutOfMemory`] if there is none to note the keys in. Some entries
    /// have been removed then.
    pub fn delete_prefix(&self, prefix: &[u8]) -> Result<u64, Error> {
        // First, so that what is loaded meanwhile is stored either before the scan comes by or not at all.
        let is_attended = self.engine.supersede_prefix(prefix)?;
        let deleted = self.delete_found_prefix(prefix);
        if is_attended {
            self.engine.tell_all_dependents();
        }
        deleted
    }

    fn delete_found_prefix(&self, prefix: &[u8]) -> Result<u64, Error> {
        let mut deleted = 0;
        let mut keys = Vec::new();
        let mut cursor = Some(Cursor::START);
        while let Some(from) = cursor {
            keys.clear();
            let mut noted = Ok(());
            let next = self.try_scan(from, prefix, 1, |key, _| {
                noted = noted.and_then(|()| note_key(&mut keys, key));
            });
            for key in noted_keys(&keys) {
                deleted += u64::from(self.delete(key)?);
            }
            noted?;
            cursor = next?;
        }
        Ok(deleted)
    }

    /// Whether no other handle of this cache exists at the moment: a [`Value`] that is kept for long
    /// then holds up nobody else's writes.
    #[inline]
    pub fn is_only_one(&self) -> bool {
        self.engine.common.epoch.has_one_reader()
    }

    /// Counts hits that an L0 answered without asking. The choice of the policy's setting learns of them too, the
    /// sooner the more often this is called. Which keys they were it need not know: when eviction passes over an
    /// entry that an L0 holds, it has the L0 drop its copy, and hears of the next reads itself.
    pub fn add_hits(&self, hits: u64) {
        self.counts.add_hits(hits);
        self.samples.note_absorbed(hits);
    }

    /// The last hit was of an entry that its reader takes for stale. To the policy it stays a read.
    pub fn add_stale(&self) {
        self.counts.stale();
    }

    /// Visits the keys of watched entries that changed since this handle's last call, or tells that
    /// too much changed and every copy must be dropped. `visit` may do what it likes.
    pub fn drain_changes(&self, mut visit: impl FnMut(&[u8])) -> Drained {
        let mut bytes = self.drain_buffer.take();
        let drained = self
            .engine
            .common
            .changes
            .drain(&self.changes_seen, &mut bytes);
        if matches!(drained, Drained::Keys { .. }) {
            noted_keys(&bytes).for_each(&mut visit);
        }
        self.drain_buffer.replace(bytes);
        drained
    }
}

#[cfg(nearcache_count_stores)]
impl Handle {
    /// The two lines that only this handle's thread stores to: its slot among the readers, its counts.
    pub fn own_lines(&self) -> [usize; 2] {
        let slot = std::ptr::from_ref::<ReaderSlot>(&self.slot).addr();
        let counts = std::ptr::from_ref::<ReadCounts>(&self.counts).addr();
        [slot, counts].map(|address| address / crate::sync::counting::LINE_BYTES)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.claimant.has_claimed.get() {
            self.engine.give_up_claims(self.claimant.owner);
        }
        self.engine.common.epoch.unregister(&self.slot);
        self.engine.read_counts.unregister(&self.counts);
    }
}
