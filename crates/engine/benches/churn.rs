//! `cargo bench -p nearcache-engine --bench churn [-- --writes N --budget MIB --threads N --turns N --shards N --blind]`: whether the
//! budget holds while the sizes of what is written shift from small to large and back.
//!
//! Resident memory is sampled all the while. After each phase the live entries' keys and values are added up: what is
//! left of the budget is headers, index, rounding, and slots of sizes that nobody writes any more.
//!
//! Keys are read and written when they are missing, as a cache is used. With `--blind` nothing is ever read, so nothing
//! ever proves to be of use and what came first stays: no figure for a cache, but the memory must hold all the same.

#[path = "support/pause.rs"]
mod pause;
mod support;

use nearcache_engine::{Cache, Config, Handle, Stats, Ttl};
use pause::Pauses;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::{Random, resident_bytes};

/// What resident memory may be over the process's own.
const RESIDENT_SHARE: f64 = 1.08;
const RESIDENT_EXTRA_BYTES: f64 = (16 << 20) as f64;
const LIVE_SHARE_MIN: f64 = 0.80;
/// What an entry may cost beside key and value. Where entries are so small that this alone takes more than a fifth, the
/// live share is that of keys, values and this.
const ENTRY_OVERHEAD_BYTES: u64 = 64;
/// Keys of a phase, as a multiple of what fits.
const KEYS_PER_PLACE: u64 = 3;
const VALUE_BYTES_MAX: usize = 100 << 10;
const SAMPLE_EVERY: Duration = Duration::from_millis(2);

/// One kind of write: sizes by a log-uniform law.
struct Sizes {
    percent: u64,
    min: f64,
    max: f64,
}

struct Phase {
    name: &'static str,
    mix: &'static [Sizes],
}

const KIB: f64 = 1024.0;
const SMALL: Sizes = sizes(100, 10.0, 200.0);
const MEDIUM: Sizes = sizes(100, KIB, 10.0 * KIB);
const LARGE: Sizes = sizes(100, 10.0 * KIB, 100.0 * KIB);

const PHASES: [Phase; 8] = [
    phase("10 B to 200 B", &[SMALL]),
    phase("1 KiB to 10 KiB", &[MEDIUM]),
    phase("10 KiB to 100 KiB", &[LARGE]),
    phase("back: 1 KiB to 10 KiB", &[MEDIUM]),
    phase("back: 10 B to 200 B", &[SMALL]),
    phase("all: 10 B to 100 KiB", &[sizes(100, 10.0, 100.0 * KIB)]),
    phase("again: 10 KiB to 100 KiB", &[LARGE]),
    phase(
        "mostly small: 90 %, 9 %, 1 %",
        &[
            sizes(90, 10.0, 200.0),
            sizes(9, KIB, 10.0 * KIB),
            sizes(1, 10.0 * KIB, 100.0 * KIB),
        ],
    ),
];

const fn sizes(percent: u64, min: f64, max: f64) -> Sizes {
    Sizes { percent, min, max }
}

const fn phase(name: &'static str, mix: &'static [Sizes]) -> Phase {
    Phase { name, mix }
}

impl Phase {
    fn mean_bytes(&self) -> f64 {
        let mean = |sizes: &Sizes| (sizes.max - sizes.min) / (sizes.max / sizes.min).ln();
        self.mix
            .iter()
            .map(|sizes| mean(sizes) * sizes.percent as f64 / 100.0)
            .sum()
    }

    /// A value's length; the same for the same number.
    fn value_bytes(&self, number: u64) -> usize {
        let mut random = Random::new(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66);
        random.next();
        let mut percent = random.next() % 100;
        let mut chosen = &self.mix[0];
        for sizes in self.mix {
            chosen = sizes;
            if percent < sizes.percent {
                break;
            }
            percent -= sizes.percent;
        }
        let share = random.next() as f64 / (1u64 << 53) as f64;
        (chosen.min * (chosen.max / chosen.min).powf(share)) as usize
    }

    /// How many writes the phase makes: several times the budget; small entries share what is left of all writes.
    fn writes(&self, options: &Options) -> u64 {
        let turns = |phase: &Phase| (options.budget * options.turns) as f64 / phase.mean_bytes();
        let is_small = |phase: &Phase| phase.mean_bytes() < KIB;
        let larger: f64 = PHASES
            .iter()
            .filter(|phase| !is_small(phase))
            .map(turns)
            .sum();
        if !is_small(self) {
            return turns(self) as u64;
        }
        let small = PHASES.iter().filter(|phase| is_small(phase)).count();
        options
            .writes
            .saturating_sub(larger as u64)
            .max(options.writes / 2)
            / small as u64
    }
}

