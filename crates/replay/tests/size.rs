//! The sampled miss-ratio curve against exact replays.

use nearcache_replay::error::Error;
use nearcache_replay::format::Reader;
use nearcache_replay::policy::{self, Capacity, EntrySize, PolicyKind};
use nearcache_replay::request::{Op, Request, mix};
use nearcache_replay::size::{self, Options, Sizing, entry_bytes};
use std::collections::HashSet;

/// A trace in memory.
struct Given(std::vec::IntoIter<Request>);

impl Reader for Given {
    fn next(&mut self) -> Result<Option<Request>, Error> {
        Ok(self.0.next())
    }
}

fn measured(trace: &[Request], samples: usize, target: f64) -> Sizing {
    let options = Options {
        samples,
        value_bytes: 100,
        target,
    };
    let open = || {
        let copy = trace.to_vec();
        Ok(Box::new(Given(copy.into_iter())) as Box<dyn Reader>)
    };
    size::measure("made-up".into(), open, &options).unwrap()
}

/// Popular keys, a scan now and then, values of several sizes.
fn trace(length: u64, keys: u64) -> Vec<Request> {
    let read = |key: u64| Request {
        size: Some(40 + mix(key) % 400),
        ..Request::read(key)
    };
    let each = |at: u64| {
        if at % 20_000 < 3_000 {
            return read(keys + at);
        }
        let uniform = mix(at) as f64 / u64::MAX as f64;
        read((uniform.powi(4) * keys as f64) as u64)
    };
    (0..length).map(each).collect()
}

fn exact(trace: &[Request], kind: PolicyKind, entries_bytes: u64) -> f64 {
    let keys: HashSet<u64> = trace.iter().map(|request| request.key).collect();
    let bytes = |request: &Request| entry_bytes(request.key_bytes, request.size.unwrap_or(100));
    let smallest = trace.iter().map(bytes).min().unwrap();
    let capacity = Capacity::ValueBytes {
        bytes: entries_bytes,
        entries_max: (keys.len() as u64).min(entries_bytes / smallest + 1),
    };
    let size = EntrySize {
        value_bytes: 100,
        from_trace: true,
    };
    let mut cache = policy::open(kind, capacity, size).unwrap();
    let hits = trace.iter().filter(|request| {
        cache.read(&Request {
            size: Some(bytes(request)),
            ..(*request).clone()
        })
    });
    hits.count() as f64 / trace.len() as f64
}

/// Hit ratios of caches around a megabyte with values of many lengths, which hold up to a fifth less than is said, and of
/// which chance decides what they are run with first.
const NEARLY: f64 = 0.045;

/// The engine's hit ratio as a user of it would have it.
fn with_budget(trace: &[Request], memory: u64) -> f64 {
    let size = EntrySize {
        value_bytes: 100,
        from_trace: true,
    };
    let mut cache = policy::open(PolicyKind::Nearcache, Capacity::Budget(memory), size).unwrap();
    let hits = trace.iter().filter(|request| cache.read(request));
    hits.count() as f64 / trace.len() as f64
}

#[test]
fn budgets_reach_what_is_said_of_them() {
    let trace = trace(80_000, 8_000);
    let sizing = measured(&trace, 100_000, 0.5);
    for point in sizing.curve.points.iter().step_by(3) {
        let reached = with_budget(&trace, point.memory);
        assert!(
            (point.nearcache - reached).abs() < NEARLY,
            "{point:?}: {reached}"
        );
    }
    // A cache can't be smaller than the engine's smallest.
    assert!(sizing.curve.points[0].memory >= 64 << 10);
    let least = sizing.curve.memory_for(0.000_001, |point| point.nearcache);
    assert_eq!(least, Some(64 << 10));
}

