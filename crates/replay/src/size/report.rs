//! What was found out about sizes, as a table for people and as JSON for programs.

use super::costs::{Costs, Prices, Range};
use super::{Named, Sizing, budget};
use crate::format::printable;
use crate::report::columns;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Hot and large keys that are shown.
const LISTED: usize = 10;

impl Sizing {
    /// The budget that costs are told for: what reaches the target, or else the knee's.
    pub fn chosen_memory(&self) -> u64 {
        let reached = self.curve.memory_for(self.target, |point| point.nearcache);
        reached
            .or(self.curve.knee().map(|knee| knee.memory))
            .unwrap_or(0)
    }

    /// Everything as one JSON object.
    pub fn json(&self, prices: &Prices) -> Value {
        let (census, curve) = (&self.census, &self.curve);
        let listed = |all: &[Named], what: &str| -> Vec<Value> {
            all.iter()
                .take(LISTED)
                .map(|named| json!({ "key": named.key, what: named.number }))
                .collect()
        };
        let point = |point: &super::Point| {
            json!({
                "memory": point.memory, "fraction": point.part, "entries": point.entries,
                "nearcache": six(point.nearcache), "lru": six(point.lru),
            })
        };
        let windows = curve.windows.iter().map(|window| {
            json!({ "start": window.start, "unique_keys": window.keys, "memory": window.bytes })
        });
        let chosen = self.chosen_memory();
        json!({
            "trace": self.trace,
            "requests": census.requests,
            "unique_keys": census.unique,
            "memory_for_all": budget(census.all_bytes),
            "sampled_keys": census.sampled,
            "sample_rate": census.rate,
            "curve": curve.points.iter().map(point).collect::<Vec<_>>(),
            "knee": curve.knee().as_ref().map(point),
            "target": {
                "hit_ratio": self.target,
                "memory": curve.memory_for(self.target, |point| point.nearcache),
                "memory_lru": curve.memory_for(self.target, |point| point.lru),
                "hit_ratio_max": six(self.hit_ratio_max()),
            },
            "misses": { "first_reads": six(curve.compulsory), "expired": six(curve.expired) },
            "has_ttl": census.has_ttl,
            "one_hit_wonders": { "of_keys": six(census.one_hit_keys), "of_requests": six(census.one_hit_requests) },
            "hot_share": { "top_1": six(census.hot_share(1)), "top_10": six(census.hot_share(10)), "top_100": six(census.hot_share(100)) },
            "hottest": listed(&census.hottest, "requests"),
            "largest": listed(&census.largest, "bytes"),
            "working_set": { "unit": if census.time_ms.is_some() { "ms" } else { "requests" }, "windows": windows.collect::<Vec<_>>() },
            "costs": { "memory": chosen, "a_month": prices.of(chosen).json(prices) },
        })
    }

    /// The hit ratio that no cache exceeds.
    pub fn hit_ratio_max(&self) -> f64 {
        (1.0 - self.curve.compulsory - self.curve.expired).max(0.0)
    }

    /// Everything as text.
    pub fn table(&self, prices: &Prices) -> String {
        let mut out = String::new();
        self.head(&mut out);
        self.curve_table(&mut out);
        self.sizes(&mut out);
        self.keys(&mut out);
        self.working_set(&mut out);
        costs(
            &mut out,
            prices,
            self.chosen_memory(),
            &prices.of(self.chosen_memory()),
        );
        out
    }

    fn head(&self, out: &mut String) {
        let census = &self.census;
        line(
            out,
            format_args!(
                "{}: {} reads of {} keys; all of them take {}",
                self.trace,
                census.requests,
                about(census.unique, census.rate),
                bytes(budget(census.all_bytes))
            ),
        );
        if census.rate < 1.0 {
            line(
                out,
                format_args!(
                    "measured on a sample of {} keys, one in {:.0}",
                    census.sampled,
                    1.0 / census.rate
                ),
            );
        }
        let notes = census.notes;
        if notes.bad_lines > 0 {
            line(
                out,
                format_args!("{} malformed lines were skipped", notes.bad_lines),
            );
        }
        out.push('\n');
    }

    fn curve_table(&self, out: &mut String) {
        let head = ["memory", "of all", "entries", "nearcache", "LRU"];
        let lines = self.curve.points.iter().map(|point| {
            [
                bytes(point.memory),
                percent(point.part),
                point.entries.to_string(),
                percent(point.nearcache),
                percent(point.lru),
            ]
        });
        out.push_str(&columns(&head, &lines.collect::<Vec<_>>(), 0));
        out.push('\n');
    }

