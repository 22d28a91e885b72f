//! The engine beside other caches and maps, in turns within one process:
//!
//! ```text
//! npm run bench:engine [-- [--quick] [--entries N,N] [--key-bytes N] [--value-bytes N] [--rounds N] [--out FILE] [case ...]]
//! ```
//!
//! 16-byte keys, 100-byte values that are copied out, popularity by Zipf's law (0.99). nearcache keeps a TTL per entry,
//! the others none. papaya, dashmap and the mutex with hashbrown are bare maps: they never evict. Where entries are
//! evicted, all have the same number of them: nearcache's budget is chosen so, and what each held is printed.

#[path = "../../../crates/engine/benches/support/mod.rs"]
mod support;

mod cases;
mod json;
mod memory;
mod options;
mod stores;
mod targets;

use cases::{Case, Outcome};
use options::Options;
use support::Quartiles;
use targets::{OVERHEAD_BYTES_MAX, OVERHEAD_ENTRIES, SPEEDUP_ENTRIES_MAX, SPEEDUP_MIN, verdict};

/// Everything that was measured.
#[derive(Default)]
pub struct Results {
    pub outcomes: Vec<Outcome>,
    pub speedups: Vec<(usize, Vec<(&'static str, Quartiles)>)>,
    pub overheads: Vec<(usize, Vec<(&'static str, f64)>)>,
}

fn main() {
    let options = Options::read();
    match options.key_bytes {
        16 => run::<16>(&options),
        21 => run::<21>(&options),
        32 => run::<32>(&options),
        _ => run::<64>(&options),
    }
}

fn run<const N: usize>(options: &Options) {
    if let Some(name) = &options.memory_of {
        return memory::child::<N>(name, options);
    }
    let mut results = Results::default();
    for &entries in &options.entries {
        for case in Case::ALL {
            if options.wants(case.name()) {
                let outcome = cases::run::<N>(case, entries, options);
                print(&outcome, options);
                results.outcomes.push(outcome);
            }
        }
        if options.wants("scaling") {
            let speedups = cases::scaling::<N>(entries, options);
            print_speedups(entries, &speedups);
            results.speedups.push((entries, speedups));
        }
        // Below that a page of the system's is too large a part.
        if options.wants("memory") && entries >= 100_000 {
            let overheads = memory::measure(entries, options);
            print_overheads(entries, &overheads, options);
            results.overheads.push((entries, overheads));
        }
    }
    if let Some(file) = &options.out {
        std::fs::write(file, json::of(&results, options)).expect("the results can be written");
        println!("written to {file}");
    }
}

fn is_as_in_the_targets(options: &Options) -> bool {
    (options.key_bytes, options.value_bytes) == (16, 100)
}

fn print(outcome: &Outcome, options: &Options) {
    println!("{}, {} entries", outcome.case, outcome.entries);
    for row in &outcome.rows {
        let ([low, median, high], [_, ratio, _]) = (row.ns.0, row.ratio.0);
        let target = targets::ratio(outcome, row.name).filter(|_| is_as_in_the_targets(options));
        println!(
            "  {:<18} {median:>8.1} ns  ({low:.1} to {high:.1})  nearcache / it {ratio:.2}x{}{}",
            row.name,
            target.map_or(String::new(), |most| format!(
                "  target {most:.2}x: {}",
                verdict(ratio <= most)
            )),
            held(outcome, row.name).map_or(String::new(), |held| format!("  {held} entries held")),
        );
    }
}

pub fn held(outcome: &Outcome, name: &str) -> Option<usize> {
    let found = outcome.held.iter().find(|(who, _)| *who == name);
    found.map(|(_, held)| *held)
}

fn print_speedups(entries: usize, speedups: &[(&'static str, Quartiles)]) {
    println!("scaling: 2 threads reading popular keys against 1, {entries} entries");
    for (name, quartiles) in speedups {
        let [low, median, high] = quartiles.0;
        let judged = *name == "nearcache" && entries <= SPEEDUP_ENTRIES_MAX;
        println!(
            "  {name:<18} {median:.2}x the throughput  ({low:.2} to {high:.2}){}",
            if judged {
                format!(
                    "  target {SPEEDUP_MIN:.1}x: {}",
                    verdict(median >= SPEEDUP_MIN)
                )
            } else {
                String::new()
            }
        );
    }
}

fn print_overheads(entries: usize, overheads: &[(&'static str, f64)], options: &Options) {
    println!("memory: bytes per entry beyond key and value, {entries} entries");
    for (name, bytes) in overheads {
        let judged =
            *name == "nearcache" && entries == OVERHEAD_ENTRIES && is_as_in_the_targets(options);
        println!(
            "  {name:<18} {bytes:.1}{}",
            if judged {
                format!(
                    "  target {OVERHEAD_BYTES_MAX}: {}",
                    verdict(*bytes <= OVERHEAD_BYTES_MAX)
                )
            } else {
                String::new()
            }
        );
    }
}
