//! A cache, what is known of its entries, and what an operation is.

use crate::allocator::under_plan;
use crate::value::{fill, name_of, number_of, read_value};
use nearcache_engine::{Cache, Clock, Config, Drained, Error, Handle, ManualClock, Ttl};
use std::collections::HashMap;

/// Reads after which an entry counts as hot, so that an L0 may watch it.
const READS_TO_WATCH: usize = 4;

/// What a thread does while memory is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    Set(usize, usize, Ttl),
    SetIfAbsent(usize, usize),
    Delete(usize),
    Touch(usize, Ttl),
    DeletePrefix(&'static [u8]),
    Clear,
    Maintain,
    /// The L0 catches up.
    Drain,
    /// A thread comes, and stays.
    Register,
    /// A key is claimed, and stays so.
    Claim(usize),
    /// An entry depends on a key.
    Depend(usize),
    /// Tags that are keys' names.
    InvalidateTag(usize),
}

/// What may be found under a key.
#[derive(Clone, Copy, Default)]
struct Known {
    write: Option<u32>,
    /// Whether it may be gone, although nobody deleted it.
    may_be_gone: bool,
    /// The copy that an L0 holds.
    copy: Option<u32>,
}

pub(crate) struct World {
    pub(crate) cache: Cache,
    pub(crate) clock: ManualClock,
    handle: Handle,
    l0: Handle,
    others: Vec<Handle>,
    known: HashMap<usize, Known>,
    /// Whether nothing has to be evicted.
    is_roomy: bool,
    last_write: u32,
    used_empty: u64,
    buffer: Vec<u8>,
}

impl World {
    pub(crate) fn new(budget: u64, shards: u32, is_roomy: bool) -> Self {
        let (clock, manual) = Clock::manual_from(0);
        let cache = Cache::new(Config {
            clock,
            seed: Some(7),
            shards: Some(shards),
            ..Config::new(budget)
        })
        .unwrap();
        Self {
            handle: cache.handle(),
            l0: cache.handle(),
            others: Vec::with_capacity(100),
            used_empty: cache.stats().memory_used,
            cache,
            clock: manual,
            known: HashMap::new(),
            is_roomy,
            last_write: 0,
            buffer: Vec::new(),
        }
    }

    pub(crate) fn set_all(&mut self, keys: std::ops::Range<usize>, len: usize) {
        for key in keys {
            self.apply(Operation::Set(key, len, Ttl::Forever)).unwrap();
        }
    }

    pub(crate) fn delete_all(&mut self, keys: impl Iterator<Item = usize>) {
        keys.for_each(|key| self.apply(Operation::Delete(key)).unwrap());
    }

    /// Has the L0 hold copies of what it finds.
    pub(crate) fn watch_all(&mut self, keys: std::ops::Range<usize>) {
        for key in keys {
            let (l0, buffer, name) = (&self.l0, &mut self.buffer, name_of(key));
            let copy = (0..READS_TO_WATCH).find_map(|_| {
                l0.get_watched(&name, |value| {
                    let write = read_value(key, &value, false, buffer);
                    value.watched().then_some(write)
                })?
            });
            self.known.entry(key).or_default().copy = copy;
        }
    }

    /// Does one thing under the present plan, and checks what it came to.
    pub(crate) fn apply(&mut self, operation: Operation) -> Result<(), Error> {
        match operation {
            Operation::Set(key, len, ttl) => self.set(key, len, |handle, name, value, kind| {
                handle.set(name, value, kind, ttl).map(|()| true)
            }),
            Operation::SetIfAbsent(key, len) => self.set(key, len, |handle, name, value, kind| {
                handle.set_if_absent(name, value, kind, Ttl::Forever)
            }),
            Operation::Delete(key) => {
                let name = name_of(key);
                let deleted = under_plan(|| self.handle.delete(&name));
                // It frees memory and never needs any.
                assert!(deleted.is_ok(), "{deleted:?}");
                self.known.entry(key).or_default().write = None;
                Ok(())
            }
            Operation::Touch(key, ttl) => {
                let name = name_of(key);
                under_plan(|| self.handle.touch(&name, ttl)).map(|_| ())
            }
            Operation::DeletePrefix(prefix) => {
                let deleted = under_plan(|| self.handle.delete_prefix(prefix));
                let is_meant = |key: &usize| name_of(*key).starts_with(prefix);
                self.lose(deleted.is_ok(), is_meant);
                deleted.map(|_| ())
            }
            Operation::Clear => {
                let cleared = under_plan(|| self.handle.clear());
                self.lose(cleared.is_ok(), |_| true);
                cleared
            }
            Operation::Maintain => {
                under_plan(|| self.cache.maintain());
                Ok(())
            }
            Operation::Drain => {
                self.drain();
                Ok(())
            }
            Operation::Claim(key) => {
                let name = name_of(key);
                under_plan(|| self.handle.claim(&name, 1_000)).map(|_| ())
            }
            Operation::Depend(key) => {
                let name = name_of(key);
                let stamp = self.handle.stamp();
                let registered = under_plan(|| self.handle.depend([&name[..]]));
                let is_current = self.handle.dependencies_are_current([&name[..]], stamp);
                assert!(is_current || registered.is_err());
                registered
            }
            Operation::InvalidateTag(key) => {
                let name = name_of(key);
                let stamp = under_plan(|| self.handle.invalidate_tags([&name[..]]));
                assert!(!self.handle.tags_are_current([&name[..]], stamp - 1));
                assert!(self.handle.tags_are_current([&name[..]], stamp));
                Ok(())
            }
            Operation::Register => {
                let handle = under_plan(|| self.cache.try_handle());
                handle.map(|handle| self.others.push(handle))
            }
        }
    }