struct Options {
    writes: u64,
    budget: u64,
    threads: u64,
    /// How often the larger phases write the budget.
    turns: u64,
    shards: Option<u32>,
    blind: bool,
}

impl Options {
    fn read() -> Options {
        let mut options = Options {
            writes: 50_000_000,
            budget: 256 << 20,
            threads: 1,
            turns: 100,
            shards: None,
            blind: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut number = || -> u64 {
                let given = arguments.next().and_then(|text| text.parse().ok());
                given.unwrap_or_else(|| panic!("{argument} needs a number"))
            };
            match argument.as_str() {
                "--writes" => options.writes = number(),
                "--budget" => options.budget = number() << 20,
                "--threads" => options.threads = number(),
                "--turns" => options.turns = number(),
                "--shards" => options.shards = Some(number() as u32),
                "--blind" => options.blind = true,
                "--bench" => {} // cargo adds it
                _ => panic!("unknown argument {argument}"),
            }
        }
        options
    }
}

/// What the sampler has seen.
struct Sampler {
    stop: AtomicBool,
    resident_max: AtomicU64,
}

impl Sampler {
    fn run(&self) {
        // Relaxed: figures for a report; the threads are joined before it.
        while !self.stop.load(Ordering::Relaxed) {
            let resident = resident_bytes().unwrap_or(0);
            self.resident_max.fetch_max(resident, Ordering::Relaxed);
            std::thread::sleep(SAMPLE_EVERY);
        }
    }
}

fn main() {
    let options = Options::read();
    let values: Vec<u8> = (0..VALUE_BYTES_MAX + 256)
        .map(|n| (n % 251) as u8)
        .collect();
    let baseline = resident_bytes().unwrap_or(0);
    let cache = Cache::new(Config {
        shards: options.shards,
        ..Config::new(options.budget)
    })
    .expect("a valid configuration");
    println!(
        "budget {} MiB, {} threads, {}, at least {} writes; resident before the cache {:.1} MiB",
        options.budget >> 20,
        options.threads,
        if options.blind {
            "nothing is read"
        } else {
            "reads, and writes of what is missing"
        },
        options.writes,
        mib(baseline),
    );
    println!(
        "{:<28} {:>11} {:>9} {:>7} {:>7} {:>6} {:>6} {:>10} {:>11} {:>9} {:>9} {:>9} {:>10} {:>8}",
        "phase",
        "writes",
        "resident",
        "live",
        "+64/e",
        "used",
        "index",
        "entries",
        "evictions",
        "p99.99 us",
        "slowest",
        "its cpu",
        "1 ms/cpu",
        "seconds"
    );
    let mut verdicts = Verdicts::default();
    for (number, phase) in PHASES.iter().enumerate() {
        let outcome = run_phase(&cache, &options, phase, number as u64, &values);
        verdicts.note(phase, &outcome, &options, baseline);
    }
    verdicts.print(&options);
}

/// What one phase came to.
struct Outcome {
    writes: u64,
    resident_max: u64,
    live_bytes: u64,
    stats: Stats,
    evictions: u64,
    pauses: Pauses,
    elapsed: Duration,
}

fn run_phase(
    cache: &Cache,
    options: &Options,
    phase: &Phase,
    number: u64,
    values: &[u8],
) -> Outcome {
    let evictions_before = cache.stats().evictions;
    let sampler = Sampler {
        stop: AtomicBool::new(false),
        resident_max: AtomicU64::new(0),
    };
    let writes = phase.writes(options) / options.threads;
    let start = Instant::now();
    let workers: Vec<Worker> = std::thread::scope(|scope| {
        scope.spawn(|| sampler.run());
        let running: Vec<_> = (0..options.threads)
            .map(|thread| {
                let mut worker = Worker::new(cache.handle(), number * 64 + thread);
                scope.spawn(move || {
                    worker.run(phase, number, writes, options, values);
                    worker
                })
            })
            .collect();
        let workers = running
            .into_iter()
            .map(|thread| thread.join().expect("a writer doesn't panic"))
            .collect();
        sampler.stop.store(true, Ordering::Relaxed);
        workers
    });
    let elapsed = start.elapsed();
    let mut live_bytes = 0;
    cache.handle().for_each(b"", |key, value| {
        live_bytes += (key.len() + value.len()) as u64
    });
    let stats = cache.stats();
    let mut pauses = Pauses::default();
    workers.iter().for_each(|worker| pauses.add(&worker.pauses));
    Outcome {
        writes: pauses.count(),
        resident_max: sampler.resident_max.load(Ordering::Relaxed),
        live_bytes,
        stats,
        evictions: stats.evictions - evictions_before,
        pauses,
        elapsed,
    }
}

