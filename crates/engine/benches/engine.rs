//! `cargo bench -p nearcache-engine [-- [--quick] [name ...]]`: the engine by itself, 16-byte keys and 100-byte values,
//! popularity by Zipf's law. Others are measured beside it in bench/compare, so that this builds nothing but the engine.

mod support;

use nearcache_engine::{Cache, Config, Handle, Ttl};
use std::hint::black_box;
use std::sync::Barrier;
use std::time::Instant;
use support::{Contestant, Key, Quartiles, VALUE, key, resident_bytes, take_turns, zipf};

const TTL: Ttl = Ttl::Millis(3_600_000);
const PLACES: usize = 1 << 20;
const BATCH: usize = 1 << 16;
/// What an entry takes: key, value, and about 60 bytes around them.
const ENTRY_BYTES: u64 = 16 + 100 + 60;

struct Options {
    rounds: usize,
    names: Vec<String>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options = Options {
        rounds: if arguments.iter().any(|argument| argument == "--quick") {
            9
        } else {
            31
        },
        names: arguments
            .into_iter()
            .filter(|argument| !argument.starts_with("--"))
            .collect(),
    };
    println!("{:<34} {:>9}   quartiles", "", "median");
    for entries in [10_000, 1_000_000] {
        operations(&options, entries);
        scaling(&options, entries);
    }
    insert_and_evict(&options);
    memory(&options);
}

impl Options {
    fn wants(&self, name: &str) -> bool {
        self.names.is_empty()
            || self
                .names
                .iter()
                .any(|wanted| name.contains(wanted.as_str()))
    }
}

fn filled(entries: u64) -> (Cache, Vec<Key>) {
    let cache = Cache::new(Config::new((64 << 20) + entries * 2 * ENTRY_BYTES))
        .expect("a valid configuration");
    let handle = cache.handle();
    let keys: Vec<Key> = (0..entries).map(key).collect();
    for key in &keys {
        handle.set(key, &VALUE, 0, TTL).expect("there is room");
    }
    assert_eq!(cache.stats().entries, entries);
    (cache, keys)
}

/// Reads every key, copying its value out; the sum of the lengths.
fn read_all(handle: &Handle, keys: &[Key]) -> u64 {
    let mut out = [0; VALUE.len()];
    let mut sum = 0;
    for key in keys {
        let length = handle.get(key, |value| {
            value.copy_to(&mut out);
            value.len() as u64
        });
        black_box(&mut out);
        sum += length.unwrap_or(0);
    }
    sum
}

fn operations(options: &Options, entries: u64) {
    let (cache, keys) = filled(entries);
    let handle = cache.handle();
    let sequence = zipf(&keys, PLACES, 7);
    let absent: Vec<Key> = (0..PLACES as u64)
        .map(|number| key(entries + number % entries))
        .collect();
    let measure = |name: &str, sequence: &[Key], batch: &mut dyn FnMut(&[Key]) -> u64| {
        let name = format!("{name}, {entries} entries");
        if options.wants(&name) {
            let mut alone = [Contestant::new("nearcache", batch)];
            let rows = take_turns(&mut alone, sequence, BATCH, options.rounds);
            print(&name, rows[0].ns, "ns");
        }
    };
    measure("get, hit", &sequence, &mut |keys| {
        let sum = read_all(&handle, keys);
        assert_eq!(sum, (keys.len() * VALUE.len()) as u64);
        sum
    });
    measure("get, miss", &absent, &mut |keys| read_all(&handle, keys));
    measure("set, overwrite", &sequence, &mut |keys| {
        for key in keys {
            handle.set(key, &VALUE, 0, TTL).expect("there is room");
        }
        0
    });
}

/// Two threads that read the same hot keys, against one: how many times the throughput.
fn scaling(options: &Options, entries: u64) {
    let name = format!("2 threads reading, {entries} entries");
    if !options.wants(&name) {
        return;
    }
    let (cache, keys) = filled(entries);
    let sequence = zipf(&keys, PLACES, 7);
    let mut speedups = Vec::new();
    for _ in 0..options.rounds {
        let alone = read_in_threads(&cache, &sequence, 1);
        let both = read_in_threads(&cache, &sequence, 2);
        speedups.push(2.0 * alone / both);
    }
    print(&name, Quartiles::of(speedups), "x the throughput of one");
}

/// Seconds until each of `threads` has read its own part of `sequence`.
fn read_in_threads(cache: &Cache, sequence: &[Key], threads: usize) -> f64 {
    let length = PLACES / 4;
    let barrier = Barrier::new(threads + 1);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|thread| {
                let (handle, barrier) = (cache.handle(), &barrier);
                let part = &sequence[thread * length..][..length];
                scope.spawn(move || {
                    barrier.wait();
                    black_box(read_all(&handle, part));
                })
            })
            .collect();
        barrier.wait();
        let start = Instant::now();
        for thread in running {
            thread.join().expect("a reader doesn't panic");
        }
        start.elapsed().as_secs_f64()
    })
}

/// New keys only, into a full cache.
fn insert_and_evict(options: &Options) {
    let entries = 200_000;
    let name = format!("set, insert and evict, {entries} entries");
    if !options.wants(&name) {
        return;
    }
    let cache = Cache::new(Config::new(entries * ENTRY_BYTES)).expect("a valid configuration");
    let handle = cache.handle();
    let mut number = 0;
    let mut insert = |count: usize| {
        for _ in 0..count {
            handle
                .set(&key(number), &VALUE, 0, TTL)
                .expect("something is evicted");
            number += 1;
        }
    };
    insert(2 * entries as usize);
    let sequence = vec![key(0); BATCH];
    let mut alone = [Contestant::new("nearcache", |keys: &[Key]| {
        insert(keys.len());
        0
    })];
    let rows = take_turns(&mut alone, &sequence, BATCH, options.rounds);
    print(&name, rows[0].ns, "ns");
    drop(alone);
    println!(
        "    {} entries of {ENTRY_BYTES} bytes in {} bytes",
        cache.stats().entries,
        cache.stats().memory_max
    );
}

fn memory(options: &Options) {
    let entries = 1_000_000;
    if !options.wants("memory") {
        return;
    }
    let cache = Cache::new(Config::new((64 << 20) + entries * 2 * ENTRY_BYTES))
        .expect("a valid configuration");
    let handle = cache.handle();
    let before = resident_bytes();
    for number in 0..entries {
        handle
            .set(&key(number), &VALUE, 0, TTL)
            .expect("there is room");
    }
    let beyond = |bytes: u64| bytes as f64 / entries as f64 - 116.0;
    let stats = cache.stats();
    let resident = before
        .zip(resident_bytes())
        .map(|(before, after)| beyond(after - before));
    println!(
        "memory, {entries} entries: {:.1} bytes per entry beyond key and value by its own account, {:.1} of them the index; {}",
        beyond(stats.memory_used),
        stats.memory_index as f64 / entries as f64,
        resident.map_or("no /proc here".to_owned(), |bytes| format!(
            "{bytes:.1} from resident memory"
        )),
    );
}

fn print(name: &str, quartiles: Quartiles, unit: &str) {
    let [low, median, high] = quartiles.0;
    println!("{name:<34} {median:>9.2}   {low:.2} to {high:.2} {unit}");
}
