//! The engine beside other caches and maps, in turns within one process:
//!
//! ```text
//! cargo run --release --manifest-path bench/compare/Cargo.toml [-- [--quick] [--out FILE] [case ...]]
//! ```
//!
//! 16-byte keys, 100-byte values that are copied out, popularity by Zipf's law (0.99). nearcache keeps a TTL per entry,
//! the others none. papaya, dashmap and the mutex with hashbrown are bare maps: they never evict.

#[path = "../../../crates/engine/benches/support/mod.rs"]
mod support;

mod cases;
mod json;
mod stores;

use cases::{Case, Result};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut quick, mut out, mut names) = (false, None, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => quick = true,
            "--out" => out = arguments.next(),
            _ => names.push(argument),
        }
    }
    let rounds = if quick { 7 } else { 25 };
    let mut results = Vec::new();
    for entries in [10_000, 1_000_000] {
        for case in Case::ALL {
            let wanted =
                names.is_empty() || names.iter().any(|name| case.name().contains(name.as_str()));
            if wanted {
                let result = cases::run(case, entries, rounds);
                print(&result);
                results.push(result);
            }
        }
    }
    if let Some(file) = out {
        std::fs::write(&file, json::of(&results)).expect("the results can be written");
        println!("written to {file}");
    }
}

fn print(result: &Result) {
    println!("{}, {} entries", result.case.name(), result.entries);
    for row in &result.rows {
        let ([low, median, high], [_, ratio, _]) = (row.ns.0, row.ratio.0);
        println!(
            "  {:<18} {median:>8.1} ns  ({low:.1} to {high:.1})  nearcache / it {ratio:.2}x",
            row.name
        );
    }
}
