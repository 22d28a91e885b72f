//! Runs a scenario in many schedules.

use crate::self_proving::{fill, verify};
use nearcache_engine::switching::concurrently;
use nearcache_engine::{Cache, Clock, Config, Handle, ManualClock, Ttl};
use shuttle::scheduler::{PctScheduler, RandomScheduler, ReplayScheduler};
use shuttle::{FailurePersistence, Runner};
use std::path::PathBuf;

/// Switches at places of the scheduler's choice, in schedules with few of them.
const PCT_SWITCHES: usize = 3;
/// Deep enough for the engine's calls in an unoptimised build.
const STACK_BYTES: usize = 256 << 10;
/// More than any schedule here needs; a scenario that gets there hangs.
const STEPS_MAX: usize = 2_000_000;

/// What the scenarios' numbers of schedules are multiplied with, so that all of them take about a minute.
const SCALE: u64 = 4;

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Runs `scenario` in `schedules` schedules of each kind.
pub(crate) fn explore(name: &str, schedules: usize, scenario: fn()) {
    let schedules = schedules * number_from("NEARCACHE_SHUTTLE_SCALE").unwrap_or(SCALE) as usize;
    let seed = number_from("NEARCACHE_SHUTTLE_SEED").unwrap_or(1);
    let mut config = shuttle::Config::new();
    config.stack_size = STACK_BYTES;
    config.max_steps = shuttle::MaxSteps::FailAfter(STEPS_MAX);
    config.silence_warnings = true;
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    config.failure_persistence = FailurePersistence::File(Some(folder));
    if let Some(path) = std::env::var_os("NEARCACHE_SCHEDULE") {
        let replay =
            ReplayScheduler::new_from_file(path).expect("a schedule that was written here");
        Runner::new(replay, config).run(scenario);
        return;
    }
    let start = std::time::Instant::now();
    let random = RandomScheduler::new_from_seed(seed, schedules);
    let few_switches = PctScheduler::new_from_seed(seed, PCT_SWITCHES, schedules);
    let run = Runner::new(random, config.clone()).run(scenario)
        + Runner::new(few_switches, config).run(scenario);
    println!("{name}: {run} schedules, {:.1?}", start.elapsed());
}

/// A cache of the smallest size: 2 KiB pages, segments of 49 slots, chunks above half a kilobyte.
pub(crate) fn smallest_cache() -> (Cache, ManualClock) {
    cache_of(64 << 10)
}

pub(crate) fn cache_of(bytes: u64) -> (Cache, ManualClock) {
    let (clock, manual) = Clock::manual_from(0);
    let config = Config {
        clock,
        seed: Some(42),
        shards: Some(1),
        ..Config::new(bytes)
    };
    (Cache::new(config).unwrap(), manual)
}

/// A thread of a scenario, with its own handle.
pub(crate) type Part<'a> = Box<dyn FnOnce(&Handle) + Send + 'a>;

pub(crate) fn part<'a>(part: impl FnOnce(&Handle) + Send + 'a) -> Part<'a> {
    Box::new(part)
}

/// Runs the parts at the same time, each with a handle that it makes itself, then checks the cache.
pub(crate) fn together(cache: &Cache, parts: Vec<Part<'_>>) {
    concurrently(|| {
        shuttle::thread::scope(|scope| {
            for part in parts {
                scope.spawn(move || part(&cache.handle()));
            }
        });
    });
    settled(cache);
}

/// Nobody does anything any more: all must fit together, and nothing may wait for a reader.
pub(crate) fn settled(cache: &Cache) {
    cache.maintain();
    cache.validate().unwrap();
    let stats = cache.stats();
    assert_eq!(stats.memory_retired, 0, "nobody reads, so nothing waits");
    assert!(stats.memory_used <= stats.memory_max);
}

/// Stores write `write` of a key that is called by its number.
pub(crate) fn put(handle: &Handle, key: usize, write: u32, len: usize) {
    put_for(handle, key, write, len, Ttl::Forever);
}

pub(crate) fn put_for(handle: &Handle, key: usize, write: u32, len: usize, ttl: Ttl) {
    let mut value = Vec::new();
    fill(key, write, len, &mut value);
    handle
        .set(&key.to_le_bytes(), &value, 0, ttl)
        .expect("there is room");
}

/// The write that a key holds, looked at twice with others in between.
pub(crate) fn look(handle: &Handle, key: usize) -> Option<u32> {
    handle.get(&key.to_le_bytes(), |value| {
        let write = verify(key, &value.to_vec());
        shuttle::thread::yield_now();
        assert_eq!(verify(key, &value.to_vec()), write);
        write
    })
}

/// Fills a cache with entries until something is evicted; the number of the last key.
pub(crate) fn fill_up(cache: &Cache, first: usize, len: usize) -> usize {
    let handle = cache.handle();
    let mut key = first;
    while cache.stats().evictions == 0 {
        put(&handle, key, 1, len);
        key += 1;
    }
    key
}
