//! The engine itself, through its public interface: one shard, a fixed seed and the trace's own time,
//! so that every run gives the same.

use super::{Capacity, Counts, EntrySize, Policy};
use crate::error::Error;
use crate::request::Request;
use nearcache_engine::{
    Cache, Clock, Config, Handle, Limit, MEMORY_BYTES_MIN, ManualClock, TTL_MS_MAX, Ttl,
};

/// What the engine's random choices are made from unless another is given.
pub const SEED: u64 = 0x6e65_6172_6361_6368;
/// Bytes of a key in the engine: the number itself.
const KEY_BYTES: u64 = 8;
/// What an entry takes beside key and value: its header, and its part of the index.
const HEADER_BYTES: u64 = 32;
const INDEX_BYTES: u64 = 24;
/// Beside the entries: fixed structures, and slots that wait for being free again.
const SPARE_BYTES: u64 = 128 * 1024;

/// See the module's documentation.
pub struct Nearcache {
    cache: Cache,
    handle: Handle,
    clock: ManualClock,
    now_ms: Option<u64>,
    capacity: Capacity,
    size: EntrySize,
    key: Vec<u8>,
    value: Vec<u8>,
    refused: u64,
}

impl Nearcache {
    /// An empty cache. The seed decides what it chooses at random: which keys its miniatures follow, above all.
    ///
    /// # Errors
    /// If the engine refuses the size.
    pub fn open(capacity: Capacity, size: EntrySize, seed: u64) -> Result<Self, Error> {
        let (clock, manual) = Clock::manual();
        let (budget, limit) = match capacity {
            Capacity::Entries(entries) => (
                budget(entries, size.value_bytes)?,
                Some(Limit::Entries(entries)),
            ),
            // Only the weight is stored, so that footprints of any size fit into memory.
            Capacity::ValueBytes { bytes, entries_max } => (
                budget(entries_max.min(bytes), KEY_BYTES)?,
                Some(Limit::Weight(bytes)),
            ),
            Capacity::Budget(bytes) => (bytes, None),
        };
        let cache = Cache::new(Config {
            shards: Some(1),
            seed: Some(seed),
            clock,
            limit,
            ..Config::new(budget)
        })?;
        Ok(Self {
            handle: cache.handle(),
            cache,
            clock: manual,
            now_ms: None,
            capacity,
            size,
            key: Vec::new(),
            value: Vec::new(),
            refused: 0,
        })
    }

    /// Moves the engine's time to the request's, and lets it do what its helper thread would do.
    fn keep_time(&mut self, request: &Request) {
        let Some(time_ms) = request.time_ms else {
            return;
        };
        let now_ms = *self.now_ms.get_or_insert(time_ms);
        if time_ms > now_ms {
            self.clock.advance_ms(time_ms - now_ms);
            self.cache.maintain();
            self.now_ms = Some(time_ms);
        }
    }

    fn fill_key(&mut self, request: &Request) {
        self.key.clear();
        self.key.extend_from_slice(&request.key.to_le_bytes());
        if matches!(self.capacity, Capacity::Budget(_)) {
            // Keys beyond the limit are stored as their hash alone.
            let length = request.key_bytes as usize;
            if length <= self.cache.max_key_size() {
                self.key.resize(length.max(KEY_BYTES as usize), 0);
            }
        }
    }

    /// False if it can't be stored.
    fn store(&mut self, request: &Request) -> bool {
        let length = match self.capacity {
            Capacity::Entries(_) => self.size.value_bytes,
            Capacity::ValueBytes { .. } => KEY_BYTES,
            Capacity::Budget(_) => self.size.of(request),
        };
        if length > self.cache.max_value_size() {
            self.refused += 1;
            return false;
        }
        self.value.resize(length as usize, 0);
        if matches!(self.capacity, Capacity::ValueBytes { .. }) {
            let weight = request.size.unwrap_or(self.size.value_bytes);
            self.value.copy_from_slice(&weight.to_le_bytes());
        }
        let ttl = match request.ttl_ms {
            Some(ttl) if request.time_ms.is_some() => Ttl::Millis(ttl.min(TTL_MS_MAX)),
            _ => Ttl::Forever,
        };
        let is_stored = self.handle.set(&self.key, &self.value, 0, ttl).is_ok();
        self.refused += u64::from(!is_stored);
        is_stored
    }
}

/// A budget that surely holds so many entries with values of so many bytes, and little more: what the
/// engine derives from it, such as the size of its sketch, is near what it would be in use.
fn budget(entries: u64, value_bytes: u64) -> Result<u64, Error> {
    // Slots are up to an eighth larger than what lies in them, in small caches more.
    let payload = HEADER_BYTES + KEY_BYTES + value_bytes;
    let each = payload + payload / 4 + INDEX_BYTES;
    let all = entries
        .checked_mul(each)
        .and_then(|all| all.checked_add(SPARE_BYTES + 16 * each));
    all.map(|budget| budget.max(MEMORY_BYTES_MIN))
        .ok_or_else(|| {
            Error::usage(format!(
                "{entries} entries of {value_bytes} bytes are more than any machine holds"
            ))
        })
}

impl Policy for Nearcache {
    fn read(&mut self, request: &Request) -> bool {
        self.keep_time(request);
        self.fill_key(request);
        if self.handle.get(&self.key, |_| ()).is_some() {
            return true;
        }
        self.store(request);
        false
    }

    fn write(&mut self, request: &Request) {
        self.keep_time(request);
        self.fill_key(request);
        if !self.store(request) {
            // An older value would be a wrong answer, and no hit.
            let _ = self.handle.delete(&self.key);
        }
    }

    fn delete(&mut self, request: &Request) {
        self.keep_time(request);
        self.fill_key(request);
        if self.handle.delete(&self.key).is_err() {
            self.refused += 1;
        }
    }

    fn counts(&self) -> Counts {
        let stats = self.cache.stats();
        Counts {
            evictions: stats.evictions,
            rejected: stats.rejections + self.refused,
            expired: stats.expirations,
        }
    }

    fn entries(&self) -> u64 {
        self.cache.len()
    }
}
