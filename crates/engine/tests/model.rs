//! Random operations against a naive model: a hash map whose entries know when they end.
//!
//! The cache may have lost an entry (evicted it), but never answers a wrong, superseded or expired
//! value, never gives back what it has lost, and loses nothing at all while it has room. After every
//! operation all structural invariants are checked.
//!
//! Time is a manual clock. An entry must live for its time to live, may live a little longer (the
//! rounding to ticks) and then must not be served: the model knows both ends and accepts either answer
//! in between.

use nearcache_engine::{Cache, Clock, Config, Cursor, Drained, Error, Handle, ManualClock, Ttl};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::Ordering;

const HANDLES: usize = 3;
const DAY_MS: u64 = 86_400_000;
/// An entry outlives its time to live by at most two ticks...
const LATE_MS: u64 = 10;
/// ... or by three units of the coarse ticks in which lives of months are stored.
const LATE_FAR_MS: u64 = 3 * 256 * 5;
const FAR_MS: u64 = (1 << 30) * 5 - 1_000;
/// Nobody leaves a cache unattended for longer than 32-bit ticks can tell apart.
const UNATTENDED_MS_MAX: u64 = 40 * DAY_MS;

#[derive(Clone, Debug)]
enum Op {
    Set(usize, usize, Ttl),
    SetIfAbsent(usize, usize, Ttl),
    Replace(usize, usize, Ttl),
    /// With the entry's version, or that of an earlier one.
    CompareAndSet(usize, usize, Ttl, bool),
    Get(usize),
    Heat(usize),
    Delete(usize),
    Remaining(usize),
    Touch(usize, Ttl),
    GetMany(Vec<usize>),
    Scan(&'static str, usize),
    DeletePrefix(&'static str),
    /// Sets so many further keys of one size.
    Fill(usize, usize),
    Clear,
    Advance(u64),
    Maintain,
    L0Read(usize, usize),
}

fn ttl() -> impl Strategy<Value = Ttl> {
    prop_oneof![
        6 => Just(Ttl::Forever),
        1 => Just(Ttl::Default),
        1 => Just(Ttl::Millis(0)),
        3 => (1u64..40).prop_map(Ttl::Millis),
        3 => (40u64..10_000).prop_map(Ttl::Millis),
        2 => (10_000u64..100 * DAY_MS).prop_map(Ttl::Millis),
        2 => (100 * DAY_MS..3_600 * DAY_MS).prop_map(Ttl::Millis),
    ]
}

/// Sizes around what matters: empty, a slot, the largest slot of a small page, several chunks.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0usize..100, 2 => 100usize..900, 2 => 900usize..1_200, 2 => 1_200usize..6_000, 1 => 6_000usize..16_384]
}

const KEYS: usize = 30;

fn key(n: usize) -> Vec<u8> {
    match n {
        0 => Vec::new(),
        // Keys that need chunks themselves.
        1..3 => [&b"long:"[..], &vec![n as u8; 1_500 * n]].concat(),
        3..16 => format!("a:{n}").into_bytes(),
        _ => format!("b:{n}").into_bytes(),
    }
}

fn operation() -> impl Strategy<Value = Op> {
    let key = || 0..KEYS;
    prop_oneof![
        12 => (key(), size(), ttl()).prop_map(|(k, s, t)| Op::Set(k, s, t)),
        4 => (key(), size(), ttl()).prop_map(|(k, s, t)| Op::SetIfAbsent(k, s, t)),
        4 => (key(), size(), ttl()).prop_map(|(k, s, t)| Op::Replace(k, s, t)),
        4 => (key(), size(), ttl(), any::<bool>()).prop_map(|(k, s, t, c)| Op::CompareAndSet(k, s, t, c)),
        8 => key().prop_map(Op::Get),
        4 => key().prop_map(Op::Heat),
        4 => key().prop_map(Op::Delete),
        3 => key().prop_map(Op::Remaining),
        6 => (key(), ttl()).prop_map(|(k, t)| Op::Touch(k, t)),
        2 => proptest::collection::vec(key(), 0..40).prop_map(Op::GetMany),
        2 => (prop_oneof![Just(""), Just("a:"), Just("f:"), Just("f:1")], 1usize..50).prop_map(|(p, l)| Op::Scan(p, l)),
        1 => prop_oneof![Just("a:"), Just("f:"), Just("f:1")].prop_map(Op::DeletePrefix),
        4 => (1usize..400, size()).prop_map(|(n, s)| Op::Fill(n, s)),
        1 => Just(Op::Clear),
        5 => prop_oneof![4 => 1u64..50, 3 => 50u64..20_000, 1 => 20_000..20 * DAY_MS].prop_map(Op::Advance),
        4 => Just(Op::Maintain),
        10 => (0..2usize, key()).prop_map(|(l0, k)| Op::L0Read(l0, k)),
    ]
}

/// The bytes of write number `write`: no two writes have the same, even if their lengths agree.
fn content(write: u64, len: usize) -> Vec<u8> {
    let mut state = (write + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state ^= state >> 29;
        state = state.wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state
    };
    (0..len.div_ceil(8))
        .flat_map(|_| next().to_le_bytes())
        .take(len)
        .collect()
}

#[derive(Clone, Debug)]
struct Entry {
    value: Vec<u8>,
    kind: u8,
    version: u64,
    /// Milliseconds from which it may be gone and must be gone; `None`: lives for ever.
    ends: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Life {
    Live,
    /// Between the two ends.
    Either,
    Over,
}

/// A reader's own copies, as the TypeScript layer keeps them.
#[derive(Default)]
struct L0 {
    copies: HashMap<Vec<u8>, (Vec<u8>, Option<u32>)>,
    head: u32,
}

struct World {
    cache: Cache,
    clock: ManualClock,
    handles: Vec<Handle>,
    l0s: Vec<L0>,
    entries: HashMap<Vec<u8>, Entry>,
    /// Nothing may be lost.
    strict: bool,
    default_ttl_ms: u64,
    now_ms: u64,
    unattended_ms: u64,
    writes: u64,
    turn: usize,
}

impl World {
    fn new(bytes: u64, strict: bool) -> Self {
        let (clock, manual) = Clock::manual();
        let config = Config {
            clock,
            seed: Some(bytes),
            default_ttl: Ttl::Millis(5_000),
            max_value_size: Some((bytes / 4).min(16_384)),
            ..Config::new(bytes)
        };
        let cache = Cache::new(config).unwrap();
        Self {
            handles: (0..HANDLES).map(|_| cache.handle()).collect(),
            l0s: (0..2).map(|_| L0::default()).collect(),
            cache,
            clock: manual,
            entries: HashMap::new(),
            strict,
            default_ttl_ms: 5_000,
            now_ms: 0,
            unattended_ms: 0,
            writes: 0,
            turn: 0,
        }
    }

