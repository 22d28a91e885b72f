//! The results as JSON, by hand: numbers and names of ours only, nothing to escape. The machine and the commit are
//! added by `bench/engine.mjs`, which knows how to ask for them.

use crate::cases::Outcome;
use crate::latency::Latency;
use crate::options::Options;
use crate::support::Quartiles;
use crate::threads::Scaling;
use crate::{Results, held, targets};

pub fn of(results: &Results, options: &Options) -> String {
    let outcomes = list(results.outcomes.iter().map(outcome));
    let speedups = list(results.speedups.iter().map(|(entries, rows)| {
        let rows = list(rows.iter().map(scaling));
        format!(r#"{{ "case": "scaling", "entries": {entries}, "stores": {rows} }}"#)
    }));
    let latencies = list(results.latencies.iter().map(latency));
    let overheads = list(results.overheads.iter().map(|(entries, rows)| {
        let rows = list(rows.iter().map(|(name, bytes)| {
            format!(r#"{{ "name": "{name}", "beyondKeyAndValue": {bytes:.1} }}"#)
        }));
        format!(r#"{{ "case": "memory", "entries": {entries}, "stores": {rows} }}"#)
    }));
    format!(
        r#"{{ "keyBytes": {}, "valueBytes": {}, "rounds": {}, "results": {outcomes}, "scaling": {speedups}, "memory": {overheads}, "latency": {latencies} }}"#,
        options.key_bytes, options.value_bytes, options.rounds
    )
}

fn outcome(outcome: &Outcome) -> String {
    let rows = list(outcome.rows.iter().map(|row| {
        let optional = |name: &str, value: Option<String>| {
            value.map_or(String::new(), |value| format!(r#", "{name}": {value}"#))
        };
        format!(
            r#"{{ "name": "{}", "nsPerOperation": {}, "ratio": {}, "ratios": {}{}{} }}"#,
            row.name,
            quartiles(row.ns),
            quartiles(row.ratio),
            list(row.ratios.iter().map(|ratio| format!("{ratio:.4}"))),
            optional(
                "target",
                targets::ratio(outcome, row.name).map(|most| most.to_string())
            ),
            optional(
                "entriesHeld",
                held(outcome, row.name).map(|held| held.to_string())
            ),
        )
    }));
    format!(
        r#"{{ "case": "{}", "entries": {}, "stores": {rows} }}"#,
        outcome.case, outcome.entries
    )
}

fn scaling(scaling: &Scaling) -> String {
    let rows = list(scaling.by_threads.iter().map(|one| {
        format!(
            r#"{{ "threads": {}, "millionPerSecond": {}, "timesOneThread": {} }}"#,
            one.threads,
            quartiles(one.million_per_second),
            quartiles(one.times_one)
        )
    }));
    format!(r#"{{ "name": "{}", "byThreads": {rows} }}"#, scaling.name)
}

/// A histogram as pairs of a bucket's longest duration and its count.
fn latency(latency: &Latency) -> String {
    let rows = list(latency.rows.iter().map(|(name, histogram)| {
        let [p50, p95, p99, p999] =
            [0.5, 0.95, 0.99, 0.999].map(|share| histogram.percentile_ns(share));
        let buckets = list(histogram.filled().map(|(ns, count)| format!("[{ns}, {count}]")));
        format!(
            r#"{{ "name": "{name}", "operations": {}, "p50": {p50}, "p95": {p95}, "p99": {p99}, "p999": {p999}, "max": {}, "buckets": {buckets} }}"#,
            histogram.count(),
            histogram.max_ns()
        )
    }));
    format!(
        r#"{{ "what": "{}", "entries": {}, "stores": {rows} }}"#,
        latency.what, latency.entries
    )
}

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!("[{}]", items.join(", "))
}

fn quartiles(quartiles: Quartiles) -> String {
    let [q1, median, q3] = quartiles.0;
    format!(r#"{{ "q1": {q1:.3}, "median": {median:.3}, "q3": {q3:.3} }}"#)
}
