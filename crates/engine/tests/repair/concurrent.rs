//! Threads that go on while one dies: readers that check every value, and writers that wait for the
//! lock.

use crate::scenario::SCENARIOS;
use crate::value::{Rng, name_of, read_value};
use crate::world::World;
use crate::{die_at, first_of_each, prepared, scenario_trace};
use nearcache_engine::fault;
use nearcache_engine::{Cache, Handle, Ttl};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

const KEYS: usize = 70;
const ROUNDS: u64 = 2_000;

/// Reads until told to stop. No value is torn or another key's, and none is followed by an older one.
fn read_until(cache: &Cache, done: &AtomicBool) -> u64 {
    let handle = cache.handle();
    let mut newest = [0; KEYS];
    let (mut found, mut buffer) = (0, Vec::new());
    while !done.load(Ordering::Relaxed) {
        for (key, newest) in newest.iter_mut().enumerate() {
            let read = handle.get(&name_of(key), |value| {
                read_value(key, &value, found % 64 == 0, &mut buffer)
            });
            if let Some(write) = read {
                assert!(write >= *newest, "key {key}: {write} after {newest}");
                *newest = write;
                found += 1;
            }
        }
    }
    found
}

#[test]
fn readers_see_nothing_wrong_while_writers_die() {
    let mut world = World::new(128 << 10, 1);
    let (cache, done) = (world.cache.clone(), AtomicBool::new(false));
    let (mut deaths, mut rng) = (0, Rng::new(3));
    let found: u64 = thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| read_until(&cache, &done)))
            .collect();
        for round in 0..ROUNDS {
            let nth = 1 + rng.next() % 400;
            let died = die_at(nth, || world.act_at_random(100 + round, 20));
            deaths += u64::from(died.is_some());
            world.act_at_random(round, 20);
        }
        done.store(true, Ordering::Relaxed);
        readers
            .into_iter()
            .map(|reader| reader.join().expect("a reader found something wrong"))
            .sum()
    });
    let repairs = world.cache.stats().repairs;
    println!("{deaths} deaths, {repairs} repairs, {found} values read");
    assert!(found > 0 && repairs > 0 && repairs <= deaths);
    world.check_all(repairs);
}

/// Writes as soon as the dying thread stands at its point.
fn write_when(handle: &Handle, dying: &Barrier, id: u8) {
    let name = [b'w', id];
    dying.wait();
    handle.set(&name, b"value", 0, Ttl::Forever).unwrap();
    handle.delete(&name).unwrap();
}

#[test]
fn writers_that_wait_for_the_lock_of_one_that_dies_go_on() {
    const WAITING: u8 = 2;
    for name in ["insert", "overwrite", "delete"] {
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
        let scenario = scenario.expect("a scenario of that name");
        for nth in first_of_each(&scenario_trace(scenario)).into_keys() {
            let mut world = prepared(scenario);
            let cache = world.cache.clone();
            let dying = Arc::new(Barrier::new(usize::from(WAITING) + 1));
            thread::scope(|scope| {
                for id in 0..WAITING {
                    // Made here, because making one takes locks too.
                    let (handle, dying) = (cache.handle(), Arc::clone(&dying));
                    scope.spawn(move || write_when(&handle, &dying, id));
                }
                fault::arm_with(nth, move || {
                    dying.wait();
                    // So that the writers come to wait for the lock, if this thread has it.
                    (0..8).for_each(|_| thread::yield_now());
                });
                let died = catch_unwind(AssertUnwindSafe(|| (scenario.act)(&mut world)));
                fault::disarm();
                died.expect_err("the same as in the trace");
            });
            let repairs = world.cache.stats().repairs;
            assert!(repairs <= 1);
            world.check_all(repairs);
        }
    }
}
