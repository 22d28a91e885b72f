//! What many threads call at once must look as if it had happened in some order, one call after the
//! other ([`checker`] says what that means for a cache, whose entries may vanish).
//!
//! Each round makes a small cache, lets 4 to 8 threads work on a few keys (and on others, so that there
//! are evictions), with a clock that one of them moves, and checks the history of each key.
//!
//! `NEARCACHE_STRESS_SCALE` multiplies the rounds, `NEARCACHE_STRESS_SEED` picks others.

mod checker;
mod history;
#[path = "../support/rng.rs"]
mod rng;
#[path = "../support/scale.rs"]
mod scale;
#[path = "../support/value.rs"]
mod self_proving;
mod self_test;
mod worker;

use crate::history::{Move, Operation, Time};
use crate::rng::Rng;
use crate::scale::scaled;
use crate::worker::{Worker, check_all};
use nearcache_engine::{Cache, Clock, Config, ManualClock, TICK_MS, Ttl};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Bytes of a value beside those that are checked, at most.
const OTHERS_BYTES_MAX: usize = 300;

struct Scenario {
    name: &'static str,
    rounds: u64,
    budget: u64,
    threads: usize,
    keys: usize,
    operations: usize,
    expiring: bool,
    /// Keys beside those that are checked, so that there is always something to evict.
    others: usize,
    /// Bytes of those keys' values.
    others_len: fn(&mut Rng) -> usize,
    /// After about how many operations a thread takes another handle.
    handle_life: u64,
    len: fn(&mut Rng) -> usize,
}

impl Scenario {
    fn may_drop(&self) -> bool {
        self.expiring || self.others > 0
    }
}

/// A thread that works; also one that finds something wrong ends, or the clock would wait for it for ever.
struct AtWork<'a>(&'a AtomicUsize);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What the threads of a round share.
struct Round<'a> {
    scenario: &'a Scenario,
    cache: Cache,
    clock: ManualClock,
    keys: Vec<Vec<u8>>,
    stamps: AtomicU64,
    working: AtomicUsize,
    /// So that no thread is done before the last one has begun.
    start: Barrier,
}

fn run(scenario: &Scenario) {
    let rounds = scaled(scenario.rounds);
    let (mut operations, mut evictions) = (0, 0);
    for round in 0..rounds {
        let (clock, manual) = Clock::manual_from(0);
        let config = Config {
            clock,
            seed: Some(round),
            ..Config::new(scenario.budget)
        };
        let shared = Round {
            scenario,
            cache: Cache::new(config).unwrap(),
            clock: manual,
            keys: (0..scenario.keys)
                .map(|n| format!("key:{n}").into_bytes())
                .collect(),
            stamps: AtomicU64::new(1),
            working: AtomicUsize::new(scenario.threads),
            start: Barrier::new(scenario.threads + 1),
        };
        let (done, time) = shared.run(round);
        operations += done.len();
        evictions += shared.cache.stats().evictions;
        if let Err(problem) = check_all(scenario.keys, &done, &time, scenario.may_drop()) {
            panic!("{}, round {round}: {problem}", scenario.name);
        }
        shared.cache.maintain();
        shared.cache.validate().unwrap();
    }
    println!(
        "{}: {rounds} rounds, {} histories, {operations} operations, {evictions} evictions",
        scenario.name,
        rounds * scenario.keys as u64
    );
    assert_eq!(
        evictions > 0,
        scenario.others > 0,
        "what this scenario is for"
    );
}