    /// The handles take turns.
    fn handle(&mut self) -> usize {
        self.turn += 1;
        self.turn % HANDLES
    }

    fn life(&self, entry: &Entry) -> Life {
        match entry.ends {
            Some((_, must)) if self.now_ms >= must => Life::Over,
            Some((may, _)) if self.now_ms >= may => Life::Either,
            _ => Life::Live,
        }
    }

    /// The cache says that a key is there, or that it is not: may it? A loss is final.
    fn note_presence(&mut self, key: &[u8], there: bool) {
        let life = self.entries.get(key).map(|entry| self.life(entry));
        if there {
            assert!(
                matches!(life, Some(Life::Live | Life::Either)),
                "{:?} is there, but should be {life:?}",
                key.escape_ascii().to_string()
            );
        } else {
            assert!(
                !(self.strict && life == Some(Life::Live)),
                "{:?} was lost",
                key.escape_ascii().to_string()
            );
            self.entries.remove(key);
        }
    }

    fn check_value(&mut self, key: &[u8], found: Option<(Vec<u8>, u8, u64)>) {
        self.note_presence(key, found.is_some());
        if let Some((value, kind, version)) = found {
            let entry = &self.entries[key];
            assert!(
                value == entry.value,
                "{:?} has another value",
                key.escape_ascii().to_string()
            );
            assert_eq!(
                (kind, version),
                (entry.kind, entry.version),
                "{:?}",
                key.escape_ascii().to_string()
            );
        }
    }

