//! What a cache promises, one promise per test. Time stands still unless a test moves it.

use nearcache_engine::{Cache, Clock, Config, Cursor, Drained, Error, Handle, ManualClock, Ttl};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

fn cache(bytes: u64) -> (Cache, ManualClock) {
    let (clock, manual) = Clock::manual();
    let config = Config {
        clock,
        seed: Some(42),
        ..Config::new(bytes)
    };
    (Cache::new(config).unwrap(), manual)
}

fn read(handle: &Handle, key: &[u8]) -> Option<Vec<u8>> {
    handle.get(key, |value| value.to_vec())
}

#[test]
fn what_was_set_is_read_back_with_its_kind() {
    let (cache, _) = cache(1 << 20);
    let handle = cache.handle();
    handle.set(b"key", b"value", 7, Ttl::Forever).unwrap();
    assert_eq!(
        handle.get(b"key", |value| (value.to_vec(), value.kind())),
        Some((b"value".to_vec(), 7))
    );
    assert_eq!(read(&handle, b"other"), None);
    cache.validate().unwrap();
}

#[test]
fn an_overwrite_replaces_value_kind_and_ttl() {
    let (cache, clock) = cache(1 << 20);
    let handle = cache.handle();
    handle.set(b"k", b"old", 1, Ttl::Millis(50)).unwrap();
    handle.set(b"k", b"newer", 2, Ttl::Forever).unwrap();
    clock.advance_ms(10_000);
    cache.maintain();
    assert_eq!(
        handle.get(b"k", |value| (value.to_vec(), value.kind())),
        Some((b"newer".to_vec(), 2))
    );
    assert_eq!(cache.len(), 1);
    cache.validate().unwrap();
}

#[test]
fn empty_keys_and_values_work() {
    let (cache, _) = cache(1 << 20);
    let handle = cache.handle();
    handle.set(b"", b"", 0, Ttl::Forever).unwrap();
    assert_eq!(read(&handle, b""), Some(vec![]));
    assert!(handle.delete(b"").unwrap());
    assert!(!handle.delete(b"").unwrap());
}

#[test]
fn the_largest_key_and_value_are_read_back_and_one_byte_more_is_an_error() {
    for bytes in [64 << 10, 1 << 20, 16 << 20, 256 << 20] {
        let (cache, _) = cache(bytes);
        let handle = cache.handle();
        let key: Vec<u8> = (0..cache.max_key_size()).map(|n| n as u8).collect();
        let value: Vec<u8> = (0..cache.max_value_size())
            .map(|n| (n % 251) as u8)
            .collect();
        handle.set(&key, &value, 3, Ttl::Forever).unwrap();
        assert!(
            read(&handle, &key).as_ref() == Some(&value),
            "budget {bytes}"
        );
        let mut copied = Vec::new();
        assert_eq!(handle.get_into(&key, &mut copied), Some(3));
        assert!(copied == value);
        let longer_key = [&key[..], b"x"].concat();
        assert!(matches!(
            handle.set(&longer_key, b"", 0, Ttl::Forever),
            Err(Error::KeyTooLong { .. })
        ));
        let longer = [&value[..], b"x"].concat();
        assert!(matches!(
            handle.set(b"k", &longer, 0, Ttl::Forever),
            Err(Error::ValueTooLarge { .. })
        ));
        cache.validate().unwrap();
    }
}

#[test]
fn every_length_around_a_chunk_is_kept_whole() {
    let (cache, _) = cache(1 << 20);
    let handle = cache.handle();
    for length in (900..1_200).chain(1_900..2_200).chain([50_000]) {
        let value: Vec<u8> = (0..length).map(|n| (n * 7 % 256) as u8).collect();
        handle.set(b"chunked", &value, 0, Ttl::Forever).unwrap();
        assert!(
            read(&handle, b"chunked").as_ref() == Some(&value),
            "length {length}"
        );
    }
    cache.validate().unwrap();
}

