//! The results as JSON, by hand: numbers and names of ours only, nothing to escape.

use crate::cases::Result;
use crate::support::Quartiles;

pub fn of(results: &[Result]) -> String {
    let results: Vec<String> = results.iter().map(result).collect();
    format!("[\n{}\n]\n", results.join(",\n"))
}

fn result(result: &Result) -> String {
    let rows: Vec<String> = result
        .rows
        .iter()
        .map(|row| {
            let (ns, ratio) = (quartiles(row.ns), quartiles(row.ratio));
            format!(
                r#"    {{ "name": "{}", "ns": {ns}, "nearcacheDividedByIt": {ratio} }}"#,
                row.name
            )
        })
        .collect();
    let (case, entries, rows) = (result.case.name(), result.entries, rows.join(",\n"));
    format!("  {{ \"case\": \"{case}\", \"entries\": {entries}, \"stores\": [\n{rows}\n  ] }}")
}

fn quartiles(quartiles: Quartiles) -> String {
    let [q1, median, q3] = quartiles.0;
    format!(r#"{{ "q1": {q1:.3}, "median": {median:.3}, "q3": {q3:.3} }}"#)
}
