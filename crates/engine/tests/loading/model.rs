//! Random operations of several handles against a naive model: a map of claims, a map of values, and
//! entries that know what they were made from.

use nearcache_engine::{Cache, Claim, Clock, Config, Handle, ManualClock, Released, TICK_MS, Ttl};
use proptest::prelude::*;
use std::collections::HashMap;

/// Some begin with others.
const KEYS: [&[u8]; 5] = [b"", b"a", b"ab", b"abc", b"b"];
const HANDLES: usize = 3;
const YEAR_MS: u64 = 366 * 24 * 3_600_000;

#[derive(Clone, Debug)]
enum Op {
    Claim(usize, usize, u64),
    Extend(usize, u64),
    Release(usize),
    SetClaimed(usize, bool),
    Set(usize, usize),
    SetIfAbsent(usize, usize),
    Replace(usize, usize),
    CompareAndSet(usize, usize),
    Touch(usize, u64),
    Delete(usize, usize),
    DeletePrefix(usize),
    Clear,
    Advance(u64),
    Renew(usize),
    InvalidateTags(Vec<usize>),
    /// Makes an entry with tags and dependencies; whether the stamp is taken first.
    Load(Vec<usize>, Vec<usize>, bool),
}

fn operation() -> impl Strategy<Value = Op> {
    let (handle, key) = (|| 0..HANDLES, || 0..KEYS.len());
    let some = || proptest::collection::vec(0..KEYS.len(), 0..3);
    let nth = || 0..40usize;
    prop_oneof![
        10 => (handle(), key(), 0u64..200).prop_map(|(h, k, ms)| Op::Claim(h, k, ms)),
        2 => (nth(), 0u64..200).prop_map(|(n, ms)| Op::Extend(n, ms)),
        4 => nth().prop_map(Op::Release),
        8 => (nth(), any::<bool>()).prop_map(|(n, long)| Op::SetClaimed(n, long)),
        2 => (handle(), key()).prop_map(|(h, k)| Op::Set(h, k)),
        2 => (handle(), key()).prop_map(|(h, k)| Op::SetIfAbsent(h, k)),
        1 => (handle(), key()).prop_map(|(h, k)| Op::Replace(h, k)),
        1 => (handle(), key()).prop_map(|(h, k)| Op::CompareAndSet(h, k)),
        1 => (key(), prop_oneof![Just(3_600_000), Just(YEAR_MS)]).prop_map(|(k, ms)| Op::Touch(k, ms)),
        2 => (handle(), key()).prop_map(|(h, k)| Op::Delete(h, k)),
        1 => key().prop_map(Op::DeletePrefix),
        1 => Just(Op::Clear),
        3 => (1u64..100).prop_map(Op::Advance),
        1 => handle().prop_map(Op::Renew),
        2 => some().prop_map(Op::InvalidateTags),
        4 => (some(), some(), any::<bool>()).prop_map(|(t, d, first)| Op::Load(t, d, first)),
    ]
}

struct Held {
    token: u64,
    owner: usize,
    end: u64,
    is_awaited: bool,
    /// Not, if it took over an awaited one that was over: that may have been forgotten first.
    is_sure: bool,
    is_superseded: bool,
}

/// An entry whose value was made from others.
struct Made {
    tags: Vec<usize>,
    keys: Vec<usize>,
    stamp: u64,
    tags_are_current: bool,
    keys_are_current: bool,
}

struct World {
    cache: Cache,
    clock: ManualClock,
    handles: Vec<Handle>,
    tick: u64,
    claims: HashMap<usize, Held>,
    /// All that were ever given, with their keys.
    tokens: Vec<(usize, u64)>,
    values: HashMap<usize, Vec<u8>>,
    made: Vec<Made>,
    writes: u32,
}

fn names(keys: &[usize]) -> Vec<&'static [u8]> {
    keys.iter().map(|key| KEYS[*key]).collect()
}

impl World {
    fn new() -> Self {
        let (clock, manual) = Clock::manual_from(0);
        let config = Config {
            clock,
            seed: Some(3),
            shards: Some(2),
            ..Config::new(1 << 20)
        };
        let cache = Cache::new(config).unwrap();
        Self {
            handles: (0..HANDLES).map(|_| cache.handle()).collect(),
            cache,
            clock: manual,
            tick: 0,
            claims: HashMap::new(),
            tokens: Vec::new(),
            values: HashMap::new(),
            made: Vec::new(),
            writes: 0,
        }
    }

    /// Values of one length and of others, so that some are written in place.
    fn next_value(&mut self, is_long: bool) -> Vec<u8> {
        self.writes += 1;
        let mut value = self.writes.to_le_bytes().to_vec();
        value.resize(if is_long { 5_000 } else { 40 }, 7);
        value
    }

    fn token(&self, nth: usize) -> Option<(usize, u64)> {
        let from_last = nth % self.tokens.len().max(1);
        self.tokens.iter().rev().nth(from_last).copied()
    }

