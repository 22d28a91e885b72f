//! Values of the largest size and of the smallest, alone and in turns, in caches of all sizes: a `set` that
//! returns can be read at once, whole; what can't be taken is an error.

use nearcache_engine::{Cache, Clock, Config, ConfigError, Error, Handle, Ttl};
use std::sync::OnceLock;

/// Budgets and numbers of shards.
const CACHES: [(u64, u32); 9] = [
    (64 << 10, 1),
    (100_000, 1),
    (256 << 10, 1),
    (1 << 20, 1),
    (1 << 20, 2),
    (3_000_000, 4),
    (16 << 20, 1),
    (16 << 20, 32),
    (64 << 20, 64),
];
/// How often the budget is written.
const TURNS: u64 = 4;

/// Caches with the default limit of values, a low one, and the highest that the budget allows.
fn each_cache(mut check: impl FnMut(Cache, Handle, &str)) {
    for (budget, shards) in CACHES {
        for max_value_size in [None, Some(300), Some(u64::MAX)] {
            let config = |max_value_size| Config {
                clock: Clock::manual().0,
                seed: Some(5),
                shards: Some(shards),
                max_value_size,
                ..Config::new(budget)
            };
            let cache = match Cache::new(config(max_value_size)) {
                // The error names the limit, which works.
                Err(ConfigError::ValueSize { max, .. }) => Cache::new(config(Some(max))),
                made => made,
            };
            let cache = cache.unwrap();
            let name = format!(
                "{budget} bytes, {shards} shards, values of {}",
                cache.max_value_size()
            );
            let handle = cache.handle();
            check(cache, handle, &name);
        }
    }
}

/// Bytes that don't repeat sooner than this.
const PERIOD: usize = 7 * 256;

/// Bytes that follow from key and place, so that another value's or a torn one shows.
fn value_of(key: u64, len: usize) -> &'static [u8] {
    static PATTERN: OnceLock<Vec<u8>> = OnceLock::new();
    let longest = (64 << 20) / 4 + 1;
    let pattern = PATTERN.get_or_init(|| (0..PERIOD + longest).map(|at| (at / 7) as u8).collect());
    let start = key as usize * 31 % PERIOD;
    &pattern[start..start + len]
}

/// Sets a value and reads it.
fn set(handle: &Handle, key: u64, value: &[u8], cache: &str) {
    let name = key.to_le_bytes();
    let stored = handle.set(&name, value, 0, Ttl::Forever);
    assert_eq!(stored, Ok(()), "{cache}: {key}");
    let found = handle.get(&name, |found| found.to_vec());
    assert!(found.as_deref() == Some(value), "{cache}: {key}");
}

/// Checks every entry that is still there; returns their number and bytes.
fn check_all(cache: &Cache, handle: &Handle, name: &str) -> (u64, u64) {
    cache.validate().unwrap();
    let stats = cache.stats();
    assert!(stats.memory_used <= stats.memory_max, "{name}: {stats:?}");
    let (mut entries, mut bytes) = (0, 0);
    handle.for_each(b"", |key, value| {
        let number = u64::from_le_bytes(key.try_into().unwrap());
        let value = value.to_vec();
        assert!(value == value_of(number, value.len()), "{name}: {number}");
        entries += 1;
        bytes += (key.len() + value.len()) as u64;
    });
    assert_eq!(entries, stats.entries, "{name}");
    (entries, bytes)
}

#[test]
fn a_cache_of_nothing_but_the_largest_values_keeps_several_and_the_newest() {
    each_cache(|cache, handle, name| {
        let largest = cache.max_value_size();
        let budget = cache.stats().memory_max;
        // A cache of many entries is another test's.
        let count = (TURNS * budget / largest).clamp(20, 4_000);
        for key in 0..count {
            set(&handle, key, value_of(key, largest as usize), name);
            // Overwritten: old and new are there together for a moment.
            if key % 3 == 0 {
                set(&handle, key, value_of(key, largest as usize), name);
            }
        }
        let (entries, bytes) = check_all(&cache, &handle, name);
        assert!(entries >= 2, "{name}: {entries} entries");
        if count * largest > 2 * budget {
            // Beside the room for one that is being written. Short values need pages of the index, too,
            // which are a large part of a small cache.
            let share_min = if largest > budget / 16 { 75 } else { 50 };
            assert!(
                (bytes + largest) * 100 >= budget * share_min,
                "{name}: {bytes} bytes of values"
            );
        }
        let longer = value_of(1, largest as usize + 1);
        let refused = handle.set(b"longer", longer, 0, Ttl::Forever);
        assert!(
            matches!(refused, Err(Error::ValueTooLarge { length, max }) if length == longer.len() && max == largest),
            "{name}: {refused:?}"
        );
        assert!(!handle.contains(b"longer"));
    });
}

#[test]
fn tiny_and_huge_values_in_turns_are_all_readable_at_once() {
    each_cache(|cache, handle, name| {
        let largest = cache.max_value_size();
        let budget = cache.stats().memory_max;
        let count = (2 * TURNS * budget / largest).clamp(200, 4_000);
        for key in 0..count {
            let len = match key % 4 {
                0 => largest,
                1 => 0,
                2 => largest - 1,
                _ => key % 3 + 1,
            };
            set(&handle, key, value_of(key, len as usize), name);
        }
        check_all(&cache, &handle, name);
    });
}

#[test]
fn one_key_that_is_tiny_and_huge_in_turns_is_what_was_written_last() {
    each_cache(|cache, handle, name| {
        let largest = cache.max_value_size() as usize;
        for turn in 0..40 {
            let len = if turn % 2 == 0 { largest } else { turn % 5 };
            set(&handle, 7, value_of(7, len), name);
            assert_eq!(cache.len(), 1, "{name}");
        }
        check_all(&cache, &handle, name);
    });
}

#[test]
fn tiny_values_fill_a_cache_that_huge_ones_have_filled_and_the_other_way_round() {
    each_cache(|cache, handle, name| {
        let largest = cache.max_value_size() as usize;
        let budget = cache.stats().memory_max;
        let tiny = (budget / 40).min(60_000);
        let huge = (2 * budget / largest as u64).clamp(10, 2_000);
        let mut key = 0;
        for (count, len) in [(huge, largest), (tiny, 5), (huge, largest), (tiny, 0)] {
            for _ in 0..count {
                set(&handle, key, value_of(key, len), name);
                key += 1;
            }
            check_all(&cache, &handle, name);
        }
    });
}