    fn set(
        &mut self,
        key: usize,
        len: usize,
        set: impl FnOnce(&Handle, &[u8], &[u8], u8) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        self.last_write += 1;
        let write = self.last_write;
        let (name, mut value) = (name_of(key), Vec::new());
        fill(key, write, len, &mut value);
        let stored = under_plan(|| set(&self.handle, &name, &value, (write % 16) as u8));
        if stored? {
            // At once, whatever else is not there any more.
            let known = self.known.entry(key).or_default();
            (known.write, known.may_be_gone) = (Some(write), false);
            self.check(key);
            self.known.entry(key).or_default().may_be_gone = !self.is_roomy;
        }
        Ok(())
    }

    /// All the keys that are meant are gone, or if it did not come through perhaps.
    fn lose(&mut self, all: bool, is_meant: impl Fn(&usize) -> bool) {
        for (_, known) in self.known.iter_mut().filter(|(key, _)| is_meant(key)) {
            known.may_be_gone = true;
            if all {
                known.write = None;
            }
        }
    }

    fn drain(&mut self) {
        let mut changed = Vec::with_capacity(2_000);
        let drained = under_plan(|| {
            self.l0.drain_changes(|name| {
                changed.push(number_of(name));
            })
        });
        match drained {
            Drained::Keys { .. } => {
                for key in changed {
                    self.known.entry(key).or_default().copy = None;
                }
            }
            Drained::Lapped { .. } => self.known.values_mut().for_each(|known| known.copy = None),
        }
    }

    /// Returns the write that is found.
    fn check(&mut self, key: usize) -> Option<u32> {
        let known = self.known[&key];
        let buffer = &mut self.buffer;
        let read = self.handle.peek(&name_of(key), |value| {
            read_value(key, &value, false, buffer)
        });
        let is_right = match read {
            Some(write) => known.write == Some(write),
            None => known.write.is_none() || known.may_be_gone,
        };
        assert!(is_right, "key {key}: {read:?}, not {:?}", known.write);
        read
    }

    /// All is as it should be, but for what may be gone.
    pub(crate) fn check_all(&mut self) {
        self.drain();
        self.cache.validate().unwrap();
        let keys: Vec<_> = self.known.keys().copied().collect();
        for key in keys {
            let read = self.check(key);
            // What an L0 holds is what the cache has.
            let copy = self.known[&key].copy;
            assert!(
                copy.is_none() || copy == read,
                "key {key}: an L0 holds an old copy"
            );
        }
        assert_eq!(self.cache.stats().repairs, 0, "something has panicked");
    }

    /// Entries that expire are there or not, until maintenance comes by.
    pub(crate) fn let_time_pass(&mut self, ms: u64) {
        self.clock.advance_ms(ms);
        self.lose(false, |_| true);
    }

    /// Nothing is held on to.
    pub(crate) fn check_empty(mut self) {
        // Where the cache was full, the first makes do with what block there was for its empty index.
        for _ in 0..2 {
            self.apply(Operation::Clear).unwrap();
            self.others.clear();
            self.cache.maintain();
        }
        self.check_all();
        let stats = self.cache.stats();
        assert_eq!((stats.entries, stats.memory_retired), (0, 0));
        assert_eq!(stats.memory_used, self.used_empty, "used when empty");
    }
}