#[test]
fn a_trace_that_is_not_sampled_gives_the_exact_curve() {
    let trace = trace(60_000, 5_000);
    let sizing = measured(&trace, 100_000, 0.5);
    assert_eq!(sizing.census.rate, 1.0);
    for point in sizing.curve.points.iter().step_by(2) {
        let lru = exact(&trace, PolicyKind::Lru, point.bytes);
        let engine = exact(&trace, PolicyKind::Nearcache, point.bytes);
        assert!((point.lru - lru).abs() < 1e-9, "{point:?}: {lru}");
        assert!(
            (point.nearcache - engine).abs() < 1e-9,
            "{point:?}: {engine}"
        );
    }
}

#[test]
fn a_sample_gives_nearly_the_curve_of_the_whole() {
    let trace = trace(200_000, 40_000);
    let sizing = measured(&trace, 16_000, 0.5);
    assert!(sizing.census.rate < 0.5, "{}", sizing.census.rate);
    for point in sizing.curve.points.iter().step_by(4) {
        let lru = exact(&trace, PolicyKind::Lru, point.bytes);
        let engine = exact(&trace, PolicyKind::Nearcache, point.bytes);
        assert!((point.lru - lru).abs() < 0.02, "{point:?}: LRU {lru}");
        assert!(
            (point.nearcache - engine).abs() < 0.03,
            "{point:?}: nearcache {engine}"
        );
    }
}

#[test]
fn the_size_for_a_hit_ratio_reaches_it() {
    let trace = trace(200_000, 20_000);
    let sizing = measured(&trace, 100_000, 0.5);
    let memory = sizing
        .curve
        .memory_for(0.5, |point| point.nearcache)
        .unwrap();
    let reached = with_budget(&trace, memory);
    assert!(
        (reached - 0.5).abs() < NEARLY,
        "{memory} bytes reach {reached}"
    );
    assert_eq!(
        sizing.curve.memory_for(0.999, |point| point.nearcache),
        None
    );
}

#[test]
fn misses_that_no_size_avoids_are_told_apart() {
    // Three keys, each read every second for a minute; one lives ten seconds.
    let read = |second: u64, key: u64| Request {
        time_ms: Some(second * 1_000),
        ttl_ms: (key == 0).then_some(10_000),
        ..Request::read(key)
    };
    let trace: Vec<Request> = (0..60)
        .flat_map(|second| (0..3).map(move |key| read(second, key)))
        .collect();
    let sizing = measured(&trace, 1_000, 0.9);
    assert!((sizing.curve.compulsory - 3.0 / 180.0).abs() < 1e-9);
    assert!((sizing.curve.expired - 5.0 / 180.0).abs() < 1e-9);
    let last = sizing.curve.points.last().unwrap();
    assert!((last.lru - 172.0 / 180.0).abs() < 1e-9, "{last:?}");
    assert!((last.nearcache - 172.0 / 180.0).abs() < 1e-9, "{last:?}");
}

#[test]
fn one_hit_wonders_hot_keys_and_the_working_set_are_counted() {
    let mut trace = Vec::new();
    for second in 0..240u64 {
        let at = |key: u64| Request {
            time_ms: Some(second * 1_000),
            ..Request::read(key)
        };
        trace.extend([at(0), at(0), at(1_000 + second)]);
    }
    trace.push(Request {
        op: Op::Delete,
        ..Request::read(0)
    });
    let sizing = measured(&trace, 10_000, 0.9);
    assert_eq!(sizing.census.requests, 720);
    assert_eq!(sizing.census.unique, 241);
    assert!((sizing.census.one_hit_keys - 240.0 / 241.0).abs() < 1e-9);
    assert!((sizing.census.one_hit_requests - 240.0 / 720.0).abs() < 1e-9);
    assert!((sizing.census.hot_share(1) - 480.0 / 720.0).abs() < 1e-9);
    let keys: Vec<u64> = sizing
        .curve
        .windows
        .iter()
        .map(|window| window.keys)
        .collect();
    assert_eq!(keys, vec![11; 24]);
}

#[test]
fn the_curve_is_drawn_with_both_lines_and_their_names() {
    let sizing = measured(&trace(20_000, 2_000), 10_000, 0.5);
    let svg = size::svg(&sizing).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    for text in ["made-up", "nearcache", "LRU", "knee"] {
        assert!(svg.contains(text), "{text}");
    }
}
