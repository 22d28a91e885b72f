//! A cache, what is known of its entries, and the checks that hold whatever died.

use crate::value::{Rng, fill, name_of, number_of, read_value};
use nearcache_engine::{Cache, Clock, Config, Drained, Handle, ManualClock, Ttl};
use std::collections::HashMap;

/// Reads after which an entry counts as hot, so that an L0 may watch it.
const READS_TO_WATCH: usize = 4;
/// Most keys have names below this.
const SHORT_NAME_BYTES_MAX: usize = 20;

/// What may be found under a key: the last write that returned, and those that were begun since.
#[derive(Default)]
struct Allowed {
    writes: Vec<u32>,
    /// The copy that an L0 holds.
    copy: Option<u32>,
}

pub(crate) struct World {
    pub(crate) cache: Cache,
    pub(crate) clock: ManualClock,
    handle: Handle,
    /// The handle of the L0, if it has one of its own.
    l0: Option<Handle>,
    known: HashMap<usize, Allowed>,
    /// Keys on which an entry depends that was made from what they were, with the stamp.
    dependents: Vec<(usize, Option<u32>, u64)>,
    last_write: u32,
    used_empty: u64,
    pages_empty: usize,
    shards: usize,
    buffer: Vec<u8>,
}

impl World {
    pub(crate) fn new(budget: u64, shards: u32) -> Self {
        let (clock, manual) = Clock::manual_from(0);
        let cache = Cache::new(Config {
            clock,
            seed: Some(7),
            shards: Some(shards),
            max_value_size: Some((budget / 8).min(100_000)),
            ..Config::new(budget)
        })
        .unwrap();
        Self {
            handle: cache.handle(),
            l0: Some(cache.handle()),
            used_empty: cache.stats().memory_used,
            pages_empty: cache.free_pages().0,
            shards: shards as usize,
            cache,
            clock: manual,
            known: HashMap::new(),
            dependents: Vec::new(),
            last_write: 0,
            buffer: Vec::new(),
        }
    }

    /// From now on there is one handle, which is also the L0's. Nothing may be watched yet.
    pub(crate) fn go_alone(&mut self) {
        self.l0 = None;
    }

    /// Notes a write that is about to begin, and makes its value.
    fn begin(&mut self, key: usize, len: usize) -> (Vec<u8>, Vec<u8>, u8) {
        self.last_write += 1;
        let write = self.last_write;
        self.known.entry(key).or_default().writes.push(write);
        let mut value = Vec::new();
        fill(key, write, len, &mut value);
        (name_of(key), value, (write % 16) as u8)
    }

    /// The newest write of a key has returned: no older one may be found.
    fn returned(&mut self, key: usize) {
        let writes = &mut self.known.entry(key).or_default().writes;
        *writes = writes.split_off(writes.len() - 1);
    }

    pub(crate) fn set(&mut self, key: usize, len: usize, ttl: Ttl) {
        let (name, value, kind) = self.begin(key, len);
        self.handle.set(&name, &value, kind, ttl).unwrap();
        self.returned(key);
    }

    /// Sets keys, until there is no room, while a reader lets go of nothing that is taken out for them.
    pub(crate) fn set_under_a_reader(&mut self, keys: std::ops::Range<usize>, len: usize) {
        let (reader, name) = (self.cache.handle(), name_of(keys.start));
        reader.peek(&name, |_| {
            for key in keys {
                let (name, value, kind) = self.begin(key, len);
                if self.handle.set(&name, &value, kind, Ttl::Forever).is_err() {
                    break;
                }
                self.returned(key);
            }
        });
    }

    /// Sets keys of a range to values of one length, for ever.
    pub(crate) fn set_all(&mut self, keys: std::ops::Range<usize>, len: usize) {
        for key in keys {
            self.set(key, len, Ttl::Forever);
        }
    }

    /// Sets those keys of a range that have short names to values of one length.
    pub(crate) fn set_alike(&mut self, keys: std::ops::Range<usize>, ttl: Ttl) {
        for key in keys.filter(|key| name_of(*key).len() < SHORT_NAME_BYTES_MAX) {
            self.set(key, 100, ttl);
        }
    }