#[test]
fn conditions_decide_whether_a_write_happens() {
    let (cache, clock) = cache(1 << 20);
    let handle = cache.handle();
    assert!(!handle.replace(b"k", b"0", 0, Ttl::Forever).unwrap());
    assert!(
        handle
            .set_if_absent(b"k", b"1", 0, Ttl::Millis(100))
            .unwrap()
    );
    assert!(!handle.set_if_absent(b"k", b"2", 0, Ttl::Forever).unwrap());
    assert_eq!(read(&handle, b"k"), Some(b"1".to_vec()));
    let version = handle.get(b"k", |value| value.version()).unwrap();
    assert!(
        handle
            .compare_and_set(b"k", version, b"3", 0, Ttl::Millis(100))
            .unwrap()
    );
    assert!(
        !handle
            .compare_and_set(b"k", version, b"4", 0, Ttl::Forever)
            .unwrap()
    );
    assert!(handle.replace(b"k", b"5", 0, Ttl::Millis(100)).unwrap());
    assert_eq!(read(&handle, b"k"), Some(b"5".to_vec()));
    clock.advance_ms(200);
    assert!(!handle.replace(b"k", b"6", 0, Ttl::Forever).unwrap());
    assert!(handle.set_if_absent(b"k", b"7", 0, Ttl::Forever).unwrap());
    cache.validate().unwrap();
}

#[test]
fn an_entry_is_gone_when_its_time_is_over_and_its_bytes_come_back_without_traffic() {
    let (cache, clock) = cache(4 << 20);
    let handle = cache.handle();
    let before = cache.stats().memory_used;
    for n in 0u32..5_000 {
        handle
            .set(&n.to_le_bytes(), &[1; 100], 0, Ttl::Millis(1_000))
            .unwrap();
    }
    clock.advance_ms(990);
    assert!(handle.contains(&7u32.to_le_bytes()));
    clock.advance_ms(20);
    assert!(!handle.contains(&7u32.to_le_bytes()));
    clock.advance_ms(200);
    cache.maintain();
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.expirations), (0, 5_000));
    assert!(
        stats.memory_used - stats.memory_index <= before,
        "{stats:?}"
    );
    cache.validate().unwrap();
}

#[test]
fn ttls_of_seconds_days_and_years_end_when_they_should() {
    let day_ms = 24 * 3_600 * 1_000;
    for ttl_ms in [
        1,
        5_000,
        60_000,
        day_ms,
        40 * day_ms,
        400 * day_ms,
        3_000 * day_ms,
    ] {
        let (cache, clock) = cache(1 << 20);
        let handle = cache.handle();
        handle.set(b"k", b"v", 0, Ttl::Millis(ttl_ms)).unwrap();
        clock.advance_ms(ttl_ms - 1);
        cache.maintain();
        assert!(handle.contains(b"k"), "{ttl_ms}");
        clock.advance_ms(10_000);
        assert!(!handle.contains(b"k"), "{ttl_ms}");
        cache.maintain();
        assert_eq!(cache.len(), 0, "{ttl_ms}");
        cache.validate().unwrap();
    }
}

#[test]
fn ticks_may_wrap() {
    let (clock, manual) = Clock::manual_from(u32::MAX as u64 - 10);
    let cache = Cache::new(Config {
        clock,
        ..Config::new(1 << 20)
    })
    .unwrap();
    let handle = cache.handle();
    handle.set(b"k", b"v", 0, Ttl::Millis(100)).unwrap();
    manual.advance_ms(95);
    cache.maintain();
    assert!(handle.contains(b"k"));
    manual.advance_ms(20);
    assert!(!handle.contains(b"k"));
    manual.advance_ms(1_000);
    cache.maintain();
    assert_eq!(cache.len(), 0);
}

#[test]
fn touch_prolongs_shortens_and_frees_from_expiry() {
    let (cache, clock) = cache(1 << 20);
    let handle = cache.handle();
    handle.set(b"k", b"v", 0, Ttl::Millis(1_000)).unwrap();
    assert!(handle.touch(b"k", Ttl::Millis(10_000)).unwrap());
    clock.advance_ms(2_000);
    cache.maintain();
    assert!(handle.contains(b"k"));
    assert_eq!(handle.remaining_ms(b"k"), Some(8_000));
    assert!(handle.touch(b"k", Ttl::Millis(100)).unwrap());
    clock.advance_ms(300);
    cache.maintain();
    assert_eq!(cache.len(), 0);
    assert!(!handle.touch(b"k", Ttl::Forever).unwrap());
    handle.set(b"k", b"v", 0, Ttl::Millis(100)).unwrap();
    assert!(handle.touch(b"k", Ttl::Forever).unwrap());
    clock.advance_ms(100_000);
    cache.maintain();
    assert_eq!(handle.remaining_ms(b"k"), Some(u64::MAX));
    // Years need another unit of time in the record.
    assert!(handle.touch(b"k", Ttl::Millis(1_000)).unwrap());
    assert!(
        handle
            .touch(b"k", Ttl::Millis(5 * 365 * 86_400_000))
            .unwrap()
    );
    clock.advance_ms(365 * 86_400_000);
    cache.maintain();
    assert_eq!(read(&handle, b"k"), Some(b"v".to_vec()));
    cache.validate().unwrap();
}

