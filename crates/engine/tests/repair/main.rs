//! A thread dies at every point of every change, and the cache goes on: the shard is repaired by
//! whoever locks it next, readers see nothing wrong, and not a byte is lost.
//!
//! `npm run test:fault`, or
//! `cargo test -p nearcache-engine --profile checked --features fault --test repair`.

mod concurrent;
#[path = "../support/rng.rs"]
mod rng;
mod scenario;
#[path = "../support/value.rs"]
mod self_proving;
#[path = "../stress/value.rs"]
mod value;
mod world;

use crate::scenario::{Deaths, SCENARIOS, Scenario};
use crate::world::World;
use nearcache_engine::fault::{self, Injected, Place};
use nearcache_engine::{Error, Ttl};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

/// A scenario of more points than these is not gone through as a whole...
const POINTS_MAX: usize = 2_000;
/// ... but at each place so often, ...
const FIRST_OF_EACH: u64 = 3;
/// ... and once in so many points wherever that is.
const ONE_IN: u64 = 61;

/// Runs `act` armed: where it died, or `None` if it came through.
fn die_at(nth: u64, act: impl FnOnce()) -> Option<Place> {
    fault::arm(nth);
    let result = catch_unwind(AssertUnwindSafe(act));
    fault::disarm();
    let payload = result.err()?;
    match payload.downcast::<Injected>() {
        Ok(injected) => Some(injected.place),
        Err(other) => resume_unwind(other),
    }
}

fn prepared(scenario: &Scenario) -> World {
    let mut world = World::new(scenario.budget, scenario.shards);
    (scenario.prepare)(&mut world);
    world
}

fn scenario_trace(scenario: &Scenario) -> Vec<Place> {
    let mut world = prepared(scenario);
    fault::trace(|| (scenario.act)(&mut world))
}

/// Where each place of a trace is passed for the first time, as numbers from 1.
fn first_of_each(trace: &[Place]) -> BTreeMap<u64, Place> {
    let mut seen = BTreeSet::new();
    let points = (1..).zip(trace.iter().copied());
    points.filter(|(_, place)| seen.insert(*place)).collect()
}

/// The points of a scenario at which to die, as numbers from 1.
fn chosen(scenario: &Scenario, hit: &BTreeMap<Place, u64>) -> Vec<(u64, Place)> {
    let trace = scenario_trace(scenario);
    let is_long = trace.len() > POINTS_MAX;
    let mut seen: BTreeMap<Place, u64> = BTreeMap::new();
    let points = (1..).zip(trace);
    points
        .filter(|(nth, place)| {
            let seen = seen.entry(*place).or_default();
            *seen += 1;
            match scenario.deaths {
                Deaths::All => !is_long || *seen <= FIRST_OF_EACH || nth % ONE_IN == 0,
                Deaths::New => *seen == 1 && !hit.contains_key(place),
            }
        })
        .collect()
}

/// Lets a thread die at the points of a scenario, each time in a new cache.
fn sweep(scenario: &Scenario, hit: &mut BTreeMap<Place, u64>) {
    let chosen = chosen(scenario, hit);
    for (nth, place) in &chosen {
        let mut world = prepared(scenario);
        let died = die_at(*nth, || (scenario.act)(&mut world));
        assert_eq!(
            died,
            Some(*place),
            "{}: point {nth} is another",
            scenario.name
        );
        *hit.entry(place).or_default() += 1;
        world.check_all(0);
    }
}

/// All points in the engine's sources, as file and line.
fn points_in_source() -> BTreeSet<(String, u32)> {
    fn visit(directory: &Path, name: &str, found: &mut BTreeSet<(String, u32)>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{name}/{}", path.file_name().unwrap().to_string_lossy());
            if path.is_dir() {
                visit(&path, &name, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let lines = (1..).zip(text.lines());
            let points = lines.filter(|(_, line)| line.trim() == "fault::point();");
            found.extend(points.map(|(line, _)| (name.clone(), line)));
        }
    }
    let mut found = BTreeSet::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    visit(&source, "src", &mut found);
    found
}

fn file_and_line(place: Place) -> (String, u32) {
    let file = place.file().replace('\\', "/");
    let from = file.rfind("src/").unwrap();
    (file[from..].to_owned(), place.line())
}

#[test]
fn wherever_a_thread_dies_the_cache_goes_on_and_loses_no_memory() {
    let mut hit = BTreeMap::new();
    for scenario in SCENARIOS {
        sweep(scenario, &mut hit);
    }
    let all = points_in_source();
    let places: BTreeSet<_> = hit.keys().map(|place| file_and_line(place)).collect();
    let missed: Vec<_> = all.difference(&places).collect();
    println!(
        "{} of {} points, {} deaths",
        places.len(),
        all.len(),
        hit.values().sum::<u64>()
    );
    assert!(missed.is_empty(), "no thread died at {missed:?}");
}

/// At each place once, and then whoever repairs the shard dies at each place of the repair once.
#[test]
fn a_repair_that_dies_is_made_by_the_next_one() {
    let (mut hit, mut repairs) = (BTreeMap::new(), 0);
    for scenario in SCENARIOS {
        for (nth, place) in first_of_each(&scenario_trace(scenario)) {
            if hit.insert(place, ()).is_some() {
                continue;
            }
            let damaged = || {
                let mut world = prepared(scenario);
                die_at(nth, || (scenario.act)(&mut world)).expect("the same as in the trace");
                world
            };
            let world = damaged();
            let trace = fault::trace(|| world.cache.repair().unwrap());
            for (of_repair, _) in first_of_each(&trace) {
                let world = damaged();
                die_at(of_repair, || world.cache.repair().unwrap())
                    .expect("the same as in the trace");
                world.check_all(0);
                repairs += 1;
            }
        }
    }
    println!(
        "{repairs} deaths within a repair, after deaths at {} places",
        hit.len()
    );
    assert!(repairs > 1_000);
}

#[test]
fn a_shard_without_room_for_an_empty_index_says_so_until_there_is() {
    let world = World::new(64 << 10, 1);
    let (cache, handle) = (&world.cache, world.cache.handle());
    handle.set(b"read", b"value", 0, Ttl::Forever).unwrap();
    let reader = cache.handle();
    reader
        .peek(b"read", |value| {
            // What each of these takes out of use the reader holds on to.
            while handle.clear().is_ok() {}
            die_at(1, || cache.maintain()).expect("maintenance passes a point");
            for _ in 0..2 {
                let set = handle.set(b"key", b"", 0, Ttl::Forever);
                assert_eq!(set, Err(Error::Poisoned));
                assert_eq!(handle.delete(b"key"), Err(Error::Poisoned));
                assert_eq!(cache.poisoned_shards(), 1);
            }
            assert!(!handle.contains(b"read"));
            assert_eq!(value.to_vec(), b"value");
        })
        .unwrap();
    assert_eq!(cache.stats().repairs, 1);
    world.check_all(1);
}
