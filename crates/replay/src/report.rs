//! Results for people and for programs.

use crate::replay::Row;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Ratios are given to six digits.
fn six_digits(ratio: f64) -> f64 {
    (ratio * 1e6).round() / 1e6
}

/// A row as a JSON object on one line.
pub fn json_line(row: &Row) -> String {
    let value: Value = json!({
        "trace": row.trace,
        "policy": row.policy.name(),
        "mode": row.mode.name(),
        "capacity": row.capacity,
        "fraction": row.fraction,
        "requests": row.requests,
        "hits": row.hits,
        "hit_ratio": six_digits(row.hit_ratio()),
        "byte_hit_ratio": row.byte_hit_ratio().map(six_digits),
        "evictions": row.evictions,
        "rejected": row.rejected,
        "expired": row.expired,
        "entries": row.entries,
        "seconds": (row.seconds * 1e3).round() / 1e3,
    });
    value.to_string()
}

/// Rows as a table.
pub fn table(rows: &[Row]) -> String {
    let head = [
        "trace",
        "policy",
        "capacity",
        "fraction",
        "requests",
        "hit ratio",
        "bytes hit",
        "evictions",
        "rejected",
        "seconds",
    ];
    let lines = rows.iter().map(|row| {
        [
            row.trace.clone(),
            row.policy.name().to_owned(),
            row.capacity.to_string(),
            row.fraction
                .map_or_else(String::new, |fraction| fraction.to_string()),
            row.requests.to_string(),
            format!("{:.2} %", row.hit_ratio() * 100.0),
            row.byte_hit_ratio()
                .map_or_else(String::new, |ratio| format!("{:.2} %", ratio * 100.0)),
            row.evictions.to_string(),
            row.rejected.to_string(),
            format!("{:.2}", row.seconds),
        ]
    });
    columns(&head, &lines.collect::<Vec<_>>(), 2)
}

/// Lines of cells as aligned columns: the first `left` to the left, the others to the right.
pub fn columns<const N: usize>(head: &[&str; N], lines: &[[String; N]], left: usize) -> String {
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut out = String::new();
    let mut put = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for (column, cell) in cells.enumerate() {
            let width = widths[column];
            let _ = if column < left {
                write!(line, "{cell:<width$}  ")
            } else {
                write!(line, "{cell:>width$}  ")
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    };
    put(&mut head.iter().copied());
    for line in lines {
        put(&mut line.iter().map(String::as_str));
    }
    out
}
