//! A reader that stays inside `get`'s closure holds up the memory that is retired meanwhile. Whatever
//! it does, the budget holds, writes succeed or end in the typed error, and when it goes on all comes
//! back.
//!
//! Bounds of the bytes that wait: with a reader that stands still never more than is in use, and so never
//! more than the budget; without one, after each write, no more than the hundredth of the budget at
//! which they are collected.

use nearcache_engine::{Cache, Clock, Config, Error, Handle, Ttl};
use std::sync::mpsc::{Receiver, channel};

const BUDGET: u64 = 1 << 20;
/// Refused writes after which a test has seen enough: each waits for the reader for half a second.
const REFUSALS: usize = 2;

fn cache() -> Cache {
    let (clock, _) = Clock::manual();
    let config = Config {
        clock,
        seed: Some(3),
        ..Config::new(BUDGET)
    };
    Cache::new(config).unwrap()
}

/// Lengths that change class, are chunked, and change back.
fn len_of(n: usize) -> usize {
    [40, 300, 90, 3_000, 20_000, 600][n / 50 % 6] + n % 37
}

fn check_accounting(cache: &Cache) {
    let stats = cache.stats();
    assert!(stats.memory_used <= stats.memory_max, "{stats:?}");
    assert!(stats.memory_retired <= stats.memory_used, "{stats:?}");
}

/// Looks at a value from before the writes until it is told that they are over.
fn stand_still(handle: &Handle, begun: impl FnOnce(), go_on: &Receiver<()>) {
    let found = handle.get(b"held", |value| {
        begun();
        go_on.recv().expect("the writer says when");
        assert_eq!(
            value.to_vec(),
            [7; 5_000],
            "the value changed under its reader"
        );
    });
    assert!(found.is_some());
}

/// Runs `writes` while a reader stands still, then checks that everything is given back.
fn beside_a_stalled_reader(cache: &Cache, writes: impl FnOnce(&Handle)) {
    let handle = cache.handle();
    handle.set(b"held", &[7; 5_000], 0, Ttl::Forever).unwrap();
    std::thread::scope(|scope| {
        let (begun, has_begun) = channel();
        let (go_on, told) = channel();
        scope.spawn(move || stand_still(&cache.handle(), || begun.send(()).unwrap(), &told));
        has_begun.recv().unwrap();
        writes(&handle);
        assert!(cache.stats().memory_retired > 0, "the reader holds nothing");
        go_on.send(()).unwrap();
    });
    cache.maintain();
    assert_eq!(cache.stats().memory_retired, 0, "nobody reads any more");
    cache.validate().unwrap();
    let value = vec![1; cache.max_value_size() as usize];
    handle.set(b"largest", &value, 0, Ttl::Forever).unwrap();
    check_accounting(cache);
}

#[test]
fn new_entries_beside_it_keep_to_the_budget_until_they_are_refused() {
    let cache = cache();
    beside_a_stalled_reader(&cache, |handle| {
        let (mut stored_bytes, mut refused) = (0, 0);
        for n in 0.. {
            let value = vec![n as u8; len_of(n)];
            match handle.set(&n.to_le_bytes(), &value, 0, Ttl::Forever) {
                Ok(()) => stored_bytes += value.len() as u64,
                Err(Error::NoRoom { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
            check_accounting(&cache);
            if refused == REFUSALS {
                break;
            }
        }
        assert!(stored_bytes > BUDGET / 2, "{stored_bytes} bytes fitted");
    });
}

#[test]
fn overwrites_beside_it_keep_to_the_budget_and_a_refused_one_changes_nothing() {
    let cache = cache();
    beside_a_stalled_reader(&cache, |handle| {
        let mut last = None;
        for n in 0.. {
            let value = vec![n as u8; 2_000 + n % 100];
            let stored = handle.set(b"overwritten", &value, 0, Ttl::Forever);
            check_accounting(&cache);
            match stored {
                Ok(()) => last = Some(value),
                Err(Error::NoRoom { .. }) => break,
                Err(error) => panic!("{error}"),
            }
        }
        // It may have been evicted for room that didn't come; it is not an older one.
        let found = handle.get(b"overwritten", |value| value.to_vec());
        assert!(found.is_none() || found == last);
    });
}

#[test]
fn deletes_and_clear_beside_it_free_what_it_does_not_hold_up() {
    let cache = cache();
    let filler = cache.handle();
    for n in 0..200usize {
        filler
            .set(&n.to_le_bytes(), &[1; 1_000], 0, Ttl::Forever)
            .unwrap();
    }
    beside_a_stalled_reader(&cache, |handle| {
        for n in 0..100usize {
            assert!(handle.delete(&n.to_le_bytes()).unwrap());
            check_accounting(&cache);
        }
        handle.clear().unwrap();
        cache.maintain();
        check_accounting(&cache);
        assert!(
            handle.get(b"held", |_| ()).is_none(),
            "cleared for everybody else"
        );
    });
}

#[test]
fn without_a_stalled_reader_little_memory_waits_at_every_step() {
    let cache = cache();
    let handle = cache.handle();
    // One that is alone overwrites in place, and nothing waits.
    let _other = cache.handle();
    let limit = BUDGET / 100;
    let mut most = 0;
    for n in 0..30_000usize {
        // Each key twice: the second write retires what the first one made.
        let key = (n / 2 % 500).to_le_bytes();
        let value = vec![n as u8; len_of(n)];
        handle.set(&key, &value, 0, Ttl::Forever).unwrap();
        let retired = cache.stats().memory_retired;
        assert!(retired <= limit, "write {n}: {retired} bytes wait");
        most = most.max(retired);
        check_accounting(&cache);
    }
    assert!(most > 0, "something waits between the collections");
}
