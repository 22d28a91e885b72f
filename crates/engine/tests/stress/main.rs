//! Many threads at once, checking everything they read.
//!
//! A value says which key and which write it belongs to, and every other byte of it follows from that,
//! so a torn value, another key's, or memory that was used again shows. Each key has one writer, which
//! announces an operation before it begins and publishes it when it has returned. A reader notes what
//! was published, reads, then looks at what was announced: what it found must not be older than what
//! had returned, and where nothing was announced in between and the cache has room it must find it.
//!
//! Seeded, and bounded by iterations. Run it optimised with debug assertions, under which freed memory
//! is overwritten: `cargo test -p nearcache-engine --profile checked --test stress`.
//! `NEARCACHE_STRESS_SEED` picks other random choices, `NEARCACHE_STRESS_SCALE` multiplies the length.

mod chores;
mod state;
mod value;
mod worker;

use crate::state::{Key, Scenario, Shared};
use crate::value::{Rng, name_of};
use crate::worker::Worker;
use nearcache_engine::{Cache, Clock, Config, Ttl};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// An unoptimised build, as in `cargo test`, does a tenth.
pub(crate) fn scaled(iterations: u64) -> u64 {
    let unoptimised = std::env::current_exe()
        .is_ok_and(|path| path.components().any(|part| part.as_os_str() == "debug"));
    let scale: Option<f64> = std::env::var("NEARCACHE_STRESS_SCALE")
        .ok()
        .and_then(|n| n.parse().ok());
    let scale = scale.unwrap_or(1.0) / if unoptimised { 10.0 } else { 1.0 };
    (iterations as f64 * scale).ceil() as u64
}

fn stress(scenario: Scenario) {
    let (clock, manual) = Clock::manual_from(0);
    let config = Config {
        clock,
        seed: Some(7),
        max_value_size: Some((scenario.budget / 8).min(100_000)),
        ..Config::new(scenario.budget)
    };
    let threads = scenario.threads;
    let shared = Shared {
        cache: Cache::new(config).unwrap(),
        clock: manual,
        keys: (0..scenario.keys)
            .map(|n| Key {
                name: name_of(n),
                ..Key::default()
            })
            .collect(),
        now_min_ms: AtomicU64::new(0),
        now_max_ms: AtomicU64::new(0),
        removals: AtomicU64::new(0),
        working: AtomicUsize::new(threads),
        scenario,
    };
    let start = std::time::Instant::now();
    let l0_hits: u64 = std::thread::scope(|scope| {
        scope.spawn(|| chores::run(&shared));
        let shared = &shared;
        let workers: Vec<_> = (0..threads)
            .map(|id| scope.spawn(move || Worker::new(shared, id).run_or_stop()))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker found something wrong"))
            .sum()
    });
    let stats = shared.cache.stats();
    println!(
        "{}: {:.1?}, {l0_hits} L0 hits, {stats:?}",
        shared.scenario.name,
        start.elapsed()
    );
    assert!(stats.memory_used <= stats.memory_max);
    assert!(
        !shared.scenario.roomy || stats.evictions == 0,
        "evicted although there is room"
    );
    assert!(
        shared.scenario.roomy || stats.evictions > 0,
        "this scenario is to evict"
    );
    assert!(l0_hits > 0);
    shared.cache.maintain();
    shared.cache.validate().unwrap();
    assert_eq!(
        shared.cache.stats().memory_retired,
        0,
        "nobody reads, so nothing waits"
    );
    shared.cache.handle().clear().unwrap();
    shared.cache.maintain();
    shared.cache.validate().unwrap();
    assert_eq!(shared.cache.len(), 0);
}

#[test]
fn with_room_nothing_is_lost_torn_or_stale() {
    stress(Scenario {
        name: "roomy",
        budget: 64 << 20,
        keys: 1_000,
        threads: 4,
        iterations: 1_200_000,
        size: |rng, _| {
            if rng.one_in(50) {
                rng.below(40_000)
            } else {
                rng.below(300)
            }
        },
        roomy: true,
        expiring: false,
        removing: false,
    });
}

#[test]
fn with_room_expiry_and_removals_are_exact() {
    stress(Scenario {
        name: "roomy, expiring, removing",
        budget: 64 << 20,
        keys: 1_000,
        threads: 3,
        iterations: 1_500_000,
        size: |rng, _| {
            if rng.one_in(50) {
                rng.below(40_000)
            } else {
                rng.below(300)
            }
        },
        roomy: true,
        expiring: true,
        removing: true,
    });
}

#[test]
fn the_smallest_cache_with_long_values_evicts_without_a_mistake() {
    stress(Scenario {
        name: "smallest",
        budget: 64 << 10,
        keys: 150,
        threads: 3,
        iterations: 1_500_000,
        size: |rng, _| {
            if rng.one_in(5) {
                rng.below(5_000)
            } else {
                rng.below(300)
            }
        },
        roomy: false,
        expiring: false,
        removing: false,
    });
}