    fn read(&mut self, key: &[u8]) {
        let at = self.handle();
        let found =
            self.handles[at].get(key, |value| (value.to_vec(), value.kind(), value.version()));
        assert_eq!(self.handles[at].contains(key), found.is_some());
        self.check_value(key, found);
    }

    fn ttl_ms(&self, ttl: Ttl) -> Option<u64> {
        match ttl {
            Ttl::Forever => None,
            Ttl::Default => Some(self.default_ttl_ms),
            Ttl::Millis(ms) => Some(ms),
        }
    }

    fn ends(&self, ttl: Ttl) -> Option<(u64, u64)> {
        let ttl_ms = self.ttl_ms(ttl)?;
        let late = if ttl_ms >= FAR_MS {
            LATE_FAR_MS
        } else {
            LATE_MS
        };
        Some((self.now_ms + ttl_ms, self.now_ms + ttl_ms + late))
    }

    /// A write was accepted: it must be readable at once, unless its time to live is zero.
    fn note_write(&mut self, key: &[u8], value: Vec<u8>, kind: u8, ttl: Ttl) {
        if self.ttl_ms(ttl) == Some(0) {
            self.entries.remove(key);
            self.read(key);
            return;
        }
        let at = self.handle();
        let version = self.handles[at].peek(key, |value| value.version());
        let version = version.expect("what was just written is readable");
        let ends = self.ends(ttl);
        self.entries.insert(
            key.to_vec(),
            Entry {
                value,
                kind,
                version,
                ends,
            },
        );
        self.read(key);
        assert!(
            self.entries.contains_key(key),
            "what was just written is readable"
        );
    }

    /// A write under a condition, by `store`; `there` is what the condition asks for.
    fn write_if(
        &mut self,
        key: &[u8],
        size: usize,
        ttl: Ttl,
        there: bool,
        store: impl FnOnce(&Handle, &[u8], u8) -> Result<bool, Error>,
    ) {
        self.writes += 1;
        let (value, kind) = (
            content(self.writes, size.min(self.cache.max_value_size() as usize)),
            (self.writes % 16) as u8,
        );
        let at = self.handle();
        let stored = store(&self.handles[at], &value, kind).expect("one thread always finds room");
        self.note_presence(key, stored == there);
        if stored {
            self.note_write(key, value, kind, ttl);
        }
    }

    fn set(&mut self, key: &[u8], size: usize, ttl: Ttl) {
        self.writes += 1;
        let (value, kind) = (
            content(self.writes, size.min(self.cache.max_value_size() as usize)),
            (self.writes % 16) as u8,
        );
        let at = self.handle();
        self.handles[at]
            .set(key, &value, kind, ttl)
            .expect("one thread always finds room");
        self.note_write(key, value, kind, ttl);
    }

    fn compare_and_set(&mut self, key: &[u8], size: usize, ttl: Ttl, current: bool) {
        let version = self.entries.get(key).map_or(7, |entry| entry.version);
        if current {
            return self.write_if(key, size, ttl, true, |handle, value, kind| {
                handle.compare_and_set(key, version, value, kind, ttl)
            });
        }
        let value = content(0, size.min(self.cache.max_value_size() as usize));
        let at = self.handle();
        let stored = self.handles[at].compare_and_set(key, version.wrapping_sub(1), &value, 0, ttl);
        assert_eq!(
            stored,
            Ok(false),
            "another version was taken for the current one"
        );
        // And nothing has changed.
        self.read(key);
    }

    fn touch(&mut self, key: &[u8], ttl: Ttl) {
        let at = self.handle();
        let touched = self.handles[at]
            .touch(key, ttl)
            .expect("one thread always finds room");
        self.note_presence(key, touched);
        if !touched {
            return;
        }
        if self.ttl_ms(ttl) == Some(0) {
            self.entries.remove(key);
        } else {
            let version = self.handles[at]
                .peek(key, |value| value.version())
                .expect("a touched entry is there");
            let ends = self
                .ends(ttl)
                .map(|(may, must)| (may, must + LATE_FAR_MS - LATE_MS));
            // A record of years can hold seconds only in a copy, and the other way round: near or far
            // depends on what it was before.
            let entry = self.entries.get_mut(key).unwrap();
            (entry.version, entry.ends) = (version, ends);
        }
        self.read(key);
    }

