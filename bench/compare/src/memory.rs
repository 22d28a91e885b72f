//! What an entry takes in memory beyond its key and value: the growth of resident memory in a process of its own for
//! each contestant, so that no other's free memory is reused.

use crate::options::Options;
use crate::stores::{Dash, Locked, Moka, Nearcache, Papaya, Quick, Store};
use crate::support::{Quartiles, key_of, resident_bytes};
use std::process::Command;

const NAMES: [&str; 6] = [
    "nearcache",
    "quick_cache",
    "moka",
    "papaya",
    "dashmap",
    "Mutex<hashbrown>",
];

/// What is resident differs by some MiB from run to run, as the system gives large pages or small ones.
const RUNS: usize = 3;

/// Bytes per entry beyond key and value for each contestant, the median of some runs; empty where the system doesn't say.
pub fn measure(entries: usize, options: &Options) -> Vec<(&'static str, f64)> {
    NAMES
        .iter()
        .filter_map(|name| {
            let runs: Option<Vec<f64>> = (0..RUNS)
                .map(|_| measure_one(name, entries, options))
                .collect();
            Some((*name, Quartiles::of(runs?).median()))
        })
        .collect()
}

fn measure_one(name: &str, entries: usize, options: &Options) -> Option<f64> {
    resident_bytes()?;
    let child = Command::new(std::env::current_exe().ok()?)
        .args(["--memory-of", name, "--entries", &entries.to_string()])
        .args(["--key-bytes", &options.key_bytes.to_string()])
        .args(["--value-bytes", &options.value_bytes.to_string()])
        .output()
        .ok()?;
    assert!(child.status.success(), "{child:?}");
    String::from_utf8_lossy(&child.stdout).trim().parse().ok()
}

/// The child's part: fills one store and prints the figure.
pub fn child<const N: usize>(name: &str, options: &Options) {
    let (entries, bytes) = (options.entries[0], options.value_bytes);
    match name {
        "nearcache" => fill::<N, _>(|room| <Nearcache as Store<N>>::open(room, bytes), options),
        "quick_cache" => fill(|room| Quick::<N>::open(room, bytes), options),
        "moka" => fill(|room| Moka::<N>::open(room, bytes), options),
        "papaya" => fill(|room| Papaya::<N>::open(room, bytes), options),
        "dashmap" => fill(|room| Dash::<N>::open(room, bytes), options),
        "Mutex<hashbrown>" => fill(|room| Locked::<N>::open(room, bytes), options),
        _ => panic!("{entries} entries of nobody"),
    }
}

fn fill<const N: usize, S: Store<N>>(open: impl FnOnce(usize) -> S, options: &Options) {
    let entries = options.entries[0];
    let value = vec![7; options.value_bytes];
    let before = resident_bytes().expect("the parent has asked");
    // A little more room than entries: none is evicted.
    let store = open(entries + entries / 8);
    for number in 0..entries as u64 {
        store.set(&key_of(number), &value);
        if number % 4_096 == 0 {
            // What waits for being worked off is not what an entry takes.
            store.settle();
        }
    }
    store.settle();
    let after = resident_bytes().expect("the parent has asked");
    assert!(store.len() * 100 >= entries * 99, "{} left", store.len());
    let per_entry = (after - before) as f64 / store.len() as f64;
    println!("{:.1}", per_entry - (N + options.value_bytes) as f64);
}
