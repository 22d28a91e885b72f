//! The process's heap refuses memory, at every single allocation that an operation makes: it is refused
//! with a typed error or goes without, nothing else has changed, and it succeeds when there is memory
//! again. An allocation that ended the process, or panicked, would end this test.
//!
//! The second part goes through making a cache. What std has no fallible form of is left out there: see
//! "Memory beside the region" in `DESIGN.md`.

mod allocator;
#[cfg(feature = "fault")]
mod repair;
#[path = "../support/rng.rs"]
mod rng;
mod scenario;
#[path = "../support/value.rs"]
mod self_proving;
#[path = "../stress/value.rs"]
mod value;
mod world;

use crate::allocator::{Outcome, Plan, begin, outcome, under_plan};
use crate::scenario::{SCENARIOS, Scenario};
use crate::world::{Operation, World};
use nearcache_engine::{Cache, Clock, Config, ConfigError, Error, Handle};

/// A scenario with more allocations than these is not gone through as a whole, but each of so many.
const POINTS_MAX: u64 = 60;

/// What a sweep saw.
#[derive(Debug, Default)]
struct Seen {
    runs: u64,
    refused: u64,
    /// Operations that were refused, and those runs in which all came through.
    errors: u64,
    survived: u64,
}

/// One run of a scenario; what failed is done again with memory.
fn run(scenario: &Scenario, plan: Plan, seen: &mut Seen) -> Outcome {
    let mut world = World::new(scenario.budget, scenario.shards, scenario.is_roomy);
    begin(Plan::COUNT_ALL);
    (scenario.prepare)(&mut world);
    let operations = (scenario.operations)();
    begin(plan);
    let mut failed = Vec::with_capacity(operations.len());
    for operation in operations {
        match world.apply(operation) {
            Ok(()) => {}
            Err(Error::OutOfMemory { bytes }) if bytes > 0 => failed.push(operation),
            // What was taken out of use can't be handed over without memory.
            Err(Error::NoRoom { .. }) if plan.last == u64::MAX => failed.push(operation),
            Err(error) => panic!("{}, {operation:?}: {error}", scenario.name),
        }
    }
    let outcome = outcome();
    begin(Plan::COUNT_ALL);
    world.check_all();
    for operation in &failed {
        let again = world.apply(*operation);
        assert_eq!(again, Ok(()), "{}, {operation:?}", scenario.name);
    }
    world.check_all();
    world.apply(Operation::Maintain).unwrap();
    world.check_all();
    world.check_empty();
    seen.runs += 1;
    seen.refused += outcome.refused;
    seen.errors += failed.len() as u64;
    seen.survived += u64::from(failed.is_empty());
    outcome
}

#[test]
fn whatever_is_refused_an_operation_fails_typed_or_goes_without_and_nothing_else_changes() {
    let mut seen = Seen::default();
    for scenario in SCENARIOS {
        let asked = run(scenario, Plan::COUNT_ALL, &mut Seen::default()).asked;
        assert!(asked > 0, "{} asks for no memory", scenario.name);
        let mut of_this = Seen::default();
        for nth in (1..=asked).step_by(asked.div_ceil(POINTS_MAX) as usize) {
            for plan in [Plan::only(nth), Plan::from(nth)] {
                let outcome = run(scenario, plan, &mut of_this);
                assert!(outcome.refused > 0, "{}: {nth}", scenario.name);
            }
        }
        println!("{}: {asked} allocations, {of_this:?}", scenario.name);
        seen.errors += of_this.errors;
        seen.survived += of_this.survived;
    }
    assert!(seen.errors > 0 && seen.survived > 0, "{seen:?}");
}

/// Smaller than this are the parts that std can't make without ending the process if it fails.
const TABLE_BYTES_MIN: usize = 4 << 10;

fn new_cache(budget: u64) -> Result<(Cache, Handle), ConfigError> {
    let (clock, _) = Clock::manual();
    let config = Config {
        clock,
        seed: Some(7),
        ..Config::new(budget)
    };
    let plan = |nth| Plan {
        bytes_min: TABLE_BYTES_MIN,
        ..nth
    };
    begin(plan(Plan::COUNT_ALL));
    let cache = under_plan(|| Cache::new(config.clone()))?;
    let tables = outcome().asked;
    // The smallest caches have none that is as large.
    assert!(tables > 0 || budget < 256 << 10, "{budget}");
    for nth in 1..=tables {
        begin(plan(Plan::only(nth)));
        let refused = under_plan(|| Cache::new(config.clone()));
        assert_eq!(outcome().refused, 1, "{budget}: {nth}");
        let error = refused.expect_err("a cache without one of its tables");
        assert!(matches!(error, ConfigError::OutOfMemory { given, .. } if given == budget));
        let text = error.to_string();
        assert!(
            text.contains(&budget.to_string()) && text.contains("choose a smaller max_memory"),
            "{text}"
        );
    }
    begin(Plan::COUNT_ALL);
    let handle = cache.handle();
    Ok((cache, handle))
}

#[test]
fn a_cache_whose_tables_are_refused_is_an_error_that_names_budget_and_way_out() {
    for shift in 16..=30 {
        let (cache, handle) = new_cache(1 << shift).unwrap();
        handle
            .set(b"key", b"value", 0, nearcache_engine::Ttl::Forever)
            .unwrap();
        assert!(handle.contains(b"key"));
        cache.validate().unwrap();
    }
}
