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
mod latency;
mod memory;
mod options;
mod stores;
mod targets;
mod threads;

use cases::{Case, Outcome};
use latency::Latency;
use options::Options;
use targets::{OVERHEAD_BYTES_MAX, OVERHEAD_ENTRIES, SPEEDUP_ENTRIES_MAX, SPEEDUP_MIN, verdict};
use threads::Scaling;

/// Everything that was measured.
#[derive(Default)]
pub struct Results {
    pub outcomes: Vec<Outcome>,
    pub speedups: Vec<(usize, Vec<Scaling>)>,
    pub overheads: Vec<(usize, Vec<(&'static str, f64)>)>,
    pub latencies: Vec<Latency>,
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
            let speedups = threads::measure::<N>(entries, options);
            print_speedups(entries, &speedups);
            results.speedups.push((entries, speedups));
        }
        if options.wants("latency") {
            let latencies = latency::measure::<N>(entries, options);
            latencies.iter().for_each(print_latency);
            results.latencies.extend(latencies);
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

fn print_speedups(entries: usize, speedups: &[Scaling]) {
    println!("scaling: threads that read popular keys, {entries} entries");
    for Scaling { name, by_threads } in speedups {
        for one in by_threads {
            let ([low, times, high], [_, rate, _]) = (one.times_one.0, one.million_per_second.0);
            let judged = *name == "nearcache" && one.threads == 2 && entries <= SPEEDUP_ENTRIES_MAX;
            println!(
                "  {name:<18} {:>3} threads: {rate:>6.1} million/s, {times:.2}x one thread's  ({low:.2} to {high:.2}){}",
                one.threads,
                if judged {
                    format!(
                        "  target {SPEEDUP_MIN:.1}x: {}",
                        verdict(times >= SPEEDUP_MIN)
                    )
                } else {
                    String::new()
                }
            );
        }
    }
}

fn print_latency(latency: &Latency) {
    println!(
        "latency of a {}, {} entries: ns, timer included",
        latency.what, latency.entries
    );
    for (name, histogram) in &latency.rows {
        let [p50, p95, p99, p999] =
            [0.5, 0.95, 0.99, 0.999].map(|share| histogram.percentile_ns(share));
        println!("  {name:<18} p50 {p50:>6}  p95 {p95:>6}  p99 {p99:>6}  p99.9 {p999:>6}");
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