    fn sizes(&self, out: &mut String) {
        let curve = &self.curve;
        if let Some(knee) = curve.knee() {
            line(
                out,
                format_args!(
                    "knee: {} for {} hits; beyond it memory buys little",
                    bytes(knee.memory),
                    percent(knee.nearcache)
                ),
            );
        }
        let target = percent(self.target);
        match curve.memory_for(self.target, |point| point.nearcache) {
            Some(memory) => line(
                out,
                format_args!(
                    "{target} hits: {} ({} with LRU)",
                    bytes(memory),
                    curve
                        .memory_for(self.target, |point| point.lru)
                        .map_or_else(|| "not reached".to_owned(), bytes)
                ),
            ),
            None => line(
                out,
                format_args!(
                    "{target} hits: not reached; at most {} are possible",
                    percent(self.hit_ratio_max())
                ),
            ),
        }
        line(
            out,
            format_args!(
                "misses that no size avoids: {} first reads, {}",
                percent(curve.compulsory),
                if self.census.has_ttl {
                    format!("{} expired", percent(curve.expired))
                } else {
                    "none expired (no time to live)".to_owned()
                }
            ),
        );
    }

    fn keys(&self, out: &mut String) {
        let census = &self.census;
        line(
            out,
            format_args!(
                "one-hit wonders: {} of the keys, {} of the reads",
                percent(census.one_hit_keys),
                percent(census.one_hit_requests)
            ),
        );
        line(
            out,
            format_args!(
                "hot keys: the first has {} of the reads, the first ten {}, the first hundred {}",
                percent(census.hot_share(1)),
                percent(census.hot_share(10)),
                percent(census.hot_share(100))
            ),
        );
        let list = |out: &mut String, what: &str, all: &[Named], unit: fn(u64) -> String| {
            if !all.is_empty() {
                line(out, format_args!("{what}:"));
            }
            for named in all.iter().take(LISTED) {
                line(
                    out,
                    format_args!("  {:>12}  {}", unit(named.number), shortened(&named.key)),
                );
            }
        };
        list(out, "hottest", &census.hottest, |reads| reads.to_string());
        list(out, "largest", &census.largest, bytes);
    }

    fn working_set(&self, out: &mut String) {
        let has_time = self.census.time_ms.is_some();
        line(out, format_args!("working set over time:"));
        let head = [
            if has_time { "from second" } else { "from step" },
            "keys",
            "memory",
        ];
        let lines = self.curve.windows.iter().map(|window| {
            let start = if has_time {
                window.start / 1_000
            } else {
                window.start
            };
            [
                start.to_string(),
                window.keys.to_string(),
                bytes(window.bytes),
            ]
        });
        out.push_str(&columns(&head, &lines.collect::<Vec<_>>(), 0));
        out.push('\n');
    }
}

fn costs(out: &mut String, prices: &Prices, memory: u64, costs: &Costs) {
    let range = |Range(from, to): Range| format!("{from:.0} to {to:.0}");
    line(
        out,
        format_args!("costs a month, in the currency of the prices:"),
    );
    line(
        out,
        format_args!(
            "  {} in {} process(es) at {} a GiB: {:.2}",
            bytes(memory),
            prices.instances,
            prices.per_gb,
            costs.memory
        ),
    );
    line(
        out,
        format_args!("  with a cold cache behind it: {}", range(costs.near)),
    );
    line(
        out,
        format_args!(
            "  network cache nodes and their traffic alone: {}",
            range(costs.network)
        ),
    );
    line(out, format_args!("  difference: {}", range(costs.saved)));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string can't fail.
    let _ = writeln!(out, "{text}");
}

fn six(ratio: f64) -> f64 {
    (ratio * 1e6).round() / 1e6
}

fn percent(ratio: f64) -> String {
    format!("{:.2} %", ratio * 100.0)
}

fn about(number: u64, rate: f64) -> String {
    if rate < 1.0 {
        format!("about {number}")
    } else {
        number.to_string()
    }
}

/// Keys of any length and content on one line.
fn shortened(key: &str) -> String {
    printable(key).chars().take(80).collect()
}

/// A number of bytes for people.
fn bytes(number: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (number as f64, 0);
    while value >= 1_024.0 && unit + 1 < units.len() {
        value /= 1_024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{number} B")
    } else {
        format!("{value:.1} {}", units[unit])
    }
}
