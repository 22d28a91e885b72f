//! A limit in entries or weight, beside the budget in bytes.

use nearcache_engine::{Cache, Clock, Config, ConfigError, Error, Limit, Ttl};

fn cache(limit: Limit, shards: u32) -> Cache {
    Cache::new(Config {
        limit: Some(limit),
        shards: Some(shards),
        seed: Some(7),
        // Nobody else writes, as `validate` asks: no helper thread works where the clock is set by hand.
        clock: Clock::manual().0,
        ..Config::new(8 << 20)
    })
    .expect("a valid configuration")
}

fn weighing(weight: u64) -> [u8; 8] {
    weight.to_le_bytes()
}

#[test]
fn a_cache_with_a_limit_holds_exactly_so_many_entries_once_it_is_full() {
    for entries in [1, 2, 3, 10, 100, 999] {
        let cache = cache(Limit::Entries(entries), 1);
        let handle = cache.handle();
        for number in 0..5_000u64 {
            let key = (number * number % 2_003).to_le_bytes();
            if handle.get(&key, |_| ()).is_none() {
                handle.set(&key, b"value", 0, Ttl::Forever).unwrap();
                assert_eq!(handle.get(&key, |_| ()), Some(()), "the newest entry stays");
            }
            assert!(cache.len() <= entries, "{} of {entries}", cache.len());
        }
        assert_eq!(cache.len(), entries);
        cache.validate().unwrap();
    }
}

#[test]
fn a_limit_holds_over_all_shards_together() {
    for entries in [1, 5, 64, 1_000] {
        let cache = cache(Limit::Entries(entries), 8);
        let handle = cache.handle();
        for number in 0..10_000u64 {
            handle
                .set(&number.to_le_bytes(), b"value", 0, Ttl::Forever)
                .unwrap();
            assert!(cache.len() <= entries, "{} of {entries}", cache.len());
        }
        assert_eq!(cache.len(), entries);
        cache.validate().unwrap();
    }
}

#[test]
fn what_was_deleted_or_cleared_makes_place() {
    let cache = cache(Limit::Entries(10), 2);
    let handle = cache.handle();
    let fill = |from: u64| {
        for number in from..from + 10 {
            handle
                .set(&number.to_le_bytes(), b"value", 0, Ttl::Forever)
                .unwrap();
        }
    };
    fill(0);
    (0..5u64).for_each(|number| assert!(handle.delete(&number.to_le_bytes()).unwrap()));
    (20..25u64).for_each(|number| {
        handle
            .set(&number.to_le_bytes(), b"value", 0, Ttl::Forever)
            .unwrap();
    });
    assert_eq!((cache.len(), cache.stats().evictions), (10, 0));
    handle.clear().unwrap();
    fill(100);
    assert_eq!((cache.len(), cache.stats().evictions), (10, 0));
}

#[test]
fn the_weights_of_all_entries_together_keep_to_the_limit() {
    let cache = cache(Limit::Weight(1_000), 1);
    let handle = cache.handle();
    let mut random = 1u64;
    for _ in 0..20_000 {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let key = (random >> 33) % 300;
        let weight = 1 + key * 7 % 150;
        handle
            .set(&key.to_le_bytes(), &weighing(weight), 0, Ttl::Forever)
            .unwrap();
        let sum = weight_held(&handle);
        assert!(sum <= 1_000, "{sum} held");
    }
    assert!(weight_held(&handle) > 700);
    cache.validate().unwrap();
}

fn weight_held(handle: &nearcache_engine::Handle) -> u64 {
    let weight = |key: u64| {
        handle
            .contains(&key.to_le_bytes())
            .then_some(1 + key * 7 % 150)
    };
    (0..300).filter_map(weight).sum()
}

#[test]
fn a_value_that_grows_heavier_drives_others_out() {
    let cache = cache(Limit::Weight(100), 1);
    let handle = cache.handle();
    for key in 0..10u64 {
        handle
            .set(&key.to_le_bytes(), &weighing(10), 0, Ttl::Forever)
            .unwrap();
    }
    assert_eq!(cache.len(), 10);
    handle
        .set(&0u64.to_le_bytes(), &weighing(60), 0, Ttl::Forever)
        .unwrap();
    assert!(cache.len() <= 5, "{} entries", cache.len());
    cache.validate().unwrap();
}

#[test]
fn a_value_heavier_than_the_limit_is_refused_and_changes_nothing() {
    let cache = cache(Limit::Weight(100), 1);
    let handle = cache.handle();
    handle.set(b"key", &weighing(7), 0, Ttl::Forever).unwrap();
    let refused = handle.set(b"key", &weighing(101), 0, Ttl::Forever);
    assert_eq!(
        refused,
        Err(Error::TooHeavy {
            weight: 101,
            max: 100
        })
    );
    assert_eq!(handle.get(b"key", |value| value.len()), Some(8));
    assert!(
        handle
            .set(b"other", &weighing(u64::MAX), 0, Ttl::Forever)
            .is_err()
    );
}

#[test]
fn entries_without_weight_still_count() {
    let cache = cache(Limit::Weight(5), 1);
    let handle = cache.handle();
    for key in 0..100u64 {
        handle
            .set(&key.to_le_bytes(), b"", 0, Ttl::Forever)
            .unwrap();
    }
    assert_eq!(cache.len(), 5);
}

#[test]
fn long_values_that_lie_in_chunks_have_their_weight_too() {
    let cache = cache(Limit::Weight(3), 1);
    let handle = cache.handle();
    let mut value = vec![9; 200_000];
    value[..8].copy_from_slice(&weighing(2));
    for key in 0..4u64 {
        handle
            .set(&key.to_le_bytes(), &value, 0, Ttl::Forever)
            .unwrap();
        assert_eq!(cache.len(), 1);
    }
}

#[test]
fn limits_of_nothing_and_beyond_all_use_are_refused() {
    for limit in [Limit::Entries(0), Limit::Weight(0), Limit::Weight(u64::MAX)] {
        let config = Config {
            limit: Some(limit),
            ..Config::new(1 << 20)
        };
        let refused = Cache::new(config).err();
        assert!(
            matches!(refused, Some(ConfigError::Limit { given, .. }) if given == limit_of(limit)),
            "{refused:?}"
        );
    }
}

fn limit_of(limit: Limit) -> u64 {
    match limit {
        Limit::Entries(given) | Limit::Weight(given) => given,
    }
}