    fn remaining(&mut self, key: &[u8]) {
        let at = self.handle();
        let left = self.handles[at].remaining_ms(key);
        self.note_presence(key, left.is_some());
        let Some(left) = left else { return };
        match self.entries[key].ends {
            None => assert_eq!(left, u64::MAX),
            Some((may, must)) => {
                let late = must - may;
                assert!(
                    left + late >= may.saturating_sub(self.now_ms),
                    "{left} of {may} at {}",
                    self.now_ms
                );
                assert!(
                    left <= must.saturating_sub(self.now_ms).max(1),
                    "{left} until {must} at {}",
                    self.now_ms
                );
            }
        }
    }

    fn get_many(&mut self, keys: &[usize]) {
        let keys: Vec<Vec<u8>> = keys.iter().map(|n| key(*n)).collect();
        let borrowed: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let mut found = Vec::new();
        let at = self.handle();
        self.handles[at].get_many(&borrowed, |place, value| {
            assert_eq!(place, found.len());
            found.push(value.map(|value| (value.to_vec(), value.kind(), value.version())));
        });
        assert_eq!(found.len(), keys.len());
        for (key, found) in keys.iter().zip(found) {
            self.check_value(key, found);
        }
    }

    fn scan(&mut self, prefix: &str, limit: usize) {
        let at = self.handle();
        let mut seen = HashMap::new();
        let mut cursor = Some(Cursor::START);
        while let Some(from) = cursor {
            cursor = self.handles[at].scan(from, prefix.as_bytes(), limit, |key, value| {
                let found = (value.to_vec(), value.kind(), value.version());
                assert!(
                    seen.insert(key.to_vec(), found).is_none(),
                    "nothing changes, so nothing comes twice"
                );
            });
        }
        let expected: Vec<Vec<u8>> = self
            .entries
            .keys()
            .filter(|key| key.starts_with(prefix.as_bytes()))
            .cloned()
            .collect();
        for key in expected {
            self.check_value(&key, seen.remove(&key));
        }
        assert!(
            seen.is_empty(),
            "{} entries that should not be there",
            seen.len()
        );
    }

    fn delete_prefix(&mut self, prefix: &str) {
        let at = self.handle();
        let deleted = self.handles[at].delete_prefix(prefix.as_bytes()).unwrap();
        let lives: Vec<Life> = self
            .entries
            .iter()
            .filter(|(key, _)| key.starts_with(prefix.as_bytes()))
            .map(|(_, entry)| self.life(entry))
            .collect();
        let most = lives.iter().filter(|life| **life != Life::Over).count() as u64;
        let least = lives.iter().filter(|life| **life == Life::Live).count() as u64;
        assert!(
            deleted <= most && (!self.strict || deleted >= least),
            "{deleted} of {least} to {most}"
        );
        self.entries
            .retain(|key, _| !key.starts_with(prefix.as_bytes()));
        self.scan(prefix, 10);
    }

    fn advance(&mut self, ms: u64) {
        if self.unattended_ms + ms > UNATTENDED_MS_MAX {
            self.maintain();
        }
        self.unattended_ms += ms;
        self.now_ms += ms;
        self.clock.advance_ms(ms);
    }

    fn maintain(&mut self) {
        self.unattended_ms = 0;
        self.cache.maintain();
    }

