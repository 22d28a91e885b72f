//! What a read stores, counted (`npm run test:stores`; without `--cfg nearcache_count_stores` there is
//! nothing here). Threads that read the same hot entries don't slow each other down as long as none
//! stores to a line that another one reads, so this is what scaling rests on.
#![cfg(nearcache_count_stores)]

use nearcache_engine::counting::{Lines, stores_of};
use nearcache_engine::{Cache, Clock, Config, Handle, Ttl};

const KEYS: usize = 1_000;
const READS: usize = 1_000_000;
/// Reads after which an entry's counter is saturated.
const READS_TO_SATURATE: usize = 3;

fn key(n: usize) -> [u8; 16] {
    let mut key = *b"a key of 16: 000";
    key[8..].copy_from_slice(&(n % KEYS).to_le_bytes());
    key
}

fn cache_with_entries() -> (Cache, Handle) {
    let (clock, _) = Clock::manual();
    let config = Config {
        clock,
        seed: Some(1),
        ..Config::new(16 << 20)
    };
    let cache = Cache::new(config).unwrap();
    let handle = cache.handle();
    for n in 0..KEYS {
        // Some are long, some end, some both.
        let len = if n % 10 == 0 { 5_000 } else { 100 };
        let ttl = if n % 2 == 0 {
            Ttl::Forever
        } else {
            Ttl::Millis(60_000)
        };
        handle.set(&key(n), &vec![n as u8; len], 0, ttl).unwrap();
    }
    (cache, handle)
}

fn saturate(handle: &Handle) {
    for n in 0..KEYS * READS_TO_SATURATE {
        handle.get(&key(n), |_| ()).unwrap();
    }
}

/// Nothing but plain stores to the two lines that are the handle's own.
fn assert_only_own(handle: &Handle, lines: &Lines) {
    for (line, touched) in lines {
        assert!(
            handle.own_lines().contains(line),
            "a shared line: {touched:?}"
        );
        assert_eq!(touched.updates, 0, "a read-modify-write: {touched:?}");
    }
}

fn total(lines: &Lines) -> (u64, u64) {
    lines.values().fold((0, 0), |(stores, updates), touched| {
        (stores + touched.stores, updates + touched.updates)
    })
}

#[test]
fn a_million_saturated_hits_store_to_no_shared_line_and_modify_nothing() {
    let (_cache, handle) = cache_with_entries();
    saturate(&handle);
    let lines = stores_of(|| {
        for n in 0..READS {
            assert!(handle.get(&key(n), |value| value.len()).is_some());
        }
    });
    assert_only_own(&handle, &lines);
    // Pinned, counted, unpinned: the count does see what is stored.
    assert_eq!(total(&lines), (3 * READS as u64, 0));
    println!("{READS} saturated hits: {lines:?}");
}

#[test]
fn so_do_hits_of_entries_that_are_already_watched() {
    let (_cache, handle) = cache_with_entries();
    saturate(&handle);
    (0..KEYS).for_each(|n| {
        handle.get_watched(&key(n), |value| assert!(value.watched()));
    });
    let lines = stores_of(|| {
        for n in 0..READS / 10 {
            handle.get_watched(&key(n), |_| ());
        }
    });
    assert_only_own(&handle, &lines);
}

#[test]
fn batches_and_uncounted_reads_store_no_more() {
    let (_cache, handle) = cache_with_entries();
    saturate(&handle);
    let keys: Vec<_> = (0..KEYS).map(key).collect();
    let keys: Vec<&[u8]> = keys.iter().map(|key| &key[..]).collect();
    let lines = stores_of(|| {
        handle.get_many(&keys, |_, value| assert!(value.is_some()));
        keys.iter().for_each(|key| assert!(handle.contains(key)));
    });
    assert_only_own(&handle, &lines);
}

/// What the tests above would see if there were something.
#[test]
fn the_first_reads_of_an_entry_and_every_write_are_seen() {
    let (_cache, handle) = cache_with_entries();
    let first = stores_of(|| {
        handle.get(&key(1), |_| ());
    });
    let shared: Vec<_> = first
        .iter()
        .filter(|(line, _)| !handle.own_lines().contains(line))
        .map(|(_, touched)| (touched.stores, touched.updates))
        .collect();
    assert_eq!(shared, [(1, 0)], "the entry's counter");
    let write = stores_of(|| handle.set(&key(1), b"new", 0, Ttl::Forever).unwrap());
    let (stores, updates) = total(&write);
    assert!(stores > 10 && updates >= 2, "{write:?}");
}
