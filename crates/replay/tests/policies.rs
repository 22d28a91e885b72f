//! The simulators against naive models of the same policies, and the engine's exact capacities.

use nearcache_replay::policy::{self, Capacity, EntrySize, Policy, PolicyKind};
use nearcache_replay::request::{Request, mix};
use proptest::prelude::*;

const SIZE: EntrySize = EntrySize {
    value_bytes: 100,
    from_trace: false,
};

fn open(kind: PolicyKind, entries: u64) -> Box<dyn Policy> {
    policy::open(kind, Capacity::Entries(entries), SIZE).expect("a size that is possible")
}

/// Popular keys and a tail, from a seed.
fn trace(length: u64, keys: u64, seed: u64) -> impl Iterator<Item = Request> {
    (0..length).map(move |at| {
        let uniform = mix(at ^ seed) as f64 / u64::MAX as f64;
        Request::read((uniform.powi(3) * keys as f64) as u64)
    })
}

#[test]
fn every_policy_holds_exactly_as_many_entries_as_it_may() {
    for kind in PolicyKind::ALL {
        for entries in [1, 2, 7, 100, 1_000] {
            let mut cache = open(kind, entries);
            for request in trace(30_000, 5_000, 1) {
                cache.read(&request);
                assert!(cache.entries() <= entries, "{kind:?} of {entries}");
            }
            assert_eq!(cache.entries(), entries, "{kind:?}");
        }
    }
}

fn sized(key: u64, bytes: u64) -> Request {
    Request {
        size: Some(bytes),
        ..Request::read(key)
    }
}

const SIZED: EntrySize = EntrySize {
    value_bytes: 1,
    from_trace: true,
};

#[test]
fn a_value_that_is_written_anew_has_its_new_size() {
    let bytes = Capacity::ValueBytes {
        bytes: 100,
        entries_max: 100,
    };
    for kind in PolicyKind::ALL {
        let mut cache = policy::open(kind, bytes, SIZED).unwrap();
        for key in 0..10 {
            cache.write(&sized(key, 1));
        }
        // The ten together take 400 now.
        for key in 0..10 {
            cache.write(&sized(key, 40));
        }
        assert!(cache.entries() <= 2, "{kind:?}: {}", cache.entries());
    }
}

#[test]
fn a_value_that_is_too_large_leaves_nothing_of_its_key() {
    let bytes = Capacity::ValueBytes {
        bytes: 100,
        entries_max: 100,
    };
    for capacity in [bytes, Capacity::Budget(1 << 20)] {
        for kind in PolicyKind::ALL {
            let mut cache = policy::open(kind, capacity, SIZED).unwrap();
            cache.write(&sized(1, 5));
            cache.write(&sized(1, 1 << 30));
            assert!(!cache.read(&sized(1, 5)), "{kind:?} of {capacity:?}");
        }
    }
}

#[test]
fn what_went_before_its_time_was_over_does_not_count_as_expired() {
    let request = |key, time_ms| Request {
        time_ms: Some(time_ms),
        ttl_ms: Some(10),
        ..Request::read(key)
    };
    for kind in PolicyKind::ALL {
        let mut cache = open(kind, 1);
        cache.read(&request(1, 0));
        cache.delete(&request(1, 1));
        cache.read(&request(2, 2));
        cache.read(&request(1, 50));
        // The engine looks after time by itself, so there the second one's was over.
        let expired = u64::from(kind == PolicyKind::Nearcache);
        assert_eq!(cache.counts().expired, expired, "{kind:?}");
    }
}

#[test]
fn the_engine_holds_exactly_so_many_entries_whatever_their_size() {
    for value_bytes in [0, 1, 8, 100, 257, 1_000, 10_000] {
        for entries in [1, 10, 333, 5_000] {
            let size = EntrySize {
                value_bytes,
                ..SIZE
            };
            let mut cache =
                policy::open(PolicyKind::Nearcache, Capacity::Entries(entries), size).unwrap();
            for request in trace(entries * 10 + 1_000, entries * 4 + 500, 2) {
                cache.read(&request);
            }
            assert_eq!(cache.entries(), entries, "values of {value_bytes} bytes");
            let counts = cache.counts();
            assert!(
                counts.rejected <= counts.evictions,
                "nothing is refused for its size"
            );
        }
    }
}

#[test]
fn a_cache_for_more_than_the_trace_misses_each_key_once() {
    for kind in PolicyKind::ALL {
        let mut cache = open(kind, 1_000_000);
        let mut misses = 0;
        for request in trace(20_000, 3_000, 3) {
            misses += u64::from(!cache.read(&request));
        }
        assert_eq!(misses, cache.entries(), "{kind:?}");
        assert_eq!(cache.counts().evictions, 0, "{kind:?}");
    }
}

