//! The results as JSON, by hand: numbers and names of ours only, nothing to escape. The machine and the commit are
//! added by `bench/engine.mjs`, which knows how to ask for them.

use crate::cases::Outcome;
use crate::options::Options;
use crate::support::Quartiles;
use crate::{Results, held, targets};

pub fn of(results: &Results, options: &Options) -> String {
    let outcomes = list(results.outcomes.iter().map(outcome));
    let speedups = list(results.speedups.iter().map(|(entries, rows)| {
        let rows = list(rows.iter().map(|(name, speedup)| {
            format!(
                r#"{{ "name": "{name}", "timesOneThread": {} }}"#,
                quartiles(*speedup)
            )
        }));
        format!(r#"{{ "case": "scaling, 2 threads", "entries": {entries}, "stores": {rows} }}"#)
    }));
    let overheads = list(results.overheads.iter().map(|(entries, rows)| {
        let rows = list(rows.iter().map(|(name, bytes)| {
            format!(r#"{{ "name": "{name}", "beyondKeyAndValue": {bytes:.1} }}"#)
        }));
        format!(r#"{{ "case": "memory", "entries": {entries}, "stores": {rows} }}"#)
    }));
    format!(
        r#"{{ "keyBytes": {}, "valueBytes": {}, "rounds": {}, "results": {outcomes}, "scaling": {speedups}, "memory": {overheads} }}"#,
        options.key_bytes, options.value_bytes, options.rounds
    )
}

fn outcome(outcome: &Outcome) -> String {
    let rows = list(outcome.rows.iter().map(|row| {
        let optional = |name: &str, value: Option<String>| {
            value.map_or(String::new(), |value| format!(r#", "{name}": {value}"#))
        };
        format!(
            r#"{{ "name": "{}", "nsPerOperation": {}, "ratio": {}{}{} }}"#,
            row.name,
            quartiles(row.ns),
            quartiles(row.ratio),
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

fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!("[{}]", items.join(", "))
}

fn quartiles(quartiles: Quartiles) -> String {
    let [q1, median, q3] = quartiles.0;
    format!(r#"{{ "q1": {q1:.3}, "median": {median:.3}, "q3": {q3:.3} }}"#)
}
