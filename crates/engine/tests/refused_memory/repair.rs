//! A shard whose writer died, while there is no memory to repair it.

use crate::allocator::{Plan, begin, outcome, under_plan};
use nearcache_engine::fault::{self, Injected};
use nearcache_engine::{Cache, Clock, Config, Error, Ttl};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Of the points at which the writer may die one in so many.
const ONE_IN: usize = 97;

/// What the writer that dies does.
fn change(cache: &Cache) {
    let handle = cache.handle();
    for n in 0..400u32 {
        handle
            .set(&n.to_le_bytes(), b"new", 0, Ttl::Forever)
            .unwrap();
    }
    handle.clear().unwrap();
    for n in 0..200u32 {
        handle
            .set(&n.to_le_bytes(), b"newer", 0, Ttl::Forever)
            .unwrap();
    }
    handle.set(b"long", &[1; 30_000], 0, Ttl::Forever).unwrap();
}

/// A cache of one shard.
fn undamaged() -> Cache {
    let (clock, _) = Clock::manual();
    Cache::new(Config {
        clock,
        seed: Some(7),
        shards: Some(1),
        ..Config::new(8 << 20)
    })
    .unwrap()
}

/// One whose writer died at a point.
fn damaged(point: u64) -> Cache {
    let cache = undamaged();
    fault::arm(point);
    let died = catch_unwind(AssertUnwindSafe(|| change(&cache)));
    fault::disarm();
    assert!(died.is_err_and(|payload| payload.is::<Injected>()));
    cache
}

#[test]
fn a_repair_that_is_refused_memory_says_so_and_is_made_when_there_is_some() {
    let points = {
        let cache = undamaged();
        fault::trace(|| change(&cache)).len()
    } as u64;
    let (mut refused, mut repaired) = (0, 0);
    for point in (1..points).step_by(ONE_IN) {
        let mut repair_under = |plan| {
            let cache = damaged(point);
            let damage = cache.poisoned_shards();
            begin(plan);
            let result = under_plan(|| cache.repair());
            let asked = outcome().asked;
            begin(Plan::COUNT_ALL);
            match result {
                Ok(()) => repaired += 1,
                Err(Error::Poisoned) => {
                    refused += 1;
                    assert_eq!(cache.poisoned_shards(), damage);
                }
                Err(error) => panic!("point {point}: {error}"),
            }
            cache.repair().unwrap();
            cache.validate().unwrap();
            assert_eq!(cache.stats().repairs, damage);
            change(&cache);
            cache.validate().unwrap();
            asked
        };
        for nth in 1..=repair_under(Plan::COUNT_ALL) {
            repair_under(Plan::only(nth));
            repair_under(Plan::from(nth));
        }
    }
    println!("{refused} repairs were refused, {repaired} went through");
    assert!(refused > 100 && repaired > 0);
}