#[test]
fn a_ttl_of_zero_does_not_cache_and_removes_what_was_there() {
    let (cache, _) = cache(1 << 20);
    let handle = cache.handle();
    handle.set(b"k", b"v", 0, Ttl::Forever).unwrap();
    handle.set(b"k", b"w", 0, Ttl::Millis(0)).unwrap();
    assert!(!handle.contains(b"k"));
    assert!(matches!(
        handle.set(b"k", b"w", 0, Ttl::Millis(u64::MAX)),
        Err(Error::TtlTooLong { .. })
    ));
}

#[test]
fn the_default_ttl_applies_where_none_is_given() {
    let (clock, manual) = Clock::manual();
    let config = Config {
        clock,
        default_ttl: Ttl::Millis(500),
        ..Config::new(1 << 20)
    };
    let cache = Cache::new(config).unwrap();
    let handle = cache.handle();
    handle.set(b"k", b"v", 0, Ttl::Default).unwrap();
    handle.set(b"f", b"v", 0, Ttl::Forever).unwrap();
    assert_eq!(handle.remaining_ms(b"k"), Some(500));
    manual.advance_ms(600);
    assert!(!handle.contains(b"k"));
    assert!(handle.contains(b"f"));
}

#[test]
fn a_full_cache_evicts_and_the_newest_entry_is_always_there() {
    for bytes in [64 << 10, 256 << 10, 1 << 20, 8 << 20] {
        let (cache, _) = cache(bytes);
        let handle = cache.handle();
        for n in 0..bytes / 40 {
            handle
                .set(&n.to_le_bytes(), &[n as u8; 100], 0, Ttl::Forever)
                .unwrap();
            assert_eq!(
                read(&handle, &n.to_le_bytes()),
                Some(vec![n as u8; 100]),
                "{n} of budget {bytes}"
            );
        }
        let stats = cache.stats();
        assert!(
            stats.evictions > 0 && stats.memory_used <= stats.memory_max,
            "{stats:?}"
        );
        assert!(stats.memory_used * 100 > stats.memory_max * 80, "{stats:?}");
        cache.validate().unwrap();
    }
}

#[test]
fn mixed_sizes_move_pages_between_classes() {
    let (cache, _) = cache(4 << 20);
    let handle = cache.handle();
    for (round, size) in [20usize, 300, 5_000, 100_000, 37, 20_000, 100]
        .into_iter()
        .enumerate()
    {
        for n in 0..(12 << 20) / (size + 60) {
            let key = format!("{round}:{n}");
            handle
                .set(key.as_bytes(), &vec![round as u8; size], 0, Ttl::Forever)
                .unwrap();
            assert!(handle.contains(key.as_bytes()));
        }
        let stats = cache.stats();
        assert!(stats.memory_used <= stats.memory_max);
        // Old entries that nobody reads may stay; with what an entry costs beside key and value.
        let mut live = 0;
        handle.for_each(b"", |key, value| live += key.len() + value.len() + 60);
        assert!(
            live * 100 > (4 << 20) * 75,
            "round {round}: {live} live bytes, {stats:?}"
        );
        cache.validate().unwrap();
    }
}

#[test]
fn a_frequently_read_entry_survives_a_scan() {
    let (cache, _) = cache(1 << 20);
    let handle = cache.handle();
    for n in 0u32..500 {
        handle
            .set(format!("hot{n}").as_bytes(), &[1; 100], 0, Ttl::Forever)
            .unwrap();
    }
    for _ in 0..10 {
        for n in 0u32..500 {
            read(&handle, format!("hot{n}").as_bytes());
        }
    }
    for n in 0u32..60_000 {
        let key = format!("scan{n}");
        if read(&handle, key.as_bytes()).is_none() {
            handle
                .set(key.as_bytes(), &[2; 100], 0, Ttl::Forever)
                .unwrap();
        }
        if n % 100 == 0 {
            read(&handle, format!("hot{}", n / 100 % 500).as_bytes());
        }
    }
    let left = (0u32..500)
        .filter(|n| handle.contains(format!("hot{n}").as_bytes()))
        .count();
    assert!(left > 450, "{left} of 500 hot entries are left");
}