    fn is_current(&self, key: usize, token: u64) -> bool {
        let held = self.claims.get(&key);
        held.is_some_and(|held| held.token == token && !held.is_superseded)
    }

    fn note_write(&mut self, key: usize, value: Option<Vec<u8>>) {
        if let Some(held) = self.claims.get_mut(&key) {
            held.is_superseded = true;
        }
        self.note_stored(key, value);
    }

    fn note_stored(&mut self, key: usize, value: Option<Vec<u8>>) {
        self.values.remove(&key);
        self.values.extend(value.map(|value| (key, value)));
        for made in self.made.iter_mut().filter(|made| made.keys.contains(&key)) {
            made.keys_are_current = false;
        }
    }

    fn note_deleted_prefix(&mut self, prefix: &[u8]) {
        for key in (0..KEYS.len()).filter(|key| KEYS[*key].starts_with(prefix)) {
            self.note_write(key, None);
        }
        for made in self.made.iter_mut().filter(|made| !made.keys.is_empty()) {
            made.keys_are_current = false;
        }
    }

    fn claim(&mut self, handle: usize, key: usize, lease_ms: u64) {
        let claim = self.handles[handle].claim(KEYS[key], lease_ms).unwrap();
        let old = self.claims.get_mut(&key);
        let is_held = |held: &&mut Held| !held.is_superseded && held.end > self.tick;
        let was_awaited = old.as_ref().is_some_and(|held| held.is_awaited);
        let is_sure = old
            .as_ref()
            .is_none_or(|held| held.is_sure && !(held.is_awaited && held.end <= self.tick));
        if let Some(held) = old.filter(is_held) {
            (held.is_awaited, held.is_sure) = (true, true);
            let remaining_ms = ((held.end - self.tick - 1) * TICK_MS).max(1);
            assert_eq!(claim, Claim::Held { remaining_ms });
            return;
        }
        let Claim::Owned(token) = claim else {
            panic!("{claim:?}, but nobody holds it");
        };
        assert!(self.tokens.iter().all(|(_, given)| *given < token));
        self.tokens.push((key, token));
        let held = Held {
            token,
            owner: handle,
            end: self.tick + lease_ms.div_ceil(TICK_MS) + 1,
            is_awaited: was_awaited,
            is_sure,
            is_superseded: false,
        };
        self.claims.insert(key, held);
    }

    fn release(&mut self, key: usize, token: u64) {
        let released = self.handles[0].release_claim(KEYS[key], token);
        let held = self.claims.get(&key).filter(|held| held.token == token);
        let expected = held.map_or(Released::default(), |held| Released {
            was_ours: !held.is_superseded,
            is_awaited: if held.is_sure {
                held.is_awaited
            } else {
                released.is_awaited
            },
        });
        // A claim that was over may have made room for another one.
        let is_over = held.is_some_and(|held| held.end <= self.tick);
        assert!(released == expected || is_over && released == Released::default());
        if held.is_some() {
            self.claims.remove(&key);
        }
    }

    fn store_if(&mut self, handle: usize, key: usize, when_present: bool) {
        let value = self.next_value(false);
        let (handle, name) = (&self.handles[handle], KEYS[key]);
        let stored = if when_present {
            handle.replace(name, &value, 0, Ttl::Forever)
        } else {
            handle.set_if_absent(name, &value, 0, Ttl::Forever)
        };
        assert_eq!(stored, Ok(self.values.contains_key(&key) == when_present));
        if stored.unwrap() {
            self.note_write(key, Some(value));
        }
    }

    fn compare_and_set(&mut self, handle: usize, key: usize) {
        let value = self.next_value(false);
        let (handle, name) = (&self.handles[handle], KEYS[key]);
        let version = handle.peek(name, |value| value.version());
        let wrong = version.unwrap_or(5).wrapping_sub(1);
        assert_eq!(
            handle.compare_and_set(name, wrong, b"", 0, Ttl::Forever),
            Ok(false)
        );
        if let Some(version) = version {
            let stored = handle.compare_and_set(name, version, &value, 0, Ttl::Forever);
            assert_eq!(stored, Ok(true));
            self.note_write(key, Some(value));
        }
    }

    fn set_claimed(&mut self, key: usize, token: u64, is_long: bool) {
        let value = self.next_value(is_long);
        let expected = self.is_current(key, token);
        let stored = self.handles[1].set_claimed(KEYS[key], token, &value, 0, Ttl::Forever);
        if self.is_swept(key, token, stored == Ok(false)) {
            return;
        }
        assert_eq!(stored, Ok(expected));
        if expected {
            // No news of the key: what depends on it stays valid.
            self.values.insert(key, value);
        }
    }

