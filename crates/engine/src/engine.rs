//! What the handles of a cache share, and the write path: allocate, fill, publish.
//!
//! A record is allocated and filled before any lock is taken; the shard's lock is held only to
//! publish it. Making room may therefore lock any shard, one at a time.

use crate::attention::Attention;
use crate::changes::ChangeLog;
use crate::claims::Claims;
use crate::clock::{Expiry, TTL_MS_MAX, Ttl};
use crate::common::Common;
use crate::config::{Config, Layout, classes};
use crate::epoch::{Epoch, ReaderSlot};
use crate::error::{ConfigError, Error};
use crate::fault;
use crate::hash::{KeyHash, KeyHasher};
use crate::heap::{self, OutOfMemory, Shared};
use crate::index::{Index, NeedsRoom};
use crate::limbo::{Census, Limbo};
use crate::limit::{Bound, Limit, Unit, weight_of};
use crate::limits::{CACHE_OVERHEAD_BYTES, SMALL};
use crate::memory::allocator::{Allocator, Emptying};
use crate::memory::record::{NewRecord, Records};
use crate::memory::region::{HEAD_BYTES, HugePages, Loc, Region};
use crate::policy::adaptation::Adaptation;
use crate::policy::sketch::Sketch;
use crate::policy::turnover::Turnover;
use crate::shard::{Condition, LockedShard, Poisoned, Reason, Shard};
use crate::stats::{ReadCountsRegistry, Stats, WriteCounts};
use crate::sync::{AtomicUsize, CacheAligned, Mutex, lock};
use crate::tags::Tags;
use crate::unpublished::Unpublished;

/// Tries to publish a record whose segment must grow first. Others may take the room that was made;
/// and a segment at the greatest depth can't grow, should ever so many keys share 16 bits of hash.
const INDEX_ATTEMPTS_MAX: u32 = if SMALL { 8 } else { 256 };
/// Entries that one hold of a shard's lock expires: a few microseconds of work, in which who waits needn't sleep.
const EXPIRE_BATCH: usize = 32;

/// One cache.
pub(crate) struct Engine {
    pub(crate) common: Common,
    pub(crate) shards: Box<[CacheAligned<Shard>]>,
    /// The shards' indexes, close together.
    pub(crate) indexes: Box<[Index]>,
    pub(crate) read_counts: ReadCountsRegistry,
    /// The page that is being emptied, see `compaction`. Whoever holds the lock does the work.
    pub(crate) emptying: Mutex<Option<Emptying>>,
    /// Held during maintenance, so that [`Self::validate`] finds no memory that is neither waiting nor free.
    maintaining: Mutex<()>,
    max_memory: u64,
}

// What is not an inline part of it: limbo's bags, the signal, a handle's slot and counts, the two lists
// of these, and what an `Arc` has beside.
const _: () = assert!(cfg!(shuttle) || size_of::<Engine>() + 1_152 <= CACHE_OVERHEAD_BYTES);

/// Under which terms a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Terms {
    /// If the condition holds. Supersedes the key's claim.
    On(Condition),
    /// While the claim of this token is current. What was loaded is no news of its key: what depends on it
    /// is not told, or whoever loads what it needs would invalidate itself.
    Claimed(u64),
    /// The entry of this version stays what it is; only its record is another. Nobody is told.
    Copy(u64),
}

impl Terms {
    pub(crate) const ALWAYS: Self = Self::On(Condition::Always);

    /// What has to hold for the key's entry.
    pub(crate) fn condition(self) -> Condition {
        match self {
            Self::On(condition) => condition,
            Self::Claimed(_) => Condition::Always,
            Self::Copy(version) => Condition::IfVersion(version),
        }
    }
}

impl From<Poisoned> for Error {
    fn from(_: Poisoned) -> Self {
        Self::Poisoned
    }
}