    pub(crate) fn set_if_absent(&mut self, key: usize, len: usize) -> bool {
        let (name, value, kind) = self.begin(key, len);
        let stored = self
            .handle
            .set_if_absent(&name, &value, kind, Ttl::Forever)
            .unwrap();
        if stored {
            self.returned(key);
        } else {
            self.known.entry(key).or_default().writes.pop();
        }
        stored
    }

    pub(crate) fn delete(&mut self, key: usize) {
        self.handle.delete(&name_of(key)).unwrap();
        self.known.entry(key).or_default().writes.clear();
    }

    pub(crate) fn delete_all(&mut self, keys: std::ops::Range<usize>) {
        keys.for_each(|key| self.delete(key));
    }

    pub(crate) fn touch(&mut self, key: usize, ttl: Ttl) {
        self.handle.touch(&name_of(key), ttl).unwrap();
    }

    pub(crate) fn clear(&mut self) {
        self.handle.clear().unwrap();
        self.known
            .values_mut()
            .for_each(|known| known.writes.clear());
    }

    pub(crate) fn maintain(&mut self) {
        self.cache.maintain();
    }

    pub(crate) fn read_all(&mut self, keys: std::ops::Range<usize>) {
        for key in keys {
            self.handle.get(&name_of(key), |_| ());
        }
    }

    /// All kinds of operations on a few keys, some of them large for the cache.
    pub(crate) fn act_at_random(&mut self, stream: u64, operations: usize) {
        let mut rng = Rng::new(stream);
        for _ in 0..operations {
            let key = rng.skewed(60);
            match rng.below(20) {
                0..6 => self.set(key, rng.below(200), Ttl::Forever),
                6 => self.set(key, 1_000 + rng.below(6_000), Ttl::Forever),
                7 => self.set(key, rng.below(2_000), Ttl::Millis(1 + rng.next() % 2_000)),
                8..11 => self.delete(key),
                11 => self.touch(key, Ttl::Millis(1 + rng.next() % 5_000)),
                12 => self.clock.advance_ms(rng.next() % 300),
                13 => self.maintain(),
                14 => self.watch_all(key..key + 3),
                15 => self.drain(),
                16 if rng.one_in(8) => self.clear(),
                _ => self.read_all(key..key + 8),
            }
        }
    }

    /// An L0 takes copies of entries.
    pub(crate) fn watch_all(&mut self, keys: std::ops::Range<usize>) {
        for key in keys {
            for _ in 0..READS_TO_WATCH {
                let l0 = self.l0.as_ref().unwrap_or(&self.handle);
                let read = l0.get_watched(&name_of(key), |value| {
                    (
                        value.watched(),
                        read_value(key, &value, false, &mut self.buffer),
                    )
                });
                if let Some((true, write)) = read {
                    self.known.entry(key).or_default().copy = Some(write);
                }
            }
        }
    }

    pub(crate) fn drain(&mut self) {
        let mut changed = Vec::new();
        let l0 = self.l0.as_ref().unwrap_or(&self.handle);
        let drained = l0.drain_changes(|name| changed.push(number_of(name)));
        match drained {
            Drained::Keys { .. } => {
                for key in changed {
                    self.known.entry(key).or_default().copy = None;
                }
            }
            Drained::Lapped { .. } => self.known.values_mut().for_each(|known| known.copy = None),
        }
    }

    /// Entries depend on keys, as these are now; and somebody loads the keys.
    pub(crate) fn depend_on(&mut self, keys: std::ops::Range<usize>) {
        for key in keys {
            let name = name_of(key);
            self.handle.depend([&name[..]]).unwrap();
            self.handle.claim(&name, 1_000).unwrap();
            let write = self.handle.peek(&name, |value| {
                read_value(key, &value, false, &mut self.buffer)
            });
            self.dependents.push((key, write, self.handle.stamp()));
        }
    }

    pub(crate) fn delete_prefix(&mut self, prefix: &[u8]) {
        self.handle.delete_prefix(prefix).unwrap();
        for (key, known) in &mut self.known {
            if name_of(*key).starts_with(prefix) {
                known.writes.clear();
            }
        }
    }

