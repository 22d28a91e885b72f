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

/// Of two shards one can't be repaired, and writes to the other have to make room in a full cache.
#[test]
fn a_shard_that_cannot_be_repaired_is_no_hindrance_to_writers_of_another() {
    let (clock, _) = Clock::manual();
    let config = Config {
        clock,
        seed: Some(7),
        shards: Some(2),
        ..Config::new(1 << 20)
    };
    let cache = Cache::new(config).unwrap();
    let handle = cache.handle();
    // Of one size: what is in the shard that can't be repaired stands in the way of emptying pages.
    let set = |n: u64| handle.set(&n.to_le_bytes(), &[1; 100], 0, Ttl::Forever);
    (0..20_000).for_each(|n| set(n).unwrap());
    // The first point at which the writer dies with the shard's lock held.
    for point in 1.. {
        assert_eq!(cache.poisoned_shards(), 0);
        fault::arm(point);
        let died = catch_unwind(AssertUnwindSafe(|| set(0)));
        fault::disarm();
        assert!(died.is_err());
        if cache.poisoned_shards() == 1 {
            break;
        }
    }
    begin(Plan::from(1));
    let (mut damaged, mut stored) = (0, 0);
    for n in 30_000..32_000u64 {
        // Deleting needs no other shard.
        let (deleted, set) = under_plan(|| (handle.delete(&n.to_le_bytes()), set(n)));
        match set {
            Ok(()) => stored += 1,
            // Its own, or a segment that has to grow.
            Err(Error::Poisoned) if deleted.is_err() => damaged += 1,
            Err(Error::OutOfMemory { .. }) if deleted.is_ok() => {}
            Err(error) => panic!("{n}: {error}, after {deleted:?}"),
        }
    }
    assert!(damaged > 500 && stored > 500, "{damaged}, {stored}");
    begin(Plan::COUNT_ALL);
    assert_eq!(cache.stats().repairs, 1);
    cache.validate().unwrap();
}
