//! Several writers want the same key: conditions have one winner, and what a delete and a set leave
//! behind fits together.

use crate::explore::{cache_of, explore, look, part, put, smallest_cache, together};
use nearcache_engine::{Handle, Ttl};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

const KEY: &[u8] = b"contested";

#[test]
fn set_if_absent_has_one_winner() {
    explore("contest, set_if_absent", 1_000, || {
        let (cache, _) = smallest_cache();
        let winners = Mutex::new(Vec::new());
        let contender = |id: u8| {
            let winners = &winners;
            part(move |handle: &Handle| {
                // Long enough for chunks: the loser's must be given back.
                let value = [id; 1_200];
                if handle.set_if_absent(KEY, &value, 0, Ttl::Forever).unwrap() {
                    winners.lock().unwrap().push(id);
                }
            })
        };
        together(&cache, vec![contender(1), contender(2), contender(3)]);
        let winners = winners.into_inner().unwrap();
        assert_eq!(winners.len(), 1, "{winners:?} won");
        let value = cache.handle().get(KEY, |value| value.to_vec());
        assert_eq!(value, Some(vec![winners[0]; 1_200]));
        assert_eq!(cache.len(), 1);
    });
}

#[test]
fn compare_and_set_loses_no_update() {
    explore("contest, compare_and_set", 700, || {
        let (cache, _) = smallest_cache();
        cache.handle().set(KEY, &[0], 0, Ttl::Forever).unwrap();
        let adder = || {
            part(|handle: &Handle| {
                let mut left = 2;
                while left > 0 {
                    let read = handle.get(KEY, |value| (value.version(), value.to_vec()));
                    let (version, count) = read.expect("never absent");
                    let next = [count[0] + 1];
                    let stored = handle.compare_and_set(KEY, version, &next, 0, Ttl::Forever);
                    left -= u32::from(stored.unwrap());
                }
            })
        };
        together(&cache, vec![adder(), adder(), adder()]);
        let count = cache.handle().get(KEY, |value| value.to_vec());
        assert_eq!(count, Some(vec![6]));
    });
}

#[test]
fn a_delete_beside_sets_removes_what_was_there_and_nothing_else() {
    explore("contest, delete and set", 800, || {
        let (cache, _) = cache_of(1 << 20);
        let handle = cache.handle();
        put(&handle, 0, 1, 40);
        let removed = AtomicU32::new(0);
        let deleter = || {
            part(|handle: &Handle| {
                for _ in 0..2 {
                    let was_there = handle.delete(&0usize.to_le_bytes()).unwrap();
                    removed.fetch_add(u32::from(was_there), Ordering::SeqCst);
                }
            })
        };
        let setter = part(|handle: &Handle| (2..5).for_each(|write| put(handle, 0, write, 40)));
        together(&cache, vec![deleter(), deleter(), setter]);
        let left = look(&handle, 0);
        let stats = cache.stats();
        assert_eq!(stats.deletes, u64::from(removed.load(Ordering::SeqCst)));
        assert_eq!(stats.entries, u64::from(left.is_some()));
        assert!(
            left.is_none_or(|write| write == 4),
            "{left:?} is not the last"
        );
    });
}

/// The old life can't be told in the units of the new one, so `touch` copies the record and must not
/// bring back what was overwritten or deleted meanwhile.
#[test]
fn a_touch_that_copies_the_record_loses_no_write() {
    explore("contest, touch", 800, || {
        const YEAR_MS: u64 = 365 * 24 * 3_600 * 1_000;
        let (cache, _) = cache_of(1 << 20);
        let handle = cache.handle();
        put(&handle, 0, 1, 40);
        put(&handle, 1, 1, 40);
        let toucher = part(|handle: &Handle| {
            for key in 0..2usize {
                handle
                    .touch(&key.to_le_bytes(), Ttl::Millis(YEAR_MS))
                    .unwrap();
            }
        });
        let writer = part(|handle: &Handle| {
            put(handle, 0, 2, 40);
            handle.delete(&1usize.to_le_bytes()).unwrap();
        });
        let reader = part(|handle: &Handle| {
            for _ in 0..3 {
                assert!(look(handle, 0).is_some(), "never absent");
            }
        });
        together(&cache, vec![toucher, writer, reader]);
        assert_eq!(look(&handle, 0), Some(2));
        assert_eq!(look(&handle, 1), None);
    });
}
