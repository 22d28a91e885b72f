//! The budget holds, and what it holds is keys and values, while the sizes of what is written shift; and sizes at
//! the limits are taken whatever the cache looks like. Time stands still unless a test moves it.

use nearcache_engine::{Cache, Clock, Config, ConfigError, Error, Handle, ManualClock, Ttl};

/// A generator that gives the same numbers in every run (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    /// By a log-uniform law.
    fn between(&mut self, min: f64, max: f64) -> usize {
        let share = self.next() as f64 / (1u64 << 53) as f64;
        (min * (max / min).powf(share)) as usize
    }
}

fn cache(config: Config) -> (Cache, ManualClock) {
    let (clock, manual) = Clock::manual();
    let config = Config {
        clock,
        seed: Some(42),
        ..config
    };
    (Cache::new(config).unwrap(), manual)
}

fn live_bytes(handle: &Handle) -> usize {
    let mut live = 0;
    handle.for_each(b"", |key, value| live += key.len() + value.len());
    live
}

/// Reads keys of a range three times as large as what fits and writes what is missing, until so many bytes were
/// written.
fn churn(cache: &Cache, random: &mut Random, phase: u64, sizes: (f64, f64), bytes: u64) {
    let handle = cache.handle();
    let stats = cache.stats();
    let mean = (sizes.1 - sizes.0) / (sizes.1 / sizes.0).ln();
    let keys = 3 * (stats.memory_max as f64 / (mean + 64.0)) as u64;
    let source = vec![phase as u8; sizes.1 as usize + 1];
    let mut written = 0;
    while written < bytes {
        let number = random.next() % keys;
        let key = (phase << 32 | number).to_le_bytes();
        match random.next() % 50 {
            0 => drop(handle.delete(&key).unwrap()),
            1..5 => {}
            _ if handle.get(&key, |_| ()).is_some() => continue,
            _ => {}
        }
        let value = &source[..random.between(sizes.0, sizes.1)];
        handle.set(&key, value, 0, Ttl::Forever).unwrap();
        assert_eq!(handle.get(&key, |found| found.len()), Some(value.len()));
        written += value.len() as u64 + 64;
    }
}

#[test]
fn the_budget_holds_and_stays_full_of_live_entries_while_sizes_shift() {
    for shards in [1, 8] {
        let budget = 8 << 20;
        let (cache, _) = cache(Config {
            shards: Some(shards),
            ..Config::new(budget)
        });
        let handle = cache.handle();
        let mut random = Random(7);
        // Sizes, and how often the budget is written: what nobody asks for any more must have lost its standing.
        let phases = [
            ((10.0, 400.0), 3),
            ((512.0, 5_120.0), 60),
            ((5_120.0, 51_200.0), 60),
            ((512.0, 5_120.0), 30),
            ((10.0, 400.0), 6),
            ((10.0, 51_200.0), 60),
        ];
        for (phase, (sizes, turns)) in phases.into_iter().enumerate() {
            for _ in 0..turns {
                churn(&cache, &mut random, phase as u64, sizes, budget);
                let stats = cache.stats();
                assert!(stats.memory_used <= stats.memory_max, "{stats:?}");
            }
            let stats = cache.stats();
            // Small entries: what an entry may cost beside key and value is granted.
            let granted = if sizes.1 < 512.0 { 64 } else { 0 };
            let live = live_bytes(&handle) + granted * stats.entries as usize;
            let share = live as f64 / budget as f64;
            assert!(
                share >= 0.80,
                "{shards} shards, phase {phase}: {share:.3}, {stats:?}"
            );
            cache.validate().unwrap();
        }
    }
}

#[test]
fn a_value_of_the_largest_size_is_admitted_however_full_and_fragmented_the_cache_is() {
    for (budget, shards) in [
        (64 << 10, 1),
        (1 << 20, 1),
        (1 << 20, 2),
        (16 << 20, 1),
        (16 << 20, 32),
    ] {
        for max_value_size in [None, Some(budget / 4)] {
            let config = Config {
                shards: Some(shards),
                max_value_size,
                ..Config::new(budget)
            };
            // Not every page size describes values of a quarter of the budget.
            let Ok(_) = Cache::new(config.clone()) else {
                continue;
            };
            let (cache, _) = cache(config);
            let handle = cache.handle();
            let mut random = Random(budget ^ u64::from(shards));
            churn(
                &cache,
                &mut random,
                1,
                (10.0, budget as f64 / 100.0),
                2 * budget,
            );
            churn(&cache, &mut random, 2, (10.0, 60.0), budget / 4);
            let largest = vec![7; cache.max_value_size() as usize];
            for n in 0..20u64 {
                let key = (3 << 32 | n).to_le_bytes();
                handle.set(&key, &largest, 0, Ttl::Forever).unwrap();
                let found = handle.get(&key, |value| value.len());
                assert_eq!(found, Some(largest.len()), "{n} of budget {budget}");
                let longer = [&largest[..], b"x"].concat();
                assert!(matches!(
                    handle.set(&key, &longer, 0, Ttl::Forever),
                    Err(Error::ValueTooLarge { .. })
                ));
                // Between them small ones, which take the largest one's place apart.
                churn(&cache, &mut random, 4 + n, (1.0, 200.0), budget / 16);
            }
            let stats = cache.stats();
            assert!(stats.memory_used <= stats.memory_max, "{stats:?}");
            cache.validate().unwrap();
        }
    }
}