#[test]
fn two_runs_of_the_engine_are_the_same() {
    let run = || {
        let mut cache = open(PolicyKind::Nearcache, 500);
        let hits: Vec<bool> = trace(50_000, 5_000, 4)
            .map(|request| cache.read(&request))
            .collect();
        (hits, cache.counts())
    };
    assert!(run() == run());
}

#[test]
fn values_beyond_the_capacity_are_rejected_and_drive_nothing_out() {
    let capacity = Capacity::ValueBytes {
        bytes: 1_000,
        entries_max: 100,
    };
    let size = EntrySize {
        value_bytes: 100,
        from_trace: true,
    };
    for kind in PolicyKind::ALL {
        let mut cache = policy::open(kind, capacity, size).unwrap();
        let of = |key: u64, bytes: u64| Request {
            size: Some(bytes),
            ..Request::read(key)
        };
        for key in 0..5 {
            cache.read(&of(key, 200));
        }
        for bytes in [1_001, 4 << 30, 1 << 50] {
            assert!(!cache.read(&of(99, bytes)), "{kind:?}");
        }
        assert_eq!(
            (cache.entries(), cache.counts().rejected),
            (5, 3),
            "{kind:?}"
        );
        // Nothing weighs nothing: values of no bytes count as one.
        assert!(!cache.read(&of(6, 0)));
    }
}

#[test]
fn an_entry_whose_time_is_over_is_a_miss_and_counted() {
    for kind in PolicyKind::ALL {
        let mut cache = open(kind, 10);
        let at = |time_ms: u64| Request {
            time_ms: Some(time_ms),
            ttl_ms: Some(1_000),
            ..Request::read(1)
        };
        // Some time before: an epoch's milliseconds are as good as none.
        let start = 1_339_518_083_107;
        assert!(!cache.read(&at(start)), "{kind:?}");
        assert!(cache.read(&at(start + 500)), "{kind:?}");
        assert!(!cache.read(&at(start + 2_000)), "{kind:?}");
        assert!(cache.read(&at(start + 2_900)), "{kind:?}");
        assert_eq!(cache.counts().expired, 1, "{kind:?}");
    }
}

/// Evicts from the front. `MOVES`: a use moves to the back.
struct Naive<const MOVES: bool> {
    entries: Vec<(u64, u64)>,
    capacity: u64,
}

impl<const MOVES: bool> Naive<MOVES> {
    fn read(&mut self, key: u64, weight: u64) -> bool {
        let found = self.entries.iter().position(|(known, _)| *known == key);
        if let Some(at) = found {
            if MOVES {
                let entry = self.entries.remove(at);
                self.entries.push(entry);
            }
            return true;
        }
        if weight <= self.capacity {
            while self.entries.iter().map(|(_, weight)| weight).sum::<u64>() + weight
                > self.capacity
            {
                self.entries.remove(0);
            }
            self.entries.push((key, weight));
        }
        false
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn lru_and_fifo_answer_as_their_definitions(
        uses in prop::collection::vec((0u64..60, 1u64..40), 1..1_000),
        capacity in 1u64..400,
    ) {
        let size = EntrySize { value_bytes: 1, from_trace: true };
        let bytes = Capacity::ValueBytes { bytes: capacity, entries_max: 60 };
        let mut lru = policy::open(PolicyKind::Lru, bytes, size).unwrap();
        let mut fifo = policy::open(PolicyKind::Fifo, bytes, size).unwrap();
        let mut naive_lru = Naive::<true> { entries: Vec::new(), capacity };
        let mut naive_fifo = Naive::<false> { entries: Vec::new(), capacity };
        for (key, _) in uses {
            // A key's size is always the same.
            let weight = 1 + mix(key) % 40;
            let request = Request { size: Some(weight), ..Request::read(key) };
            prop_assert_eq!(lru.read(&request), naive_lru.read(key, weight));
            prop_assert_eq!(fifo.read(&request), naive_fifo.read(key, weight));
        }
    }

    #[test]
    fn no_policy_exceeds_its_capacity_or_loses_count(
        uses in prop::collection::vec((0u64..80, 0u8..10), 1..2_000),
        capacity in 1u64..300,
    ) {
        let size = EntrySize { value_bytes: 1, from_trace: true };
        let bytes = Capacity::ValueBytes { bytes: capacity, entries_max: 80 };
        for kind in PolicyKind::ALL {
            let mut cache = policy::open(kind, bytes, size).unwrap();
            for (key, what) in &uses {
                let request = Request { size: Some(1 + mix(*key) % 50), ..Request::read(*key) };
                match what {
                    0 => cache.delete(&request),
                    1 => cache.write(&request),
                    _ => { cache.read(&request); }
                }
                // Each entry weighs at least one.
                prop_assert!(cache.entries() <= capacity, "{:?}", kind);
            }
        }
    }
}