struct Worker {
    handle: Handle,
    random: Random,
    pauses: Pauses,
}

impl Worker {
    fn new(handle: Handle, seed: u64) -> Worker {
        Worker {
            handle,
            random: Random::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            pauses: Pauses::default(),
        }
    }

    fn run(&mut self, phase: &Phase, number: u64, writes: u64, options: &Options, values: &[u8]) {
        let places = options.budget as f64 / (phase.mean_bytes() + ENTRY_OVERHEAD_BYTES as f64);
        let keys = places as u64 * KEYS_PER_PLACE;
        self.pauses.begin();
        while self.pauses.count() < writes {
            let at = (number << 40) | (self.random.next() % keys);
            let key = support::key(at);
            match self.random.next() % 100 {
                0..2 => {
                    self.handle.delete(&key).expect("the cache is sound");
                }
                // A new size for a key that may be there.
                2..10 => self.write(
                    &key,
                    phase.value_bytes(at ^ (self.pauses.count() << 20)),
                    values,
                ),
                _ if options.blind || self.handle.get(&key, |_| ()).is_none() => {
                    self.write(&key, phase.value_bytes(at), values);
                }
                _ => {}
            }
        }
    }

    fn write(&mut self, key: &support::Key, bytes: usize, values: &[u8]) {
        let value = &values[key[0] as usize..][..bytes];
        self.pauses
            .time(|| self.handle.set(key, value, 0, Ttl::Forever))
            .expect("something is evicted");
    }
}

#[derive(Default)]
struct Verdicts {
    writes: u64,
    resident_max: u64,
    live_share_min: Option<f64>,
}

impl Verdicts {
    fn note(&mut self, phase: &Phase, outcome: &Outcome, options: &Options, baseline: u64) {
        let resident = outcome.resident_max.saturating_sub(baseline);
        let share = outcome.live_bytes as f64 / options.budget as f64;
        let with_overhead =
            share + (outcome.stats.entries * ENTRY_OVERHEAD_BYTES) as f64 / options.budget as f64;
        println!(
            "{:<28} {:>11} {:>7.3} x {share:>7.3} {with_overhead:>7.3} {:>6.3} {:>6.3} {:>10} {:>11} {:>9.1} {:>6.2} ms {:>6.2} ms {:>10} {:>8.1}",
            phase.name,
            outcome.writes,
            resident as f64 / options.budget as f64,
            outcome.stats.memory_used as f64 / options.budget as f64,
            outcome.stats.memory_index as f64 / options.budget as f64,
            outcome.stats.entries,
            outcome.evictions,
            outcome.pauses.percentile_us(0.9999),
            outcome.pauses.max().as_secs_f64() * 1e3,
            outcome.pauses.cpu_max().as_secs_f64() * 1e3,
            format!("{}/{}", outcome.pauses.slow()[1], outcome.pauses.slow()[3]),
            outcome.elapsed.as_secs_f64(),
        );
        assert!(outcome.stats.memory_used <= outcome.stats.memory_max);
        self.writes += outcome.writes;
        self.resident_max = self.resident_max.max(resident);
        let mean = outcome.live_bytes / outcome.stats.entries.max(1);
        let judged = if mean < 4 * ENTRY_OVERHEAD_BYTES {
            with_overhead
        } else {
            share
        };
        self.live_share_min = Some(
            self.live_share_min
                .map_or(judged, |least| least.min(judged)),
        );
    }

    fn print(&self, options: &Options) {
        let resident_limit = options.budget as f64 * RESIDENT_SHARE + RESIDENT_EXTRA_BYTES;
        let live = self.live_share_min.unwrap_or(0.0);
        println!(
            "{} writes; resident at most {:.1} MiB over the process's own, limit {:.1} MiB: {}",
            self.writes,
            mib(self.resident_max),
            resident_limit / (1u64 << 20) as f64,
            verdict((self.resident_max as f64) <= resident_limit),
        );
        println!(
            "least live share {live:.3}, target {LIVE_SHARE_MIN:.2}: {}",
            verdict(live >= LIVE_SHARE_MIN)
        );
    }
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1u64 << 20) as f64
}
