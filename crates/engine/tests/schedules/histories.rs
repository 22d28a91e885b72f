//! Random operations of several threads on few keys: each key's history must be linearizable.

use crate::explore::{cache_of, explore, fill_up, settled, smallest_cache};
use crate::history::{Move, Operation, Time};
use crate::rng::Rng;
use crate::worker::{Worker, check_all};
use nearcache_engine::switching::concurrently;
use nearcache_engine::{Cache, ManualClock, TICK_MS};
use shuttle::rand::{RngCore, thread_rng};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

struct Scenario {
    threads: usize,
    keys: usize,
    operations: usize,
    expiring: bool,
    may_drop: bool,
    len: fn(&mut Rng) -> usize,
}

impl Scenario {
    fn run(&self, cache: &Cache, clock: &ManualClock) {
        let keys: Vec<_> = (0..self.keys)
            .map(|n| format!("key:{n}").into_bytes())
            .collect();
        let stamps = AtomicU64::new(1);
        let done = Mutex::new(Vec::<(usize, Operation)>::new());
        // From the scheduler, so that other schedules have other operations and a replay the same.
        let seed = thread_rng().next_u64() >> 32;
        let time = concurrently(|| {
            shuttle::thread::scope(|scope| {
                for thread in 0..self.threads {
                    let (keys, stamps, done) = (&keys, &stamps, &done);
                    scope.spawn(move || {
                        let mut rng = Rng::new(seed << 4 | thread as u64);
                        let access = (cache.handle(), cache.signal());
                        let mut worker =
                            Worker::new(thread, access, stamps, keys, shuttle::thread::yield_now);
                        for _ in 0..self.operations {
                            worker.act(&mut rng, self.expiring, self.len);
                        }
                        done.lock().unwrap().append(&mut worker.done);
                    });
                }
                if self.expiring {
                    move_clock(cache, clock, &stamps)
                } else {
                    Time::default()
                }
            })
        });
        let done = done.into_inner().unwrap();
        if let Err(problem) = check_all(self.keys, &done, &time, self.may_drop) {
            panic!("{problem}");
        }
        settled(cache);
    }
}

fn move_clock(cache: &Cache, clock: &ManualClock, stamps: &AtomicU64) -> Time {
    let mut time = Time::default();
    for step in 1..=4 {
        let invoked = stamps.fetch_add(1, Ordering::SeqCst);
        clock.advance_ms(2 * TICK_MS);
        let returned = stamps.fetch_add(1, Ordering::SeqCst);
        time.moves.push(Move {
            invoked,
            returned,
            tick: 2 * step,
        });
        shuttle::thread::yield_now();
        if step % 2 == 0 {
            cache.maintain();
        }
    }
    time
}

#[test]
fn three_threads_on_two_keys_with_room_lose_nothing() {
    explore("histories, room", 700, || {
        let (cache, clock) = cache_of(1 << 20);
        let scenario = Scenario {
            threads: 3,
            keys: 2,
            operations: 6,
            expiring: false,
            may_drop: false,
            len: |rng| rng.below(100),
        };
        scenario.run(&cache, &clock);
    });
}

#[test]
fn values_that_end_are_not_seen_after_it() {
    explore("histories, expiry", 500, || {
        let (cache, clock) = smallest_cache();
        let scenario = Scenario {
            threads: 3,
            keys: 2,
            operations: 6,
            expiring: true,
            may_drop: true,
            len: |rng| rng.below(100),
        };
        scenario.run(&cache, &clock);
    });
}

#[test]
fn in_a_full_cache_with_long_values_what_remains_is_the_last_write() {
    explore("histories, full", 300, || {
        let (cache, clock) = smallest_cache();
        fill_up(&cache, 0, 1_500);
        let scenario = Scenario {
            threads: 3,
            keys: 2,
            operations: 5,
            expiring: false,
            may_drop: true,
            len: |rng| if rng.one_in(2) { 2_000 } else { rng.below(60) },
        };
        scenario.run(&cache, &clock);
    });
}
