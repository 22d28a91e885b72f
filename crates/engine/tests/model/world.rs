//! A cache beside a naive model of it: a hash map whose entries know when they end.
//!
//! The property tests and the fuzzer share it. Here: the model itself, and what may be said of a key;
//! `writes` and `reads` do things to both sides and compare the answers.

use crate::operation::{Op, key};
use nearcache_engine::{Cache, Clock, Config, Error, Handle, ManualClock, Ttl};
use std::collections::HashMap;

const HANDLES: usize = 3;
const L0S: usize = 2;
pub(crate) const DAY_MS: u64 = 86_400_000;
const DEFAULT_TTL_MS: u64 = 5_000;
/// An entry outlives its time to live by at most two ticks...
pub(crate) const LATE_MS: u64 = 10;
/// ... or by three units of the coarse ticks in which lives of months are stored.
pub(crate) const LATE_FAR_MS: u64 = 3 * 256 * 5;
const FAR_MS: u64 = (1 << 30) * 5 - 1_000;
/// Nobody leaves a cache unattended for longer than 32-bit ticks can tell apart.
const UNATTENDED_MS_MAX: u64 = 40 * DAY_MS;
/// The page size of the budgets that are fuzzed.
const SMALL_PAGE_BYTES: usize = 2_048;
/// Bytes that one `Fill` writes at most...
const FILL_BYTES_MAX: u64 = 400_000;
/// ... and as a multiple of the budget: a small one overflows, a large one never fills up.
const FILL_BUDGETS_MAX: u64 = 2;

/// How the cache is made.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) bytes: u64,
    pub(crate) shards: Option<u32>,
    pub(crate) seed: u64,
    pub(crate) first_tick: u64,
    /// Nothing may be lost: there is room for everything.
    pub(crate) strict: bool,
    /// There is one handle, for which writes do without what readers need.
    pub(crate) alone: bool,
}