    /// A claim whose time is over may be forgotten.
    fn is_swept(&mut self, key: usize, token: u64, is_refused: bool) -> bool {
        let tick = self.tick;
        let is_current = self.is_current(key, token);
        let held = self.claims.get(&key).filter(|_| is_current);
        let is_swept = is_refused && held.is_some_and(|held| held.end <= tick);
        if is_swept {
            self.claims.remove(&key);
        }
        is_swept
    }

    fn load(&mut self, tags: Vec<usize>, keys: Vec<usize>, is_stamped_first: bool) {
        let handle = &self.handles[2];
        let before = handle.stamp();
        handle.depend(names(&keys)).unwrap();
        let stamp = if is_stamped_first {
            before
        } else {
            handle.stamp()
        };
        let made = Made {
            tags,
            keys,
            stamp,
            tags_are_current: true,
            keys_are_current: true,
        };
        self.made.push(made);
    }

    fn apply(&mut self, operation: Op) {
        match operation {
            Op::Claim(handle, key, lease_ms) => self.claim(handle, key, lease_ms),
            Op::Set(handle, key) => {
                let value = self.next_value(false);
                self.handles[handle]
                    .set(KEYS[key], &value, 0, Ttl::Forever)
                    .unwrap();
                self.note_write(key, Some(value));
            }
            Op::SetIfAbsent(handle, key) => self.store_if(handle, key, false),
            Op::Replace(handle, key) => self.store_if(handle, key, true),
            Op::CompareAndSet(handle, key) => self.compare_and_set(handle, key),
            Op::Touch(key, ms) => {
                let touched = self.handles[0].touch(KEYS[key], Ttl::Millis(ms));
                assert_eq!(touched, Ok(self.values.contains_key(&key)));
            }
            Op::Delete(handle, key) => {
                let deleted = self.handles[handle].delete(KEYS[key]);
                assert_eq!(deleted, Ok(self.values.contains_key(&key)));
                self.note_write(key, None);
            }
            Op::DeletePrefix(key) => {
                self.handles[0].delete_prefix(KEYS[key]).unwrap();
                self.note_deleted_prefix(KEYS[key]);
            }
            Op::Clear => {
                self.handles[0].clear().unwrap();
                self.note_deleted_prefix(b"");
            }
            Op::Advance(ticks) => {
                self.clock.advance_ms(ticks * TICK_MS);
                self.tick += ticks;
            }
            Op::Renew(handle) => {
                self.handles[handle] = self.cache.handle();
                self.claims.retain(|_, held| held.owner != handle);
            }
            Op::InvalidateTags(tags) => {
                self.handles[0].invalidate_tags(names(&tags));
                for made in &mut self.made {
                    made.tags_are_current &= !made.tags.iter().any(|tag| tags.contains(tag));
                }
            }
            Op::Load(tags, keys, is_stamped_first) => self.load(tags, keys, is_stamped_first),
            Op::Extend(..) | Op::Release(_) | Op::SetClaimed(..) => self.apply_to_claim(operation),
        }
    }

    /// Operations on a claim that was given to somebody.
    fn apply_to_claim(&mut self, operation: Op) {
        let (Op::Extend(nth, _) | Op::Release(nth) | Op::SetClaimed(nth, _)) = operation else {
            return;
        };
        let Some((key, token)) = self.token(nth) else {
            return;
        };
        match operation {
            Op::Extend(_, lease_ms) => {
                let extended = self.handles[0].extend_claim(KEYS[key], token, lease_ms);
                if self.is_swept(key, token, !extended) {
                    return;
                }
                assert_eq!(extended, self.is_current(key, token));
                if let Some(held) = self.claims.get_mut(&key).filter(|_| extended) {
                    held.end = self.tick + lease_ms.div_ceil(TICK_MS) + 1;
                }
            }
            Op::SetClaimed(_, is_long) => self.set_claimed(key, token, is_long),
            _ => self.release(key, token),
        }
    }

    fn check(&self) {
        let handle = &self.handles[0];
        for (key, name) in KEYS.iter().enumerate() {
            let found = handle.peek(name, |value| value.to_vec());
            assert_eq!(found.as_ref(), self.values.get(&key));
        }
        for (key, held) in &self.claims {
            let is_current = handle.is_claim_current(KEYS[*key], held.token);
            let may_be_swept = held.end <= self.tick;
            assert!(is_current != held.is_superseded || !is_current && may_be_swept);
        }
        for made in &self.made {
            let current = handle.tags_are_current(names(&made.tags), made.stamp);
            assert_eq!(current, made.tags_are_current);
            let current = handle.dependencies_are_current(names(&made.keys), made.stamp);
            assert_eq!(current, made.keys_are_current);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(debug_assertions) { 400 } else { 1_000 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_operations_answer_as_the_model_does(operations in proptest::collection::vec(operation(), 1..120)) {
        let mut world = World::new();
        for operation in operations {
            world.apply(operation);
            world.check();
        }
        world.cache.validate().unwrap();
    }
}