#[test]
fn clear_is_visible_at_once_and_gives_the_memory_back() {
    let (cache, _) = cache(4 << 20);
    let handle = cache.handle();
    let other = cache.handle();
    let fill = || {
        for n in 0u32..10_000 {
            handle
                .set(&n.to_le_bytes(), &[3; 100], 0, Ttl::Forever)
                .unwrap();
        }
    };
    fill();
    handle.clear().unwrap();
    assert_eq!(cache.len(), 0);
    assert!((0u32..10_000).all(|n| !other.contains(&n.to_le_bytes())));
    fill();
    assert_eq!(cache.len(), 10_000);
    cache.maintain();
    cache.validate().unwrap();
    handle.clear().unwrap();
    cache.maintain();
    cache.validate().unwrap();
    let stats = cache.stats();
    assert!(stats.memory_used < stats.memory_max / 4, "{stats:?}");
}

#[test]
fn clearing_over_and_over_does_not_use_the_memory_up() {
    for bytes in [64 << 10, 1 << 20, 16 << 20] {
        let (cache, _) = cache(bytes);
        let handle = cache.handle();
        let _other = cache.handle();
        for n in 0u32..5_000 {
            handle
                .set(&(n % 8).to_le_bytes(), &[1; 60], 0, Ttl::Forever)
                .unwrap();
            handle.clear().unwrap();
        }
        cache.maintain();
        cache.validate().unwrap();
        assert_eq!(cache.len(), 0);
    }
}

#[test]
fn a_scan_visits_every_entry_once_while_nothing_changes() {
    let (cache, _) = cache(8 << 20);
    let handle = cache.handle();
    for n in 0u32..20_000 {
        handle
            .set(
                format!("a:{n}").as_bytes(),
                &n.to_le_bytes(),
                0,
                Ttl::Forever,
            )
            .unwrap();
    }
    handle.set(b"b:1", b"", 0, Ttl::Forever).unwrap();
    let mut seen = HashSet::new();
    let mut cursor = Some(Cursor::START);
    while let Some(from) = cursor {
        cursor = handle.scan(
            Cursor::from_raw(from.into_raw()),
            b"a:",
            100,
            |key, value| {
                assert_eq!(
                    key,
                    format!(
                        "a:{}",
                        u32::from_le_bytes(value.to_vec().try_into().unwrap())
                    )
                    .as_bytes()
                );
                assert!(seen.insert(key.to_vec()));
            },
        );
    }
    assert_eq!(seen.len(), 20_000);
    let mut all = 0;
    handle.for_each(b"", |_, _| all += 1);
    assert_eq!(all, 20_001);
}

#[test]
fn a_prefix_is_deleted_and_nothing_else() {
    let (cache, _) = cache(4 << 20);
    let handle = cache.handle();
    for n in 0u32..3_000 {
        handle
            .set(format!("user:{n}").as_bytes(), b"u", 0, Ttl::Forever)
            .unwrap();
        handle
            .set(format!("users:{n}").as_bytes(), b"s", 0, Ttl::Forever)
            .unwrap();
    }
    assert_eq!(handle.delete_prefix(b"user:").unwrap(), 3_000);
    assert_eq!(cache.len(), 3_000);
    assert!(handle.contains(b"users:7"));
    cache.validate().unwrap();
}

#[test]
fn a_batch_reads_what_single_reads_read() {
    let (cache, _) = cache(4 << 20);
    let handle = cache.handle();
    let keys: Vec<Vec<u8>> = (0u32..100).map(|n| n.to_le_bytes().to_vec()).collect();
    for key in keys.iter().step_by(2) {
        handle.set(key, key, 0, Ttl::Forever).unwrap();
    }
    let borrowed: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let mut found = vec![None; 100];
    handle.get_many(&borrowed, |place, value| {
        found[place] = value.map(|value| value.to_vec())
    });
    for (place, value) in found.into_iter().enumerate() {
        assert_eq!(value, (place % 2 == 0).then(|| keys[place].clone()));
    }
    let entries = keys.iter().map(|key| (&key[..], &b"new"[..], 1));
    assert_eq!(handle.set_many(entries, Ttl::Forever), Ok(100));
    assert_eq!(cache.stats().hits, 50);
}