impl Setup {
    pub(crate) fn new(bytes: u64, strict: bool) -> Self {
        Self {
            bytes,
            shards: None,
            seed: bytes,
            first_tick: 1,
            strict,
            alone: false,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) value: Vec<u8>,
    pub(crate) kind: u8,
    pub(crate) version: u64,
    /// Milliseconds from which it may be gone and must be gone; `None`: lives for ever.
    pub(crate) ends: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Life {
    Live,
    /// Between the two ends.
    Either,
    Over,
}

/// A reader's own copies, as the TypeScript layer keeps them.
#[derive(Default)]
pub(crate) struct L0 {
    pub(crate) copies: HashMap<Vec<u8>, (Vec<u8>, Option<u32>)>,
    pub(crate) head: u32,
}

pub(crate) struct World {
    pub(crate) cache: Cache,
    clock: ManualClock,
    pub(crate) handles: Vec<Handle>,
    /// The first handles' copies.
    pub(crate) l0s: Vec<L0>,
    pub(crate) entries: HashMap<Vec<u8>, Entry>,
    pub(crate) strict: bool,
    pub(crate) now_ms: u64,
    unattended_ms: u64,
    pub(crate) writes: u64,
    turn: usize,
}

impl World {
    pub(crate) fn new(setup: &Setup) -> Self {
        let (clock, manual) = Clock::manual_from(setup.first_tick);
        let config = Config {
            clock,
            seed: Some(setup.seed),
            shards: setup.shards,
            default_ttl: Ttl::Millis(DEFAULT_TTL_MS),
            max_value_size: Some((setup.bytes / 4).min(16_384)),
            ..Config::new(setup.bytes)
        };
        let cache = Cache::new(config).unwrap();
        let handles = if setup.alone { 1 } else { HANDLES };
        Self {
            handles: (0..handles).map(|_| cache.handle()).collect(),
            l0s: (0..handles.min(L0S)).map(|_| L0::default()).collect(),
            cache,
            clock: manual,
            entries: HashMap::new(),
            strict: setup.strict,
            now_ms: 0,
            unattended_ms: 0,
            writes: 0,
            turn: 0,
        }
    }

    pub(crate) fn key(&self, n: usize) -> Vec<u8> {
        key(n, self.cache.max_key_size())
    }

    /// The handles take turns.
    pub(crate) fn handle(&mut self) -> usize {
        self.turn += 1;
        self.turn % self.handles.len()
    }

    /// What an operation answered; `None` if it found no room, which is an error where one thread
    /// writes and nobody reads.
    pub(crate) fn answer<T>(&self, result: Result<T, Error>, may_be_full: bool) -> Option<T> {
        match result {
            Ok(answer) => Some(answer),
            Err(Error::NoRoom { .. }) if may_be_full => None,
            // With few bits for its directory an index fills up. It asks for a page; an entry asks
            // for less.
            Err(Error::NoRoom { bytes })
                if cfg!(nearcache_small) && !self.strict && bytes >= SMALL_PAGE_BYTES =>
            {
                None
            }
            Err(error) => panic!("one thread always finds room: {error:?}"),
        }
    }

    pub(crate) fn life(&self, entry: &Entry) -> Life {
        match entry.ends {
            Some((_, must)) if self.now_ms >= must => Life::Over,
            Some((may, _)) if self.now_ms >= may => Life::Either,
            _ => Life::Live,
        }
    }

    /// The cache says that a key is there, or that it is not: may it? A loss is final.
    pub(crate) fn note_presence(&mut self, key: &[u8], there: bool) {
        let life = self.entries.get(key).map(|entry| self.life(entry));
        if there {
            assert!(
                matches!(life, Some(Life::Live | Life::Either)),
                "{} is there, but should be {life:?}",
                shown(key)
            );
        } else {
            assert!(
                !(self.strict && life == Some(Life::Live)),
                "{} was lost",
                shown(key)
            );
            self.entries.remove(key);
        }
    }

    pub(crate) fn check_value(&mut self, key: &[u8], found: Option<(Vec<u8>, u8, u64)>) {
        self.note_presence(key, found.is_some());
        if let Some((value, kind, version)) = found {
            let entry = &self.entries[key];
            assert!(value == entry.value, "{} has another value", shown(key));
            assert_eq!(
                (kind, version),
                (entry.kind, entry.version),
                "{}",
                shown(key)
            );
        }
    }

    pub(crate) fn ttl_ms(&self, ttl: Ttl) -> Option<u64> {
        match ttl {
            Ttl::Forever => None,
            Ttl::Default => Some(DEFAULT_TTL_MS),
            Ttl::Millis(ms) => Some(ms),
        }
    }

    pub(crate) fn ends(&self, ttl: Ttl) -> Option<(u64, u64)> {
        let ttl_ms = self.ttl_ms(ttl)?;
        let late = if ttl_ms >= FAR_MS {
            LATE_FAR_MS
        } else {
            LATE_MS
        };
        Some((self.now_ms + ttl_ms, self.now_ms + ttl_ms + late))
    }

    fn advance(&mut self, ms: u64) {
        let mut left_ms = ms;
        while left_ms > 0 {
            if self.unattended_ms == UNATTENDED_MS_MAX {
                self.maintain();
            }
            let step_ms = left_ms.min(UNATTENDED_MS_MAX - self.unattended_ms);
            left_ms -= step_ms;
            self.unattended_ms += step_ms;
            self.now_ms += step_ms;
            self.clock.advance_ms(step_ms);
        }
    }

    pub(crate) fn maintain(&mut self) {
        self.unattended_ms = 0;
        self.cache.maintain();
    }

    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::Set(n, size, ttl) => {
                self.set(&self.key(*n), *size, *ttl, false);
            }
            Op::SetIfAbsent(n, size, ttl) => self.set_if_absent(&self.key(*n), *size, *ttl),
            Op::Replace(n, size, ttl) => self.replace(&self.key(*n), *size, *ttl),
            Op::CompareAndSet(n, size, ttl, current) => {
                self.compare_and_set(&self.key(*n), *size, *ttl, *current)
            }
            Op::SetMany(keys, size, ttl) => self.set_many(keys, *size, *ttl),
            Op::Get(n) => self.read(&self.key(*n)),
            Op::Heat(n) => (0..8).for_each(|_| self.read(&self.key(*n))),
            Op::Delete(n) => self.delete(&self.key(*n)),
            Op::Remaining(n) => self.remaining(&self.key(*n)),
            Op::Touch(n, ttl) => self.touch(&self.key(*n), *ttl),
            Op::GetMany(keys) => self.get_many(keys),
            Op::Scan(prefix, limit) => self.scan(prefix, *limit),
            Op::DeletePrefix(prefix) => self.delete_prefix(prefix),
            Op::Fill(count, size) => {
                let bytes_max =
                    FILL_BYTES_MAX.min(self.cache.stats().memory_max * FILL_BUDGETS_MAX);
                for n in 0..(*count).min(bytes_max as usize / (size + 100)) {
                    self.set(format!("f:{n}").as_bytes(), *size, Ttl::Forever, false);
                }
            }
            Op::Clear => self.clear(),
            Op::Advance(ms) => self.advance(*ms),
            Op::Maintain => self.maintain(),
            Op::L0Read(l0, n) => self.l0_read(*l0 % self.l0s.len(), &self.key(*n)),
            Op::WriteWhileReading(n, keys, size) => {
                self.write_while_reading(&self.key(*n), keys, *size)
            }
            Op::Exceed(n) => self.exceed(&self.key(*n)),
            Op::Renew(at) => {
                let at = at % self.handles.len();
                self.handles[at] = self.cache.handle();
                if let Some(l0) = self.l0s.get_mut(at) {
                    *l0 = L0::default();
                }
            }
        }
        self.check_structure();
    }

    pub(crate) fn check_structure(&self) {
        self.cache.validate().unwrap();
        let stats = self.cache.stats();
        assert!(stats.memory_used <= stats.memory_max, "{stats:?}");
        assert!(
            !(self.strict && stats.evictions > 0),
            "evicted although there is room: {stats:?}"
        );
    }

    /// All the rest, and that the memory comes back when everything is gone.
    pub(crate) fn finish(mut self) {
        for key in self.entries.keys().cloned().collect::<Vec<_>>() {
            self.read(&key);
        }
        self.handles[0].clear().unwrap();
        self.cache.maintain();
        self.cache.validate().unwrap();
        let stats = self.cache.stats();
        assert_eq!((stats.entries, stats.memory_retired), (0, 0), "{stats:?}");
    }
}

/// A fresh cache, all operations one after the other, and the end of it.
pub(crate) fn run(setup: &Setup, operations: &[Op]) {
    let mut world = World::new(setup);
    for op in operations {
        world.apply(op);
    }
    world.finish();
}

pub(crate) fn shown(key: &[u8]) -> String {
    format!("\"{}\"", key[..key.len().min(40)].escape_ascii())
}