#[test]
fn a_new_large_entry_is_not_the_first_to_go() {
    let (cache, _) = cache(Config::new(16 << 20));
    let handle = cache.handle();
    churn(&cache, &mut Random(3), 1, (50.0, 150.0), 32 << 20);
    let large = vec![1; 256 << 10];
    handle.set(b"large", &large, 0, Ttl::Forever).unwrap();
    // Far less than what the window holds.
    for n in 0..500u64 {
        let key = (9 << 32 | n).to_le_bytes();
        handle.set(&key, &[0; 100], 0, Ttl::Forever).unwrap();
        assert!(handle.contains(b"large"), "gone after {n} small writes");
    }
}

#[test]
fn budgets_of_a_few_kib_and_of_more_than_the_machine_has_are_refused() {
    for budget in [0, 1, 4 << 10, 63 << 10] {
        let refused = Cache::new(Config::new(budget));
        assert!(matches!(refused, Err(ConfigError::MemoryTooSmall { .. })));
    }
    for budget in [1 << 45, u64::MAX] {
        let refused = Cache::new(Config::new(budget));
        assert!(matches!(refused, Err(ConfigError::MemoryTooLarge { .. })));
    }
}

#[test]
fn with_a_clock_that_stands_still_nothing_expires_and_writes_reclaim_all_the_same() {
    let (cache, _) = cache(Config::new(1 << 20));
    let handle = cache.handle();
    for n in 0..50_000u64 {
        let key = n.to_le_bytes();
        handle.set(&key, &[1; 200], 0, Ttl::Millis(1)).unwrap();
        assert!(handle.contains(&key), "{n}");
    }
    cache.maintain();
    let stats = cache.stats();
    assert_eq!(stats.expirations, 0);
    assert!(stats.evictions > 40_000 && stats.memory_used <= stats.memory_max);
    cache.validate().unwrap();
}

#[test]
fn lives_of_one_tick_and_of_years_end_side_by_side() {
    let (cache, clock) = cache(Config::new(8 << 20));
    let handle = cache.handle();
    let year_ms = 365 * 86_400_000;
    for n in 0..10_000u64 {
        let ttl_ms = if n % 2 == 0 { 1 } else { 3 * year_ms };
        let key = n.to_le_bytes();
        handle.set(&key, &[1; 50], 0, Ttl::Millis(ttl_ms)).unwrap();
    }
    clock.advance_ms(1_000);
    cache.maintain();
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.expirations), (5_000, 5_000));
    clock.advance_ms(year_ms);
    cache.maintain();
    assert_eq!(cache.len(), 5_000);
    (0..6).for_each(|_| {
        clock.advance_ms(year_ms / 2);
        cache.maintain();
    });
    assert_eq!(cache.len(), 0);
    cache.validate().unwrap();
}

#[test]
fn when_all_entries_have_expired_the_index_has_shrunk_too() {
    let (cache, clock) = cache(Config::new(64 << 20));
    let handle = cache.handle();
    for n in 0..150_000u64 {
        let key = n.to_le_bytes();
        handle.set(&key, &[1; 100], 0, Ttl::Millis(100)).unwrap();
    }
    let full = cache.stats().memory_index;
    clock.advance_ms(1_000);
    cache.maintain();
    let stats = cache.stats();
    assert_eq!(stats.entries, 0);
    assert!(stats.memory_index * 5 < full, "{full} before, {stats:?}");
    cache.validate().unwrap();
}

/// The child part of the test below: reserves more than it may.
#[test]
fn the_region_is_refused_by_a_typed_error_when_address_space_is_short() {
    #[cfg(target_os = "linux")] // other systems don't hold a process to it
    {
        if std::env::var_os("NEARCACHE_TEST_LIMITED").is_some() {
            limit_address_space(256 << 20);
            let refused = Cache::new(Config::new(1 << 30));
            assert!(
                matches!(refused, Err(ConfigError::Reserve(_))),
                "{refused:?}"
            );
            return;
        }
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "the_region_is_refused_by_a_typed_error_when_address_space_is_short",
            ])
            .env("NEARCACHE_TEST_LIMITED", "1")
            .output()
            .unwrap();
        assert!(child.status.success(), "{child:?}");
    }
}

#[cfg(target_os = "linux")]
fn limit_address_space(bytes: libc::rlim_t) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    // SAFETY: `limit` is readable and of the type that the function takes.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
}

#[test]
fn maintenance_gives_back_all_that_waits_however_much_it_is() {
    let (clock, _manual) = Clock::manual();
    let config = Config {
        clock,
        ..Config::new(1 << 20)
    };
    let cache = Cache::new(config).unwrap();
    let handle = cache.handle();
    for count in (1..700u32).step_by(9) {
        let names: Vec<_> = (0..count).map(|n| format!("{count}:{n}")).collect();
        for name in &names {
            handle
                .set(name.as_bytes(), b"value", 0, Ttl::Forever)
                .unwrap();
        }
        for name in &names {
            assert!(handle.delete(name.as_bytes()).unwrap());
        }
        cache.maintain();
        assert_eq!(cache.stats().memory_retired, 0, "{count} deleted");
    }
}
