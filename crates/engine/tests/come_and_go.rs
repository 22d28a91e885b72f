//! Handles that come and go beside one that writes in place, puts new records into others' slots and has pages emptied,
//! while a third thread moves the time and clears. Small enough for Miri, which sees what no sanitizer does:
//! `MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-disable-weak-memory-emulation" cargo +nightly miri test --test come_and_go`.
//! (It can't emulate weak memory here: the same bytes hold atomics of several sizes, one after the other.)

use nearcache_engine::{Cache, Clock, Config, Cursor, Handle, ManualClock, Ttl, Value};
use std::thread;

const STEPS: u64 = if cfg!(miri) { 90 } else { 20_000 };
const KEYS: u64 = 60;

#[test]
fn readers_see_whole_values_whatever_happens_to_their_slots() {
    let (clock, manual) = Clock::manual();
    let config = Config {
        clock,
        seed: Some(7),
        shards: Some(1),
        ..Config::new(64 << 10)
    };
    let cache = Cache::new(config).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| read(&cache));
        scope.spawn(|| write(&cache));
        scope.spawn(|| maintain(&cache, &manual));
    });
    cache.validate().unwrap();
}

fn check(key: u64, value: &Value<'_>) {
    assert!(value.to_vec().iter().all(|byte| *byte == key as u8));
}

fn read(cache: &Cache) {
    for round in 0..STEPS / 8 {
        let handle = cache.handle();
        for key in (0..6).map(|at| at * 7 % KEYS) {
            handle.get(&key.to_le_bytes(), |value| check(key, &value));
        }
        if round.is_multiple_of(3) {
            handle.scan(Cursor::START, b"", 8, |key, value| {
                check(u64::from_le_bytes(key.try_into().unwrap()), &value);
            });
        }
        drop(handle);
        thread::yield_now();
    }
}

fn write(cache: &Cache) {
    let mut handle = Some(cache.handle());
    for step in 0..STEPS {
        write_one(handle.get_or_insert_with(|| cache.handle()), step);
        if step.is_multiple_of(29) {
            // For a while the other threads may be alone.
            handle = None;
            thread::yield_now();
        }
    }
}

fn write_one(handle: &Handle, step: u64) {
    let key = step % KEYS;
    let length = match step / 30 % 3 {
        0 => 600 + step % 3,
        1 => 40,
        _ => step * 97 % 1_500,
    };
    let ttl = if step.is_multiple_of(5) {
        Ttl::Millis(20)
    } else {
        Ttl::Forever
    };
    // Where there is no room there is none.
    let _ = handle.set(
        &key.to_le_bytes(),
        &vec![key as u8; length as usize],
        0,
        ttl,
    );
    if step.is_multiple_of(11) {
        handle.delete(&(step * 3 % KEYS).to_le_bytes()).unwrap();
    }
    if step.is_multiple_of(17) {
        handle.get_watched(&key.to_le_bytes(), |value| check(key, &value));
        handle.drain_changes(|_| ());
    }
}

fn maintain(cache: &Cache, clock: &ManualClock) {
    for step in 0..STEPS / 10 {
        clock.advance_ms(3);
        cache.maintain();
        if step.is_multiple_of(9) {
            let _ = cache.handle().clear();
        }
        cache.stats();
        thread::yield_now();
    }
}