impl Round<'_> {
    fn run(&self, round: u64) -> (Vec<(usize, Operation)>, Time) {
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.scenario.threads)
                .map(|thread| scope.spawn(move || self.work(thread, round)))
                .collect();
            let time = self.move_clock(round);
            let done = workers
                .into_iter()
                .flat_map(|worker| worker.join().expect("a worker found something wrong"));
            (done.collect(), time)
        })
    }

    fn work(&self, thread: usize, round: u64) -> Vec<(usize, Operation)> {
        let at_work = AtWork(&self.working);
        let mut rng = Rng::new(round << 8 | thread as u64);
        let access = (self.cache.handle(), self.cache.signal());
        let mut worker = Worker::new(thread, access, &self.stamps, &self.keys, || {
            std::thread::yield_now();
        });
        self.start.wait();
        for _ in 0..self.scenario.operations {
            worker.act(&mut rng, self.scenario.expiring, self.scenario.len);
            if self.scenario.others > 0 {
                let name = format!("other:{}", rng.below(self.scenario.others));
                let value = [0; OTHERS_BYTES_MAX];
                let len = (self.scenario.others_len)(&mut rng);
                // Whether there was room for it is of no concern here.
                let _ = worker
                    .handle()
                    .set(name.as_bytes(), &value[..len], 0, Ttl::Forever);
            }
            if rng.one_in(16) {
                std::thread::yield_now();
            }
            if rng.one_in(self.scenario.handle_life) {
                worker.change_handle(|| self.cache.handle());
            }
        }
        drop(at_work);
        worker.done
    }

    /// Moves the time until all are done; a step for about every hundred operations.
    fn move_clock(&self, round: u64) -> Time {
        let mut rng = Rng::new(round << 8 | 255);
        let mut time = Time::default();
        let (mut tick, mut next_stamp) = (0, 0);
        self.start.wait();
        while self.working.load(Ordering::SeqCst) > 0 {
            if self.stamps.load(Ordering::SeqCst) < next_stamp {
                std::thread::yield_now();
                continue;
            }
            tick += 1 + rng.below(3) as u64;
            let step = tick - time.moves.last().map_or(time.start, |last| last.tick);
            let invoked = self.stamps.fetch_add(1, Ordering::SeqCst);
            self.clock.advance_ms(step * TICK_MS);
            let returned = self.stamps.fetch_add(1, Ordering::SeqCst);
            time.moves.push(Move {
                invoked,
                returned,
                tick,
            });
            next_stamp = returned + 50 + rng.below(150) as u64;
            if rng.one_in(4) {
                self.cache.maintain();
            }
        }
        time
    }
}

#[test]
fn with_room_and_without_expiry_no_entry_is_lost_or_stale() {
    run(&Scenario {
        name: "roomy",
        rounds: 800,
        budget: 4 << 20,
        threads: 8,
        keys: 4,
        operations: 250,
        expiring: false,
        others: 0,
        others_len: |_| 0,
        handle_life: 100,
        len: |rng| {
            if rng.one_in(4) {
                rng.below(9_000)
            } else {
                rng.below(200)
            }
        },
    });
}

#[test]
fn with_expiry_no_ended_value_is_seen() {
    run(&Scenario {
        name: "expiring",
        rounds: 800,
        budget: 4 << 20,
        threads: 6,
        keys: 4,
        operations: 300,
        expiring: true,
        others: 0,
        others_len: |_| 0,
        handle_life: 100,
        len: |rng| rng.below(200),
    });
}

#[test]
fn with_evictions_what_remains_is_the_last_write() {
    run(&Scenario {
        name: "evicting",
        rounds: 800,
        budget: 64 << 10,
        threads: 4,
        keys: 8,
        operations: 500,
        expiring: true,
        others: 1_000,
        others_len: |rng| rng.below(OTHERS_BYTES_MAX),
        handle_life: 100,
        len: |rng| {
            if rng.one_in(8) {
                rng.below(4_000)
            } else {
                rng.below(300)
            }
        },
    });
}

/// Who is alone writes over values in place, until another one comes.
#[test]
fn while_handles_come_and_go_nobody_sees_a_value_that_is_being_written() {
    run(&Scenario {
        name: "coming and going",
        rounds: 800,
        budget: 4 << 20,
        threads: 3,
        keys: 2,
        operations: 400,
        expiring: false,
        others: 0,
        others_len: |_| 0,
        handle_life: 4,
        len: |rng| 180 + rng.below(20),
    });
}

/// Who is alone puts new entries in the slots of those that go, until another one comes.
#[test]
fn while_handles_come_and_go_no_slot_is_reused_that_is_being_read() {
    run(&Scenario {
        name: "coming and going in a full cache",
        rounds: 800,
        budget: 64 << 10,
        threads: 3,
        keys: 4,
        operations: 400,
        expiring: true,
        others: 1_000,
        others_len: |_| 190,
        handle_life: 4,
        len: |rng| 180 + rng.below(20),
    });
}
