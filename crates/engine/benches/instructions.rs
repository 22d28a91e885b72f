//! Work to be counted in instructions, which don't drift with the machine's speed:
//!
//! ```text
//! cargo bench -p nearcache-engine --bench instructions --no-run     # prints the path of the program
//! valgrind --tool=callgrind --toggle-collect='instructions::*_counted' PROGRAM hit
//! ```
//!
//! `hit`, `miss`, `overwrite`, `evict` or `evict-beside-another` (handle); 100,000 operations each, on 10,000 entries (or
//! another number, behind the case) of 16-byte keys and 100-byte values by Zipf's law. What is counted is the functions that end in `_counted` and all that they call.
//!
//! `bytes` needs no valgrind: it prints what a million such entries take, by the cache's account and as the system sees it.
//! With a fixed seed and a clock that stands still both are the same in every run.

mod support;

use nearcache_engine::{Cache, Clock, Config, Handle, Ttl};
use std::hint::black_box;
use support::{Key, VALUE, key, resident_bytes, zipf};

const CASES: [&str; 5] = ["hit", "miss", "overwrite", "evict", "evict-beside-another"];
const ENTRIES: u64 = 10_000;
const OPERATIONS: usize = 100_000;
const BYTES_ENTRIES: u64 = 1_000_000;
const HOUR: Ttl = Ttl::Millis(3_600_000);
/// Not the beginning of a turn of the wheel.
const FIRST_TICK: u64 = 1_000;
/// About what one entry takes, index and all.
const ENTRY_BYTES: u64 = 176;

#[inline(never)]
fn reads_counted(handle: &Handle, keys: &[Key]) -> usize {
    let mut out = [0; VALUE.len()];
    let mut sum = 0;
    for key in keys {
        let found = handle.get(key, |value| {
            value.copy_to(&mut out[..value.len()]);
            value.len()
        });
        sum += found.unwrap_or(0);
        black_box(&mut out);
    }
    sum
}

#[inline(never)]
fn writes_counted(handle: &Handle, keys: &[Key]) {
    for key in keys {
        handle.set(key, &VALUE, 0, HOUR).expect("there is room");
    }
}

/// One line: bytes by the cache's own account, and those by which resident memory grew where the system tells it.
fn print_bytes() {
    let cache = open(BYTES_ENTRIES * 2);
    let handle = cache.handle();
    let before = resident_bytes();
    for number in 0..BYTES_ENTRIES {
        handle
            .set(&key(number), &VALUE, 0, HOUR)
            .expect("there is room");
    }
    let resident = before.zip(resident_bytes()).map(|(from, to)| to - from);
    assert_eq!(cache.len(), BYTES_ENTRIES);
    let used = cache.stats().memory_used;
    println!("{used} {}", resident.unwrap_or(0));
}

fn open(entries: u64) -> Cache {
    // The system's clock would count what the wheel does when time passes, more or less of it.
    let (clock, _) = Clock::manual_from(FIRST_TICK);
    let config = Config {
        clock,
        seed: Some(1),
        ..Config::new(entries * ENTRY_BYTES)
    };
    Cache::new(config).expect("a valid configuration")
}

fn main() {
    if std::env::args().any(|argument| argument == "bytes") {
        return print_bytes();
    }
    // `cargo bench` adds arguments of its own.
    let case = std::env::args().find(|argument| CASES.contains(&argument.as_str()));
    let Some(case) = case else {
        println!("say what is to be counted: {CASES:?} (see the file's head)");
        return;
    };
    let number = std::env::args().find_map(|argument| argument.parse().ok());
    let entries: u64 = number.unwrap_or(ENTRIES);
    let room = if case.starts_with("evict") {
        entries
    } else {
        entries * 4
    };
    let cache = open(room);
    let handle = cache.handle();
    let _other = (case == "evict-beside-another").then(|| cache.handle());
    let present: Vec<Key> = (0..entries).map(key).collect();
    for key in &present {
        handle.set(key, &VALUE, 0, HOUR).expect("there is room");
    }
    let absent: Vec<Key> = (entries..entries + OPERATIONS as u64).map(key).collect();
    let popular = zipf(&present, OPERATIONS, 7);
    match case.as_str() {
        "hit" => assert_eq!(reads_counted(&handle, &popular), OPERATIONS * VALUE.len()),
        "miss" => assert_eq!(reads_counted(&handle, &absent), 0),
        "overwrite" => writes_counted(&handle, &popular),
        _ => writes_counted(&handle, &absent),
    }
    println!("{OPERATIONS} operations: {case}");
}
