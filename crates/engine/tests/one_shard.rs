//! A million keys that all hash to one shard, of many: it is as good as a million anywhere.
//!
//! The keys are chosen with the engine's hash function, under the seed that the cache is given; the cursor
//! of a scan, which names the shard it has come to, shows that the choice was right.

#[path = "support/scale.rs"]
mod scale;

use foldhash::SharedSeed;
use foldhash::quality::FoldHasher;
use nearcache_engine::{Cache, Clock, Config, Cursor, Handle, Ttl};
use scale::scaled;
use std::collections::BTreeMap;
use std::hash::Hasher as _;

const KEYS: u64 = 1_000_000;
const SEED: u64 = 11;
const SHARD_BITS: u32 = 6;
const SHARD: u64 = 37;
/// The lower bits of a cursor are the place within the shard.
const CURSOR_SHARD_SHIFT: u32 = 16;
const VALUE_BYTES: usize = 100;

fn shard_of(shared: &SharedSeed, key: u64) -> u64 {
    let mut hasher = FoldHasher::with_seed(SEED, shared);
    hasher.write(&key.to_le_bytes());
    hasher.finish() >> (u64::BITS - SHARD_BITS)
}

/// Keys of the crowded shard, or of the others.
fn keys(crowded: bool) -> impl Iterator<Item = u64> {
    let shared = SharedSeed::from_u64(SEED);
    (0..).filter(move |key| (shard_of(&shared, *key) == SHARD) == crowded)
}

fn value_of(key: u64) -> [u8; VALUE_BYTES] {
    std::array::from_fn(|at| key.rotate_left(at as u32) as u8)
}

fn cache(budget: u64) -> (Cache, Handle) {
    let (clock, _) = Clock::manual();
    let cache = Cache::new(Config {
        clock,
        seed: Some(SEED),
        shards: Some(1 << SHARD_BITS),
        ..Config::new(budget)
    })
    .unwrap();
    let handle = cache.handle();
    (cache, handle)
}

fn holds(handle: &Handle, key: u64) -> bool {
    let expected = value_of(key);
    let same = handle.get(&key.to_le_bytes(), |value| {
        value.as_contiguous() == Some(&expected)
    });
    assert_ne!(same, Some(false), "key {key} has another value");
    same.is_some()
}

fn set(handle: &Handle, key: u64) {
    let value = value_of(key);
    handle
        .set(&key.to_le_bytes(), &value, 0, Ttl::Forever)
        .unwrap();
    assert!(holds(handle, key), "key {key} is not there at once");
}

/// The number of live entries in each shard that has any, each of which is read.
fn entries_by_shard(handle: &Handle) -> BTreeMap<u64, u64> {
    let mut found = BTreeMap::new();
    let mut cursor = Some(Cursor::START);
    while let Some(from) = cursor {
        let mut keys = Vec::new();
        cursor = handle.scan(from, b"", 1, |key, _| {
            keys.push(u64::from_le_bytes(key.try_into().unwrap()));
        });
        assert!(keys.iter().all(|key| holds(handle, *key)));
        // Where the scan found something it stopped: in the shard of the next place, or the one before.
        let next = cursor.map_or(1 << SHARD_BITS, |next| {
            next.into_raw() >> CURSOR_SHARD_SHIFT
        });
        let is_new_shard =
            cursor.is_none_or(|next| next.into_raw() % (1 << CURSOR_SHARD_SHIFT) == 0);
        let shard = if is_new_shard { next - 1 } else { next };
        *found.entry(shard).or_default() += keys.len() as u64;
    }
    found.retain(|_, count| *count > 0);
    found
}

#[test]
fn a_million_keys_of_one_shard_are_all_kept_where_there_is_room() {
    let (cache, handle) = cache(256 << 20);
    let count = scaled(KEYS);
    for key in keys(true).take(count as usize) {
        set(&handle, key);
    }
    assert_eq!(entries_by_shard(&handle), BTreeMap::from([(SHARD, count)]));
    let full = cache.stats();
    assert_eq!((full.entries, full.evictions), (count, 0));
    assert!(full.memory_used <= full.memory_max, "{full:?}");
    cache.validate().unwrap();
    let (kept, deleted) = (count as usize / 20, count as usize - count as usize / 20);
    for key in keys(true).take(deleted) {
        assert!(handle.delete(&key.to_le_bytes()).unwrap());
    }
    cache.maintain();
    cache.validate().unwrap();
    assert!(
        keys(true)
            .skip(deleted)
            .take(kept)
            .all(|key| holds(&handle, key))
    );
    let few = cache.stats();
    assert!(
        few.memory_index * 4 < full.memory_index,
        "{full:?}, {few:?}"
    );
}

#[test]
fn a_million_keys_of_one_shard_drive_each_other_out_within_the_budget() {
    let (cache, handle) = cache(32 << 20);
    let count = scaled(KEYS).max(600_000);
    for (written, key) in keys(true).take(count as usize).enumerate() {
        set(&handle, key);
        if written % 4_096 == 0 {
            let stats = cache.stats();
            assert!(stats.memory_used <= stats.memory_max, "{stats:?}");
        }
    }
    let stats = cache.stats();
    assert_eq!(stats.evictions, count - stats.entries);
    // As many as anywhere: none of the budget is another shard's.
    let live = stats.entries * (size_of::<u64>() + VALUE_BYTES + 64) as u64;
    assert!(live * 100 >= stats.memory_max * 95, "{stats:?}");
    let found = entries_by_shard(&handle);
    assert_eq!(found, BTreeMap::from([(SHARD, stats.entries)]));
    cache.validate().unwrap();
    // Others' keys get the room that they need from it.
    for key in keys(false).take(100_000) {
        set(&handle, key);
    }
    cache.validate().unwrap();
    let found = entries_by_shard(&handle);
    assert_eq!(found.len(), 1 << SHARD_BITS);
    assert_eq!(found.values().sum::<u64>(), cache.len());
    assert!(cache.stats().memory_used <= stats.memory_max);
}