    /// The dependents whose key is found changed, by a reader who takes no lock.
    fn outdated(&mut self) -> Vec<(usize, u64)> {
        let mut outdated = Vec::new();
        for (key, write, stamp) in &self.dependents {
            let read = self.handle.peek(&name_of(*key), |value| {
                read_value(*key, &value, false, &mut self.buffer)
            });
            if read.is_some() && read != *write {
                outdated.push((*key, *stamp));
            }
        }
        outdated
    }

    fn check_dependents(&self, outdated: &[(usize, u64)]) {
        for (key, stamp) in outdated {
            let is_current = self
                .handle
                .dependencies_are_current([&name_of(*key)[..]], *stamp);
            assert!(!is_current, "key {key} was found changed");
        }
    }

    /// Nothing is found that is not, whole, one of the values that may be there.
    pub(crate) fn check_reads(&mut self) {
        let handle = self.cache.handle();
        for (key, known) in &self.known {
            let read = handle.get(&name_of(*key), |value| {
                read_value(*key, &value, false, &mut self.buffer)
            });
            assert!(
                read.is_none_or(|write| known.writes.contains(&write)),
                "key {key}: write {read:?}, expected one of {:?}",
                known.writes
            );
        }
    }

    /// What an L0 still holds after draining is what the cache holds.
    fn check_copies(&mut self) {
        self.drain();
        for (key, known) in &self.known {
            if let Some(copy) = known.copy {
                let held = self.handle.peek(&name_of(*key), |value| {
                    read_value(*key, &value, false, &mut self.buffer)
                });
                assert_eq!(held, Some(copy), "key {key}: an L0 holds an old copy");
            }
        }
    }

    /// Every operation does what it is for, where there is room.
    fn check_operations(&mut self) {
        let handle = self.cache.handle();
        let (name, other) = (b"operations".as_slice(), b"other".as_slice());
        handle.set(name, b"1", 1, Ttl::Forever).unwrap();
        let version = handle.get(name, |value| value.version()).unwrap();
        assert!(!handle.set_if_absent(name, b"2", 2, Ttl::Forever).unwrap());
        assert!(handle.replace(name, b"3", 3, Ttl::Forever).unwrap());
        assert!(
            !handle
                .compare_and_set(name, version, b"4", 4, Ttl::Forever)
                .unwrap()
        );
        assert!(handle.touch(name, Ttl::Millis(60_000)).unwrap());
        assert_eq!(handle.get(name, |value| value.to_vec()).unwrap(), b"3");
        assert!(
            handle
                .set_if_absent(other, &[5; 300], 5, Ttl::Forever)
                .unwrap()
        );
        assert!(handle.delete(name).unwrap());
        assert_eq!(handle.delete_prefix(other).unwrap(), 1);
        assert!(!handle.contains(name) && !handle.contains(other));
    }

    /// After a death: reads are right before anyone repairs, each damaged shard is repaired once,
    /// everything works, and in the end not a byte is missing.
    pub(crate) fn check_all(mut self, repairs_before: u64) {
        let poisoned = self.cache.poisoned_shards();
        self.check_reads();
        let outdated = self.outdated();
        let stats = self.cache.stats();
        assert_eq!(stats.repairs, repairs_before + poisoned);
        assert_eq!(self.cache.poisoned_shards(), 0);
        self.check_copies();
        self.check_dependents(&outdated);
        self.cache.validate().unwrap();
        self.check_reads();
        self.set_all(0..40, 200);
        self.set_all(40..44, 3_000);
        self.check_reads();
        self.check_copies();
        self.maintain();
        self.cache.validate().unwrap();
        self.check_empty();
    }

    fn check_empty(mut self) {
        self.clear();
        self.maintain();
        // Now that nothing has to be evicted for them.
        self.check_operations();
        self.maintain();
        self.cache.validate().unwrap();
        self.check_reads();
        let stats = self.cache.stats();
        assert_eq!((stats.entries, stats.memory_retired), (0, 0));
        assert_eq!(stats.memory_used, self.used_empty, "used when empty");
        let (pages, emptying) = self.cache.free_pages();
        let free = pages + usize::from(emptying);
        // Blocks of the shards' empty indexes, which shared a page in the beginning, may lie in one each.
        assert!(
            free <= self.pages_empty && self.pages_empty < free + self.shards,
            "free pages when empty: {free} of {}",
            self.pages_empty
        );
    }
}