    /// What the TypeScript layer does: believe a copy while the head stands and its time is not over.
    fn l0_read(&mut self, at: usize, key: &[u8]) {
        if self.unattended_ms > 0 {
            // The helper thread moves the L0s' clock together with the cache's.
            self.maintain();
        }
        let signal = self.cache.signal();
        let l0 = &mut self.l0s[at];
        if signal.changes.load(Ordering::Acquire) != l0.head {
            let drained = self.handles[at].drain_changes(|key| {
                l0.copies.remove(key);
            });
            l0.head = match drained {
                Drained::Keys { head } => head,
                Drained::Lapped { head } => {
                    l0.copies.clear();
                    head
                }
            };
        }
        let now = signal.now.load(Ordering::Relaxed);
        let over =
            |expiry: Option<u32>| expiry.is_some_and(|tick| tick.wrapping_sub(now) as i32 <= 0);
        if let Some((value, expiry)) = self.l0s[at]
            .copies
            .get(key)
            .filter(|(_, expiry)| !over(*expiry))
        {
            let entry = self
                .entries
                .get(key)
                .expect("a copy of what is no longer there");
            assert!(*value == entry.value, "a stale copy");
            assert!(
                self.life(entry) != Life::Over,
                "a copy that lives longer than its entry: {expiry:?}"
            );
            return;
        }
        for _ in 0..4 {
            let found = self.handles[at].get_watched(key, |value| {
                (value.to_vec(), value.watched(), value.expiry_tick())
            });
            if let Some((value, true, expiry)) = found {
                self.l0s[at].copies.insert(key.to_vec(), (value, expiry));
                break;
            }
        }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Set(n, size, ttl) => self.set(&key(*n), *size, *ttl),
            Op::SetIfAbsent(n, size, ttl) => {
                let key = key(*n);
                self.write_if(&key, *size, *ttl, false, |handle, value, kind| {
                    handle.set_if_absent(&key, value, kind, *ttl)
                });
            }
            Op::Replace(n, size, ttl) => {
                let key = key(*n);
                self.write_if(&key, *size, *ttl, true, |handle, value, kind| {
                    handle.replace(&key, value, kind, *ttl)
                });
            }
            Op::CompareAndSet(n, size, ttl, current) => {
                self.compare_and_set(&key(*n), *size, *ttl, *current)
            }
            Op::Get(n) => self.read(&key(*n)),
            Op::Heat(n) => (0..8).for_each(|_| self.read(&key(*n))),
            Op::Delete(n) => {
                let at = self.handle();
                let deleted = self.handles[at].delete(&key(*n)).unwrap();
                self.note_presence(&key(*n), deleted);
                self.entries.remove(&key(*n));
                self.read(&key(*n));
            }
            Op::Remaining(n) => self.remaining(&key(*n)),
            Op::Touch(n, ttl) => self.touch(&key(*n), *ttl),
            Op::GetMany(keys) => self.get_many(keys),
            Op::Scan(prefix, limit) => self.scan(prefix, *limit),
            Op::DeletePrefix(prefix) => self.delete_prefix(prefix),
            Op::Fill(count, size) => {
                // So many that a small budget overflows and a large one never fills up.
                for n in 0..(*count).min(400_000 / (size + 100)) {
                    self.set(format!("f:{n}").as_bytes(), *size, Ttl::Forever);
                }
            }
            Op::Clear => {
                let at = self.handle();
                self.handles[at].clear().unwrap();
                self.entries.clear();
                self.scan("", 1_000);
            }
            Op::Advance(ms) => self.advance(*ms),
            Op::Maintain => self.maintain(),
            Op::L0Read(l0, n) => self.l0_read(*l0, &key(*n)),
        }
        self.cache.validate().unwrap();
        let stats = self.cache.stats();
        assert!(stats.memory_used <= stats.memory_max, "{stats:?}");
        assert!(
            !(self.strict && stats.evictions > 0),
            "evicted although there is room: {stats:?}"
        );
    }

    /// All the rest, and that the memory comes back when everything is gone.
    fn finish(mut self) {
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

fn run(bytes: u64, strict: bool, operations: &[Op]) {
    let mut world = World::new(bytes, strict);
    for op in operations {
        world.apply(op);
    }
    world.finish();
}

fn config(cases: u32) -> ProptestConfig {
    // Cases from the environment (PROPTEST_CASES) for longer runs.
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(cases);
    ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 4_096,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn a_full_cache_may_forget_but_never_errs(
        bytes in prop_oneof![Just(64u64 << 10), Just(100 << 10), Just(256 << 10), Just(1 << 20)],
        operations in proptest::collection::vec(operation(), 1..120),
    ) {
        run(bytes, false, &operations);
    }

    #[test]
    fn a_cache_with_room_forgets_nothing(operations in proptest::collection::vec(operation(), 1..120)) {
        run(16 << 20, true, &operations);
    }
}