impl Engine {
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let refused = |OutOfMemory { bytes }| ConfigError::OutOfMemory {
            given: config.max_memory,
            bytes,
        };
        let layout = Layout::of(config)?;
        let classes = classes(config.max_memory, layout.page_bytes as u64);
        let head_bytes = layout.page_bytes.max(HEAD_BYTES);
        let region_bytes = head_bytes + layout.page_count * layout.page_bytes;
        let huge_pages = if config.clock.is_system() {
            HugePages::WherePopulated
        } else {
            // No helper thread serves it.
            HugePages::Everywhere
        };
        let region = Region::reserve(region_bytes, huge_pages).map_err(ConfigError::Reserve)?;
        let allocator = Allocator::new(
            Records::new(region, classes, layout.unit),
            layout.page_bytes,
            layout.page_count,
            layout.shard_bits > 0,
        )
        .map_err(refused)?;
        let now = config.clock.now();
        let shard_count = 1 << layout.shard_bits;
        let indexes = heap::table(shard_count, |shard| {
            // Different variants split at different times.
            Index::new(&allocator, shard % crate::limits::BLOCK_VARIANTS)
        });
        let indexes = indexes.map_err(|needs| match needs {
            NeedsRoom::Region => ConfigError::MemoryTooSmall {
                given: config.max_memory,
                min: crate::MEMORY_BYTES_MIN,
            },
            NeedsRoom::Heap(bytes) => refused(bytes),
        })?;
        let shards = heap::table(shard_count, |shard| {
            Shard::new(layout.seed ^ shard as u64, now).map(CacheAligned)
        });
        Ok(Self {
            common: Common {
                allocator,
                sketch: Sketch::new(layout.sketch_bytes).map_err(refused)?,
                turnover: Turnover::new(config.limit.map_or(config.max_memory, Limit::max)),
                adaptation: Adaptation::new(config.max_memory, layout.seed).map_err(refused)?,
                changes: ChangeLog::new(),
                attention: Attention::new(),
                claims: Claims::new(shard_count).map_err(refused)?,
                tags: Tags::new(config.max_memory).map_err(refused)?,
                hasher: KeyHasher::new(layout.seed),
                clock: config.clock.clone(),
                epoch: Epoch::new(),
                limbo: Limbo::new(config.max_memory).map_err(refused)?,
                bound: config.limit.map(Bound::new),
                layout,
                doomed: AtomicUsize::new(0),
            },
            shards: shards.map_err(refused)?.into_boxed_slice(),
            indexes: indexes.into_boxed_slice(),
            read_counts: ReadCountsRegistry::default(),
            emptying: Mutex::new(None),
            maintaining: Mutex::new(()),
            max_memory: config.max_memory,
        })
    }

    /// The error of a cache that can't be made for want of so many bytes.
    pub(crate) fn refused(&self, bytes: usize) -> ConfigError {
        ConfigError::OutOfMemory {
            given: self.max_memory,
            bytes,
        }
    }

    pub(crate) fn records(&self) -> &Records {
        self.common.allocator.records()
    }

    /// A slot for a new reader. When it returns nobody is writing over a record in place, nor will anybody begin to
    /// while there is more than one reader (see `overwrite`).
    pub(crate) fn register_reader(&self) -> Result<Shared<ReaderSlot>, OutOfMemory> {
        let slot = self.common.epoch.register()?;
        for shard in &self.shards {
            shard.0.pass_through();
        }
        Ok(slot)
    }

    pub(crate) fn shard_index(&self, hash: KeyHash) -> usize {
        hash.shard(self.common.layout.shard_bits)
    }

    #[inline(always)]
    pub(crate) fn lock(&self, shard: usize) -> Result<LockedShard<'_>, Poisoned> {
        self.shards[shard]
            .0
            .lock(&self.common, &self.indexes[shard])
    }

    /// As [`Self::lock`]; nothing if the shard needs repair. Without the way to an error the locked shard is not copied
    /// about, which is 2 to 4 % of an insert that evicts.
    #[inline(always)]
    pub(crate) fn lock_sound(&self, shard: usize) -> Option<LockedShard<'_>> {
        self.shards[shard]
            .0
            .lock_sound(&self.common, &self.indexes[shard])
    }

    /// The longest key that this cache accepts, in bytes.
    pub(crate) fn key_bytes_max(&self) -> usize {
        self.common.layout.key_bytes_max
    }

    pub(crate) fn check_key(&self, key: &[u8]) -> Result<(), Error> {
        let max = self.key_bytes_max();
        if key.len() > max {
            return Err(Error::KeyTooLong {
                length: key.len(),
                max,
            });
        }
        Ok(())
    }

    fn check_value(&self, value: &[u8]) -> Result<(), Error> {
        let max = self.common.layout.value_bytes_max;
        if value.len() as u64 > max {
            return Err(Error::ValueTooLarge {
                length: value.len(),
                max,
            });
        }
        if self.common.layout.unit == Unit::Weight {
            return self.check_weight(weight_of(value));
        }
        Ok(())
    }

    fn check_weight(&self, weight: u64) -> Result<(), Error> {
        match &self.common.bound {
            Some(bound) if weight > bound.max => Err(Error::TooHeavy {
                weight,
                max: bound.max,
            }),
            _ => Ok(()),
        }
    }

    /// When an entry written now expires; `None` for a time to live of zero.
    pub(crate) fn expiry_of(&self, ttl: Ttl, now: u64) -> Result<Option<Expiry>, Error> {
        let ttl_ms = match ttl {
            Ttl::Forever => None,
            Ttl::Default => self.common.layout.default_ttl_ms,
            Ttl::Millis(given_ms) if given_ms > TTL_MS_MAX => {
                return Err(Error::TtlTooLong {
                    given_ms,
                    max_ms: TTL_MS_MAX,
                });
            }
            Ttl::Millis(ms) => Some(ms),
        };
        Ok(match ttl_ms {
            None => Some(Expiry::NEVER),
            Some(0) => None,
            Some(ms) => Some(Expiry::after(now, ms)),
        })
    }

    /// Stores a value if the terms allow it; the key's hash if they did. `own` is the slot of the calling
    /// handle.
    pub(crate) fn store(
        &self,
        key: &[u8],
        value: &[u8],
        kind: u8,
        ttl: Ttl,
        terms: Terms,
        own: &ReaderSlot,
    ) -> Result<Option<KeyHash>, Error> {
        debug_assert!(kind <= crate::memory::record::KIND_MAX);
        self.check_key(key)?;
        self.check_value(value)?;
        let now = self.common.clock.now();
        let hash = self.common.hasher.hash(key);
        let Some(expiry) = self.expiry_of(ttl, now)? else {
            let is_done = self.store_nothing(key, hash, terms, now)?;
            return Ok(is_done.then_some(hash));
        };
        let shard = self.shard_index(hash);
        let new = NewRecord {
            key,
            value,
            kind,
            expiry,
            hash,
        };
        if terms != Terms::ALWAYS {
            return self.store_on_terms(new, terms, shard, now, own);
        }
        if own.expects_overwrite() && self.overwrite_in_place(new, shard, now, own)? {
            return Ok(Some(hash));
        }
        // The constant, not the argument: what it stands for is not asked again.
        if self.store_in_reused(&new, Terms::ALWAYS, shard, now, own)? {
            return Ok(Some(hash));
        }
        self.store_in_new(new, Terms::ALWAYS, shard, own)
    }

    /// As [`Self::store`], under terms that may refuse.
    #[inline(never)]
    fn store_on_terms(
        &self,
        new: NewRecord<'_>,
        terms: Terms,
        shard: usize,
        now: u64,
        own: &ReaderSlot,
    ) -> Result<Option<KeyHash>, Error> {
        if !self.may_allow(new.hash, new.key, terms, now)? {
            return Ok(None);
        }
        if self.store_in_reused(&new, terms, shard, now, own)? {
            return Ok(Some(new.hash));
        }
        self.store_in_new(new, terms, shard, own)
    }

    /// As [`Self::store`], in a slot of its own.
    #[inline(never)]
    fn store_in_new(
        &self,
        new: NewRecord<'_>,
        terms: Terms,
        shard: usize,
        own: &ReaderSlot,
    ) -> Result<Option<KeyHash>, Error> {
        let hash = new.hash;
        if self.store_long_in_reused(&new, terms, shard, own)? {
            return Ok(Some(hash));
        }
        {
            // The line that publishing will read arrives while room is made and the record filled.
            let _pin = self.common.epoch.pin(own);
            // SAFETY: pinned.
            unsafe { self.indexes[shard].prefetch(&self.common.allocator, hash) };
        }
        let mut unpublished = Unpublished::new(&self.common.allocator);
        self.create_record(new, &mut unpublished, shard, own)?;
        let is_stored = self.publish(hash, new.key, &mut unpublished, terms, shard, own)?;
        Ok(is_stored.then_some(hash))
    }

    /// Saves filling a record that the terms would refuse.
    fn may_allow(&self, hash: KeyHash, key: &[u8], terms: Terms, now: u64) -> Result<bool, Error> {
        if let Terms::Claimed(token) = terms {
            return Ok(self.is_claim_current(hash, token));
        }
        let locked = self.lock(self.shard_index(hash))?;
        let existing = locked.find(hash, key);
        Ok(locked.holds(terms.condition(), existing, now))
    }

    /// A time to live of zero: the value is not cached, and what was there goes.
    fn store_nothing(
        &self,
        key: &[u8],
        hash: KeyHash,
        terms: Terms,
        now: u64,
    ) -> Result<bool, Error> {
        // Terms and removal under one hold of the lock: nobody writes between them.
        let mut locked = self.lock(self.shard_index(hash))?;
        let is_attended = self.common.attention.is_needed();
        let existing = locked.find(hash, key);
        if !locked.holds(terms.condition(), existing, now) || !self.allows(hash, terms, is_attended)
        {
            return Ok(false);
        }
        if let Some(loc) = existing {
            Self::delete_found(&mut locked, hash, loc, now);
        }
        if is_attended {
            self.tell_dependents(hash);
        }
        Ok(true)
    }

    /// Allocates and fills a record that nobody can reach yet.
    fn create_record(
        &self,
        new: NewRecord<'_>,
        unpublished: &mut Unpublished<'_>,
        shard: usize,
        own: &ReaderSlot,
    ) -> Result<(), Error> {
        let classes = &self.records().classes;
        let payload = new.key.len() + new.value.len();
        let count = classes.chunks(payload);
        let class = classes.for_record(self.records().slot_bytes(payload, count));
        if count > 0 {
            unpublished.expect_chunks(count)?;
            for _ in 0..count {
                unpublished.add_chunk(self.allocate(classes.chunk(), shard, own)?);
                fault::point();
            }
        }
        unpublished.set_slot(self.allocate(class, shard, own)?);
        fault::point();
        // SAFETY: slot and chunks were just allocated as this record needs them.
        unsafe {
            self.records()
                .fill(unpublished.slot(), unpublished.chunks(), new)
        };
        fault::point();
        Ok(())
    }

    fn publish(
        &self,
        hash: KeyHash,
        key: &[u8],
        new: &mut Unpublished<'_>,
        terms: Terms,
        shard: usize,
        own: &ReaderSlot,
    ) -> Result<bool, Error> {
        let loc = new.slot();
        for _ in 0..INDEX_ATTEMPTS_MAX {
            let mut locked = self.lock(shard)?;
            let now = self.common.clock.now();
            let is_attended = self.common.attention.is_needed();
            if !self.may_publish(&locked, (hash, key), terms, is_attended, now) {
                return Ok(false);
            }
            // Should this thread die in the middle, the shard's repair takes care of the record.
            locked.state.in_hand.coming = new.lend();
            let published = locked.publish(hash, key, loc, terms.condition(), now, own);
            locked.state.in_hand.coming = Loc::NONE;
            if !matches!(published, Ok(true)) {
                new.take_back();
            } else if is_attended && matches!(terms, Terms::On(_)) {
                fault::point();
                self.tell_dependents(hash);
            }
            fault::point();
            locked.hand_over(false);
            fault::point();
            let sizes = locked.sizes_if_due();
            drop(locked);
            if let Some((entries, charges)) = sizes {
                self.common.set_entries(entries, charges);
            }
            if self.common.limbo.is_overdue() {
                self.common.collect(Some(own));
            }
            if let Some(bound) = &self.common.bound {
                self.evict_beyond(bound, shard)?;
            }
            match published {
                Ok(stored) => return Ok(stored),
                Err(NeedsRoom::Region) => self.make_room_for_index(shard, own)?,
                Err(NeedsRoom::Heap(refused)) => return Err(refused.into()),
            }
        }
        let bytes = self.common.layout.page_bytes;
        Err(Error::NoRoom { bytes })
    }

    pub(crate) fn delete(&self, key: &[u8]) -> Result<bool, Poisoned> {
        let hash = self.common.hasher.hash(key);
        let mut locked = self.lock(self.shard_index(hash))?;
        let now = self.common.clock.now();
        let is_attended = self.common.attention.is_needed();
        if is_attended {
            self.supersede_claim(hash);
        }
        let existing = locked.find(hash, key);
        let was_live = existing.is_some_and(|loc| Self::delete_found(&mut locked, hash, loc, now));
        // Also where there was no entry: what the caller says is that the source has changed.
        if is_attended {
            self.tell_dependents(hash);
        }
        Ok(was_live)
    }

    /// Removes a key's record; whether it had not expired.
    fn delete_found(locked: &mut LockedShard<'_>, hash: KeyHash, loc: Loc, now: u64) -> bool {
        let live = locked.is_live(loc, now);
        let reason = if live {
            Reason::Deleted
        } else {
            Reason::Expired
        };
        locked.remove(hash, loc, reason);
        fault::point();
        locked.hand_over(false);
        live
    }

    /// Gives an entry a new life from now on; false if there is none.
    pub(crate) fn touch(&self, key: &[u8], ttl: Ttl, own: &ReaderSlot) -> Result<bool, Error> {
        let now = self.common.clock.now();
        let Some(expiry) = self.expiry_of(ttl, now)? else {
            return Ok(self.delete(key)?);
        };
        let hash = self.common.hasher.hash(key);
        loop {
            let (version, kind, value) = {
                let mut locked = self.lock(self.shard_index(hash))?;
                let Some(loc) = locked.find_live(hash, key, now) else {
                    return Ok(false);
                };
                if locked.touch(loc, key, expiry, now) {
                    return Ok(true);
                }
                // The record can't express the new expiry (days against years): copy it.
                let header = self.records().header(loc);
                let mut value = heap::zeroes(header.value_len())?;
                // SAFETY: the shard's lock is held and the record is live in it.
                unsafe { self.records().copy_value(loc, &mut value) };
                (header.version() as u64, header.kind(), value)
            };
            let stored = self.store(key, &value, kind, ttl, Terms::Copy(version), own)?;
            if stored.is_some() {
                return Ok(true);
            }
            // Written in between: look again.
        }
    }

    /// Removes everything. Visible to every thread's next read when it returns; the memory follows.
    pub(crate) fn clear(&self, own: &ReaderSlot) -> Result<(), Error> {
        let mut is_attended = false;
        let cleared = (0..self.shards.len())
            .try_for_each(|shard| self.clear_shard(shard, &mut is_attended, own));
        if is_attended {
            self.tell_all_dependents();
        }
        cleared
    }

    fn clear_shard(
        &self,
        shard: usize,
        is_attended: &mut bool,
        own: &ReaderSlot,
    ) -> Result<(), Error> {
        loop {
            let mut locked = self.lock(shard)?;
            *is_attended |= self.supersede_claims(shard, b"");
            let cleared = locked.clear(self.common.clock.now());
            drop(locked);
            match cleared {
                Ok(()) => return Ok(()),
                Err(NeedsRoom::Region) => self.make_room_for_index(shard, own)?,
                Err(NeedsRoom::Heap(refused)) => return Err(refused.into()),
            }
        }
    }

    /// What the helper thread does regularly: expiry, memory that waits.
    pub(crate) fn maintain(&self) {
        let _maintaining = lock(&self.maintaining);
        let now = self.common.clock.now();
        for shard in 0..self.shards.len() {
            // A shard that can't be repaired now is left alone; whoever writes to it is told.
            while let Ok(mut locked) = self.lock(shard) {
                let more = locked.expire(now, EXPIRE_BATCH) | locked.reap();
                fault::point();
                locked.hand_over(!more);
                drop(locked);
                self.shards[shard].0.let_others_in();
                // At once: it is still in this processor's cache, and the less waits the less is left
                // to writers.
                if self.common.limbo.is_overdue() {
                    self.common.collect(None);
                }
                if !more {
                    break;
                }
            }
        }
        while self.common.collect(None) {}
    }

    /// What the helper thread does at every tick: has memory ready that writers will touch soon. True if it should go
    /// on at once.
    pub(crate) fn provide_memory(&self) -> bool {
        self.common.allocator.provide_memory()
    }

    pub(crate) fn stats(&self) -> Stats {
        let [hits, misses, stale] = self.read_counts.sum();
        let (slots, index) = self.common.allocator.used_bytes();
        let fixed = self.common.layout.sketch_bytes as u64 + self.common.layout.bookkeeping_bytes;
        let (counts, entries) = self.write_counts();
        Stats {
            hits,
            stale,
            misses,
            sets: counts.sets,
            deletes: counts.deletes,
            evictions: counts.evictions,
            rejections: counts.rejections,
            expirations: counts.expirations,
            repairs: counts.repairs,
            entries,
            memory_used: slots + fixed,
            memory_max: self.max_memory,
            memory_index: index,
            memory_retired: self.common.limbo.bytes(),
        }
    }

    fn write_counts(&self) -> (WriteCounts, u64) {
        let mut sum = WriteCounts::default();
        let mut entries = 0;
        for shard in 0..self.shards.len() {
            let Ok(locked) = self.lock(shard) else {
                continue;
            };
            let counts = locked.state.counts;
            sum.sets += counts.sets;
            sum.deletes += counts.deletes;
            sum.evictions += counts.evictions + counts.rejections;
            sum.rejections += counts.rejections;
            sum.expirations += counts.expirations;
            sum.repairs += counts.repairs;
            entries += locked.state.rings.entries();
        }
        (sum, entries)
    }

    pub(crate) fn entries(&self) -> u64 {
        self.write_counts().1
    }

    /// Checks every structural invariant. Nothing may be writing at the same time; the helper thread waits.
    pub(crate) fn validate(&self) -> Result<(), String> {
        let _maintaining = lock(&self.maintaining);
        let mut expected = self.common.limbo.census(&self.common.allocator);
        let mut has_doomed = false;
        for shard in 0..self.shards.len() {
            let locked = self
                .lock(shard)
                .map_err(|Poisoned| format!("shard {shard} is poisoned"))?;
            expected = expected.plus(locked.validate(shard)?);
            has_doomed |= locked.has_doomed();
        }
        let [records, chunks, blocks] = self.common.allocator.validate()?;
        let found = Census {
            records,
            chunks,
            blocks,
        };
        let same = (found.records, found.chunks, found.blocks)
            == (expected.records, expected.chunks, expected.blocks);
        if !same && !has_doomed {
            return Err(format!(
                "slots in use: {records} records, {chunks} chunks, {blocks} index blocks; accounted for: {}, {}, {}",
                expected.records, expected.chunks, expected.blocks
            ));
        }
        Ok(())
    }
}
