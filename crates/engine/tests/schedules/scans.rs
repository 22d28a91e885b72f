//! Reads of everything, beside writers that split, merge and clear the index under them.

use crate::explore::{cache_of, explore, look, part, put, smallest_cache, together};
use crate::self_proving::verify;
use nearcache_engine::{Cursor, Handle};
use std::collections::BTreeMap;

/// Entries with which a segment of the smallest cache is about to be split.
const BEFORE_A_SPLIT: usize = 36;

/// What a scan in steps visits: each key's oldest and newest write.
fn scan(handle: &Handle) -> BTreeMap<usize, u32> {
    let mut visited = BTreeMap::new();
    let mut cursor = Some(Cursor::START);
    while let Some(from) = cursor {
        cursor = handle.scan(from, b"", 1, |name, value| {
            let key = usize::from_le_bytes(name.try_into().unwrap());
            let write = verify(key, &value.to_vec());
            shuttle::thread::yield_now();
            assert_eq!(verify(key, &value.to_vec()), write);
            visited.insert(key, write);
        });
    }
    visited
}

#[test]
fn a_scan_visits_what_stays_while_segments_are_split() {
    explore("scan, split", 200, || {
        let (cache, _) = cache_of(64 << 10);
        let handle = cache.handle();
        (0..BEFORE_A_SPLIT).for_each(|key| put(&handle, key, 1, 16));
        let writer = part(|handle: &Handle| {
            for key in 0..24 {
                put(handle, 1_000 + key, 1, 16);
            }
        });
        let reader = part(|handle: &Handle| {
            let visited = scan(handle);
            for key in 0..BEFORE_A_SPLIT {
                assert_eq!(
                    visited.get(&key),
                    Some(&1),
                    "key {key} was there throughout"
                );
            }
        });
        together(&cache, vec![writer, reader]);
    });
}

#[test]
fn reads_find_what_stays_while_segments_are_split_and_merged() {
    explore("reads, split and merge", 250, || {
        let (cache, _) = smallest_cache();
        let handle = cache.handle();
        (0..BEFORE_A_SPLIT).for_each(|key| put(&handle, key, 1, 16));
        let writer = part(|handle: &Handle| {
            for key in 1_000..1_020 {
                put(handle, key, 1, 16);
            }
            for key in (4..BEFORE_A_SPLIT).chain(1_000..1_020) {
                handle.delete(&key.to_le_bytes()).unwrap();
            }
        });
        let reader = || {
            part(|handle: &Handle| {
                for turn in 0..12 {
                    let key = turn % 4;
                    assert_eq!(look(handle, key), Some(1), "key {key} was there throughout");
                }
            })
        };
        together(&cache, vec![writer, reader(), reader()]);
        assert_eq!(cache.len(), 4);
    });
}

#[test]
fn a_scan_and_a_prefix_delete_beside_clear_see_whole_values() {
    explore("scan, clear", 300, || {
        let (cache, _) = smallest_cache();
        let handle = cache.handle();
        (0..10).for_each(|key| put(&handle, key, 1, 600));
        let clearer = part(|handle: &Handle| {
            handle.clear().unwrap();
            (0..4).for_each(|key| put(handle, key, 2, 600));
        });
        let reader = part(|handle: &Handle| {
            let visited = scan(handle);
            assert!(visited.values().all(|write| [1, 2].contains(write)));
        });
        let deleter = part(|handle: &Handle| {
            handle.delete_prefix(&3usize.to_le_bytes()).unwrap();
        });
        together(&cache, vec![clearer, reader, deleter]);
        let left = scan(&handle);
        assert!(left.keys().eq([0, 1, 2].iter()) || left.keys().eq([0, 1, 2, 3].iter()));
        assert!(left.values().all(|write| *write == 2), "{left:?}");
    });
}