#[test]
fn shifting_sizes_move_pages_under_the_readers() {
    stress(Scenario {
        name: "shifting",
        budget: 2 << 20,
        keys: 3_000,
        threads: 4,
        iterations: 900_000,
        // Each eighth of the run has a size of its own, with some of all others.
        size: |rng, progress| {
            let sizes = [100, 1_000, 40, 5_000, 300, 20_000, 60, 2_000];
            let size = if rng.one_in(10) {
                sizes[rng.below(8)]
            } else {
                sizes[progress as usize]
            };
            size + rng.below(size / 4)
        },
        roomy: false,
        expiring: false,
        removing: false,
    });
}

#[test]
fn everything_at_once() {
    stress(Scenario {
        name: "everything",
        budget: 1 << 20,
        keys: 1_500,
        threads: 4,
        iterations: 1_000_000,
        size: |rng, progress| match rng.below(20) {
            0 => rng.below(60_000),
            1..4 => 2_000 + 500 * progress as usize + rng.below(1_000),
            _ => rng.below(400),
        },
        roomy: false,
        expiring: true,
        removing: true,
    });
}

/// Each thread counts up by compare-and-set; no count is lost and none is made twice.
#[test]
fn contended_compare_and_set_loses_no_update() {
    const THREADS: u64 = 4;
    let cache = Cache::new(Config {
        shards: Some(2),
        ..Config::new(8 << 20)
    })
    .unwrap();
    let counts = scaled(40_000);
    cache
        .handle()
        .set(b"count", &0u64.to_le_bytes(), 0, Ttl::Forever)
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let handle = cache.handle();
                let mut made = 0;
                while made < counts {
                    let read = handle.get(b"count", |value| (value.version(), value.to_vec()));
                    let (version, bytes) = read.expect("never absent");
                    let next = u64::from_le_bytes(bytes.try_into().unwrap()) + 1;
                    let stored = handle.compare_and_set(
                        b"count",
                        version,
                        &next.to_le_bytes(),
                        0,
                        Ttl::Forever,
                    );
                    made += u64::from(stored.unwrap());
                }
            });
        }
    });
    let count = cache
        .handle()
        .get(b"count", |value| value.to_vec())
        .unwrap();
    assert_eq!(
        u64::from_le_bytes(count.try_into().unwrap()),
        THREADS * counts
    );
    cache.validate().unwrap();
}

/// Set-if-absent as a lock and delete as its release: never two holders.
#[test]
fn contended_set_if_absent_has_one_winner() {
    // So much room that the lock is not evicted while a reader that lost its processor holds on to
    // dead ones.
    let cache = Cache::new(Config::new(16 << 20)).unwrap();
    let holders = AtomicU64::new(0);
    let rounds = scaled(30_000);
    std::thread::scope(|scope| {
        for id in 0..4u8 {
            let (cache, holders) = (&cache, &holders);
            scope.spawn(move || {
                let handle = cache.handle();
                let mut won = 0;
                while won < rounds {
                    // Long enough for chunks: the loser's must be given back.
                    if !handle
                        .set_if_absent(b"lock", &[id; 20_000], 0, Ttl::Forever)
                        .unwrap()
                    {
                        std::thread::yield_now();
                        continue;
                    }
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two holders");
                    assert!(
                        handle
                            .get(b"lock", |value| value.to_vec() == [id; 20_000])
                            .unwrap()
                    );
                    holders.fetch_sub(1, Ordering::SeqCst);
                    assert!(handle.delete(b"lock").unwrap());
                    won += 1;
                }
            });
        }
    });
    cache.maintain();
    cache.validate().unwrap();
    assert_eq!(cache.len(), 0);
}

/// Caches that come and go under the helper thread, each dropped by whoever is last.
#[test]
fn caches_are_dropped_while_the_helper_thread_serves_them() {
    let mut rng = Rng::new(99);
    for round in 0..scaled(150) {
        let cache = Cache::new(Config::new(1 << 20)).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let handle = cache.handle();
                let seed = rng.next();
                scope.spawn(move || {
                    let mut rng = Rng::new(seed);
                    for _ in 0..300 {
                        let key = rng.below(200).to_le_bytes();
                        handle
                            .set(
                                &key,
                                &key.repeat(1 + rng.below(300)),
                                0,
                                Ttl::Millis(1 + round % 30),
                            )
                            .unwrap();
                        let read = handle.get(&key, |value| value.to_vec());
                        assert!(read.is_none_or(|read| read.chunks(8).all(|piece| piece == key)));
                    }
                });
            }
            drop(cache);
        });
    }
}
