//! Small caches: what they take of the process's heap is charged to the budget, and what is left holds as many entries
//! as it should. `-- --nocapture` prints the account of each.

#![cfg(target_os = "linux")]

#[allow(
    dead_code,
    reason = "each test is a program of its own: this one counts no calls"
)]
#[path = "support/counting.rs"]
mod counting;
#[allow(
    dead_code,
    reason = "each test is a program of its own: this one skews nothing"
)]
#[path = "support/rng.rs"]
mod rng;

use counting::HEAP_BYTES;
use nearcache_engine::{Cache, Clock, Config, Ttl};
use rng::Rng;

fn config(budget: u64) -> Config {
    Config {
        clock: Clock::manual().0,
        seed: Some(1),
        ..Config::new(budget)
    }
}

#[test]
fn what_a_new_cache_and_a_handle_take_of_the_heap_is_charged() {
    for (budget, shards) in [
        (64 << 10, 1),
        (100_000, 1),
        (256 << 10, 1),
        (1 << 20, 1),
        (1 << 20, 2),
        (4 << 20, 8),
        (64 << 20, 64),
    ] {
        let config = Config {
            shards: Some(shards),
            ..config(budget)
        };
        let before = HEAP_BYTES.get();
        let cache = Cache::new(config).unwrap();
        let _handle = cache.handle();
        let taken = HEAP_BYTES.get().wrapping_sub(before);
        let stats = cache.stats();
        let charged = stats.memory_used - stats.memory_index;
        println!("{budget} bytes, {shards} shards: {taken} of the heap, {charged} charged");
        assert!(
            taken <= charged,
            "{budget}: {taken} taken, {charged} charged"
        );
    }
}

/// Entries that a cache holds in the end, if it is read through by a uniform choice of keys of which it holds few.
fn entries_in_steady_state(budget: u64, value_bytes: std::ops::RangeInclusive<usize>) -> u64 {
    let cache = Cache::new(Config {
        shards: Some(1),
        ..config(budget)
    });
    let cache = cache.unwrap();
    let handle = cache.handle();
    let (least, most) = (*value_bytes.start(), *value_bytes.end());
    let entries = budget / (least + most + 100) as u64 * 2;
    let value = vec![1; most];
    let mut rng = Rng::new(1);
    for _ in 0..20 * entries {
        let key = (rng.next() % (10 * entries)).to_le_bytes();
        if handle.get(&key, |_| ()).is_none() {
            let len = least + rng.below(most - least + 1);
            handle.set(&key, &value[..len], 0, Ttl::Forever).unwrap();
        }
    }
    cache.validate().unwrap();
    let stats = cache.stats();
    let per_entry = budget / stats.entries;
    println!("{budget} bytes, values of {value_bytes:?}: {per_entry} bytes per entry, {stats:?}");
    assert!(stats.memory_used <= budget);
    stats.entries
}

#[test]
fn caches_of_every_size_hold_as_many_entries_as_they_should() {
    // Budgets in KiB, and what they hold of 100 bytes, of 300, and of 10 to 1,000, with keys of 8. A little is granted.
    for (kib, least) in [
        (64, [315, 115, 95]),
        (96, [490, 185, 170]),
        (128, [690, 255, 240]),
        (256, [1_400, 585, 345]),
        (512, [2_880, 1_200, 725]),
        (1_024, [5_950, 2_500, 1_520]),
        (4_096, [23_700, 10_500, 6_350]),
    ] {
        for (values, least) in [100..=100, 300..=300, 10..=1_000].into_iter().zip(least) {
            let entries = entries_in_steady_state(kib << 10, values.clone());
            assert!(entries >= least, "{kib} KiB, {values:?}: {entries} entries");
        }
    }
}