#[test]
fn changes_of_watched_entries_reach_other_handles() {
    let (cache, clock) = cache(1 << 20);
    let (writer, reader) = (cache.handle(), cache.handle());
    let watch = |key: &[u8]| {
        (0..4)
            .filter(|_| reader.get_watched(key, |value| value.watched()) == Some(true))
            .count()
    };
    let drained = |expected: &[&[u8]]| {
        let mut keys = Vec::new();
        let head = match reader.drain_changes(|key| keys.push(key.to_vec())) {
            Drained::Keys { head } => head,
            Drained::Lapped { .. } => panic!("lapped"),
        };
        assert_eq!(keys, expected);
        assert_eq!(
            cache
                .signal()
                .changes
                .load(std::sync::atomic::Ordering::Relaxed),
            head
        );
    };
    for key in [&b"cold"[..], b"hot", b"brief"] {
        writer.set(key, b"1", 0, Ttl::Millis(60_000)).unwrap();
    }
    assert!(watch(b"hot") > 0);
    writer.set(b"cold", b"2", 0, Ttl::Forever).unwrap();
    drained(&[]);
    writer.set(b"hot", b"2", 0, Ttl::Millis(60_000)).unwrap();
    drained(&[b"hot"]);
    assert!(watch(b"hot") > 0);
    writer.delete(b"hot").unwrap();
    drained(&[b"hot"]);
    assert!(watch(b"brief") > 0);
    writer.touch(b"brief", Ttl::Millis(120_000)).unwrap();
    drained(&[]);
    writer.touch(b"brief", Ttl::Millis(1_000)).unwrap();
    drained(&[b"brief"]);
    assert!(watch(b"brief") > 0);
    clock.advance_ms(5_000);
    cache.maintain();
    drained(&[b"brief"]);
    writer.clear().unwrap();
    assert!(matches!(
        reader.drain_changes(|_| ()),
        Drained::Lapped { .. }
    ));
}

#[test]
fn an_evicted_watched_entry_is_logged_because_the_next_one_would_not_be_watched() {
    let (cache, _) = cache(64 << 10);
    let handle = cache.handle();
    handle.set(b"watched", b"1", 0, Ttl::Forever).unwrap();
    let watched =
        (0..4).any(|_| handle.get_watched(b"watched", |value| value.watched()) == Some(true));
    assert!(watched);
    let mut n = 0u64;
    while handle.contains(b"watched") {
        n += 1;
        // Read, so that they are admitted.
        handle
            .set(&n.to_le_bytes(), &[0; 200], 0, Ttl::Forever)
            .unwrap();
        (0..20).for_each(|_| drop(read(&handle, &n.to_le_bytes())));
        assert!(n < 100_000);
    }
    let mut keys = Vec::new();
    let drained = handle.drain_changes(|key| keys.push(key.to_vec()));
    assert!(matches!(drained, Drained::Keys { .. }));
    assert_eq!(keys, [b"watched".to_vec()]);
}

#[test]
fn statistics_count_what_happened() {
    let (cache, _) = cache(1 << 20);
    let handle = cache.handle();
    handle.set(b"k", b"v", 0, Ttl::Forever).unwrap();
    read(&handle, b"k");
    read(&handle, b"absent");
    handle.peek(b"k", |_| ());
    handle.delete(b"k").unwrap();
    drop(handle);
    let stats = cache.stats();
    assert_eq!(
        (
            stats.hits,
            stats.misses,
            stats.sets,
            stats.deletes,
            stats.entries
        ),
        (1, 1, 1, 1, 0)
    );
}

#[test]
fn the_system_clock_expires_entries_by_itself() {
    let cache = Cache::new(Config::new(1 << 20)).unwrap();
    let handle = cache.handle();
    handle.set(b"k", b"v", 0, Ttl::Millis(20)).unwrap();
    let start = std::time::Instant::now();
    while !cache.is_empty() {
        assert!(
            start.elapsed().as_secs() < 20,
            "the helper thread did not come"
        );
        std::thread::yield_now();
    }
    assert_eq!(cache.stats().expirations, 1);
}

/// What has been unlinked is given back by maintenance while nobody writes: no slot may be missed or counted twice.
#[test]
fn validation_counts_no_slot_twice_while_maintenance_gives_memory_back() {
    let (cache, _) = cache(1 << 20);
    // With two handles what is written over has to wait.
    let (handle, _other) = (cache.handle(), cache.handle());
    let has_ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !has_ended.load(Ordering::Relaxed) {
                cache.maintain();
            }
        });
        let rounds = if cfg!(miri) { 5 } else { 300 };
        let found = (0..rounds).try_for_each(|_| {
            for number in 0..200u64 {
                let stored = handle.set(b"key", &number.to_le_bytes(), 0, Ttl::Forever);
                stored.map_err(|error| error.to_string())?;
            }
            cache.validate()
        });
        has_ended.store(true, Ordering::Relaxed);
        found.unwrap();
    });
}
