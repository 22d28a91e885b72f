//! Memory that changes hands: evictions, chunks, pages that move between sizes, readers that stand still
//! or come and go.

use crate::explore::{explore, fill_up, look, part, put, settled, smallest_cache, together};
use crate::self_proving::{fill, verify};
use nearcache_engine::switching::concurrently;
use nearcache_engine::{Cache, Error, Handle, Ttl};

/// Keys that nobody else writes; each part has a thousand of its own.
fn write_new(handle: &Handle, first: usize, count: usize, len: usize) {
    (first..first + count).for_each(|key| put(handle, key, 1, len));
}

fn reader<'a>(keys: std::ops::Range<usize>) -> crate::explore::Part<'a> {
    part(move |handle: &Handle| {
        for key in keys {
            assert!(look(handle, key).is_none_or(|write| write == 1));
        }
    })
}

#[test]
fn two_writers_evict_under_a_reader() {
    explore("memory, evictions", 250, || {
        let (cache, _) = smallest_cache();
        let last = fill_up(&cache, 0, 400);
        let writer = |first| part(move |handle: &Handle| write_new(handle, first, 4, 400));
        let parts = vec![writer(10_000), writer(20_000), reader(last - 8..last)];
        together(&cache, parts);
    });
}

#[test]
fn long_values_are_evicted_and_replaced_under_a_reader() {
    explore("memory, chunks", 250, || {
        let (cache, _) = smallest_cache();
        let last = fill_up(&cache, 0, 2_500);
        let writer = part(|handle: &Handle| write_new(handle, 10_000, 3, 3_000));
        let replacer = part(move |handle: &Handle| {
            for key in last - 4..last {
                put(handle, key, 1, 1_000);
            }
        });
        together(&cache, vec![writer, replacer, reader(last - 4..last)]);
    });
}

/// Many small entries of which most are deleted: their pages are emptied for large ones, which moves
/// what a reader is looking at.
#[test]
fn pages_change_their_size_under_a_reader() {
    explore("memory, pages", 200, || {
        let (cache, _) = smallest_cache();
        let last = fill_up(&cache, 0, 40);
        let handle = cache.handle();
        (0..last).filter(|key| key % 8 != 0).for_each(|key| {
            handle.delete(&key.to_le_bytes()).unwrap();
        });
        let writer = |first| part(move |handle: &Handle| write_new(handle, first, 4, 1_500));
        let kept = part(move |handle: &Handle| {
            for key in (0..last).step_by(8).take(12) {
                assert!(look(handle, key).is_none_or(|write| write == 1));
            }
        });
        together(&cache, vec![writer(10_000), writer(20_000), kept]);
    });
}

#[test]
fn pages_of_chunks_change_their_size_under_a_reader() {
    explore("memory, pages of chunks", 200, || {
        let (cache, _) = smallest_cache();
        let last = fill_up(&cache, 0, 2_500);
        let handle = cache.handle();
        (0..last).filter(|key| key % 3 != 0).for_each(|key| {
            handle.delete(&key.to_le_bytes()).unwrap();
        });
        let writer = |first| part(move |handle: &Handle| write_new(handle, first, 12, 200));
        let kept = part(move |handle: &Handle| {
            for key in (0..last).step_by(3) {
                assert!(look(handle, key).is_none_or(|write| write == 1));
            }
        });
        together(&cache, vec![writer(10_000), writer(20_000), kept]);
    });
}

#[test]
fn handles_come_and_go_while_memory_is_taken_back() {
    explore("memory, handles", 400, || {
        let (cache, _) = smallest_cache();
        put(&cache.handle(), 0, 1, 40);
        let visitor = || {
            part(|_: &Handle| {
                for _ in 0..3 {
                    let handle = cache.handle();
                    assert!(look(&handle, 0).is_some(), "never absent");
                }
            })
        };
        let writer = part(|handle: &Handle| {
            (2..12).for_each(|write| put(handle, 0, write, 40));
        });
        together(&cache, vec![visitor(), visitor(), writer]);
    });
}

/// Who is alone puts a new entry in the slot of the one that goes for it; others come and look at what goes.
#[test]
fn handles_come_and_go_while_slots_are_reused() {
    explore("memory, reused slots", 300, || {
        let (cache, _) = smallest_cache();
        let last = fill_up(&cache, 0, 400);
        let cache = &cache;
        let visits = |keys: std::ops::Range<usize>| {
            for key in keys {
                let handle = cache.handle();
                assert!(look(&handle, key).is_none_or(|write| write == 1));
            }
        };
        concurrently(|| {
            shuttle::thread::scope(|scope| {
                scope.spawn(move || visits(last - 4..last));
                scope.spawn(move || visits(10_000..10_004));
                scope.spawn(move || write_new(&cache.handle(), 10_000, 6, 400));
            });
        });
        settled(cache);
    });
}

/// Overwrites need new memory while a reader holds what they replaced: each succeeds or ends in the
/// typed error, the reader sees one value, and afterwards all comes back.
fn beside_a_stalled_reader(cache: &Cache, overwrites: u32, len: usize) {
    let stalled = part(|handle: &Handle| {
        handle.get(&0usize.to_le_bytes(), |value| {
            let write = verify(0, &value.to_vec());
            for _ in 0..50 {
                shuttle::thread::yield_now();
                assert_eq!(verify(0, &value.to_vec()), write);
            }
        });
    });
    let writer = part(|handle: &Handle| {
        let mut value = Vec::new();
        for write in 2..2 + overwrites {
            fill(0, write, len, &mut value);
            match handle.set(&0usize.to_le_bytes(), &value, 0, Ttl::Forever) {
                Ok(()) => assert_eq!(look(handle, 0), Some(write)),
                Err(error) => assert!(matches!(error, Error::NoRoom { .. }), "{error}"),
            }
            let stats = cache.stats();
            assert!(stats.memory_used <= stats.memory_max);
            assert!(stats.memory_retired <= stats.memory_used);
        }
    });
    together(cache, vec![stalled, writer]);
}

#[test]
fn a_reader_that_stands_still_keeps_its_value_and_hinders_no_accounting() {
    explore("memory, stalled reader", 300, || {
        let (cache, _) = smallest_cache();
        put(&cache.handle(), 0, 1, 6_000);
        beside_a_stalled_reader(&cache, 10, 6_000);
    });
}

#[test]
fn clear_again_and_again_beside_writers_gives_everything_back() {
    explore("memory, clear", 250, || {
        let (cache, _) = smallest_cache();
        fill_up(&cache, 0, 1_000);
        let clearer = part(|handle: &Handle| (0..3).for_each(|_| handle.clear().unwrap()));
        let writer = |first| part(move |handle: &Handle| write_new(handle, first, 3, 1_000));
        together(&cache, vec![clearer, writer(10_000), writer(20_000)]);
        cache.handle().clear().unwrap();
        settled(&cache);
        assert_eq!(cache.len(), 0);
    });
}
