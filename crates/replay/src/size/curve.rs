//! The second pass: the sample against caches of many sizes, each smaller by the sample's rate.

use super::census::{Census, Sampled};
use super::distance::Distances;
use super::{ENTRIES_BYTES_MIN, Options, Sample, budget};
use crate::error::Error;
use crate::format::Reader;
use crate::policy::nearcache::{Nearcache, SEED};
use crate::policy::{Capacity, EntrySize, Policy};
use crate::request::{KeyMap, Op, Request};
use nearcache_engine::MEMORY_BYTES_MIN;

/// The sizes of a curve, as parts of what all keys together take.
const PARTS: [f64; 18] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75,
    0.9, 1.0,
];
/// A cache of fewer entries in the sample says little of a large one.
const ENTRIES_MIN: f64 = 40.0;
/// A budget that holds all keys surely holds a little more than they take on average.
const ROOM: f64 = 1.01;
/// Parts of the trace for which the working set is told.
const WINDOWS: u64 = 24;

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// By size, the smallest first.
    pub points: Vec<Point>,
    /// The part of the reads that no cache answers: the first ones of their keys.
    pub compulsory: f64,
    /// The part of the reads that no cache answers because the entry's time is over.
    pub expired: f64,
    /// The working set over time.
    pub windows: Vec<Window>,
}

/// Hit ratios at a size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The budget in bytes.
    pub memory: u64,
    /// Bytes of it that entries take.
    pub bytes: u64,
    /// Part of what all keys take.
    pub part: f64,
    /// Entries that it holds, of average size.
    pub entries: u64,
    /// Of the engine.
    pub nearcache: f64,
    /// Of LRU.
    pub lru: f64,
}

/// A part of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its start: milliseconds since the trace's, or the number of the step where there is no time.
    pub start: u64,
    /// Keys that are used in it.
    pub keys: u64,
    /// What they take.
    pub bytes: u64,
}

struct Size {
    part: f64,
    /// Of the miniature.
    bytes: u64,
    engine: Nearcache,
    engine_hits: u64,
    lru_hits: u64,
}

/// All that the second pass keeps.
struct Pass<'a> {
    census: &'a Census,
    sampled: &'a Sampled,
    value_bytes: u64,
    sizes: Vec<Size>,
    distances: Distances,
    /// When entries expire in a cache without end, and those that are there.
    expiries: KeyMap<Option<u64>>,
    reads: u64,
    first_reads: u64,
    expired_reads: u64,
    windows: Vec<Window>,
    /// The window in which each key was last seen.
    seen: KeyMap<usize>,
}

/// Replays the sample.
pub(crate) fn take(
    reader: &mut dyn Reader,
    census: &Census,
    sampled: &Sampled,
    options: &Options,
) -> Result<Curve, Error> {
    let mut pass = Pass {
        census,
        sampled,
        value_bytes: options.value_bytes,
        sizes: sizes(census, sampled.sample)?,
        distances: Distances::new(),
        expiries: KeyMap::default(),
        reads: 0,
        first_reads: 0,
        expired_reads: 0,
        windows: Vec::new(),
        seen: KeyMap::default(),
    };
    let mut step = 0;
    while let Some(request) = reader.next()? {
        if sampled.sample.holds(request.key) {
            pass.take(request, step);
        }
        step += 1;
    }
    Ok(pass.finish())
}

fn sizes(census: &Census, sample: Sample) -> Result<Vec<Size>, Error> {
    let sampled_bytes = census.all_bytes as f64 * sample.rate();
    let parts = PARTS.into_iter().filter(|part| {
        let says_much = part * census.sampled as f64 >= ENTRIES_MIN;
        let is_possible = census.all_bytes as f64 * part * ROOM >= ENTRIES_BYTES_MIN as f64;
        says_much && is_possible || *part >= 1.0
    });
    let size = |part: f64| {
        let bytes = ((sampled_bytes * part * ROOM) as u64).max(1);
        let capacity = Capacity::ValueBytes {
            bytes,
            entries_max: census.sampled.min(bytes / census.smallest_bytes.max(1) + 1),
        };
        let entry = EntrySize {
            value_bytes: 0,
            from_trace: true,
        };
        Ok(Size {
            part,
            bytes,
            engine: Nearcache::open(capacity, entry, SEED)?,
            engine_hits: 0,
            lru_hits: 0,
        })
    };
    parts.map(size).collect()
}

impl Pass<'_> {
    fn take(&mut self, mut request: Request, step: u64) {
        let key = self.sampled.keys.get(&request.key);
        let bytes = key.map_or(0, |key| key.entry_bytes(self.value_bytes));
        request.size = Some(bytes);
        if request.op != Op::Delete {
            self.note_window(&request, step, bytes);
        }
        match request.op {
            Op::Read => self.read(&request, bytes),
            Op::Write => {
                self.distances.use_key(request.key, bytes);
                self.sizes
                    .iter_mut()
                    .for_each(|size| size.engine.write(&request));
                self.store(&request);
            }
            Op::Delete => {
                self.distances.forget(request.key);
                self.sizes
                    .iter_mut()
                    .for_each(|size| size.engine.delete(&request));
                self.expiries.remove(&request.key);
            }
        }
    }

    fn read(&mut self, request: &Request, bytes: u64) {
        self.reads += 1;
        let kept = self.expiries.get(&request.key).copied();
        let is_expired = kept
            .flatten()
            .zip(request.time_ms)
            .is_some_and(|(expiry, now)| now >= expiry);
        self.first_reads += u64::from(kept.is_none());
        self.expired_reads += u64::from(is_expired);
        if kept.is_none() || is_expired {
            self.store(request);
        }
        let distance = self
            .distances
            .use_key(request.key, bytes)
            .filter(|_| !is_expired);
        for size in &mut self.sizes {
            size.engine_hits += u64::from(size.engine.read(request));
            size.lru_hits += u64::from(distance.is_some_and(|distance| distance <= size.bytes));
        }
    }

    /// In a cache without end.
    fn store(&mut self, request: &Request) {
        let expiry = request
            .ttl_ms
            .zip(request.time_ms)
            .map(|(ttl, now)| now.saturating_add(ttl));
        self.expiries.insert(request.key, expiry);
    }

    fn note_window(&mut self, request: &Request, step: u64, bytes: u64) {
        let (at, length) = match (self.census.time_ms, request.time_ms) {
            (Some((first, last)), Some(now)) if last > first => {
                (now.saturating_sub(first), last - first + 1)
            }
            _ => (step, self.census.steps.max(1)),
        };
        let window = (u128::from(at) * u128::from(WINDOWS) / u128::from(length)) as usize;
        while self.windows.len() <= window {
            let start = self.windows.len() as u64 * length / WINDOWS;
            self.windows.push(Window {
                start,
                keys: 0,
                bytes: 0,
            });
        }
        if self.seen.insert(request.key, window) != Some(window) {
            let sample = self.sampled.sample;
            self.windows[window].keys += sample.scale_up(1);
            self.windows[window].bytes += sample.scale_up(bytes);
        }
    }

    fn finish(self) -> Curve {
        let sample = self.sampled.sample;
        // SHARDS-adj: the sample has more or fewer reads than its part of all, because some very hot
        // keys are in it or not. Such reads are hits at every size.
        let expected = self.census.requests as f64 * sample.rate();
        let missing = expected - self.reads as f64;
        let ratio = |hits: u64| ((hits as f64 + missing) / expected.max(1.0)).clamp(0.0, 1.0);
        let part = |number: u64| (number as f64 / expected.max(1.0)).clamp(0.0, 1.0);
        let average = self.census.all_bytes as f64 / self.census.unique.max(1) as f64;
        let points = self.sizes.iter().map(|size| {
            let bytes = size.bytes as f64 / sample.rate();
            Point {
                memory: budget(bytes as u64),
                bytes: bytes as u64,
                part: size.part,
                entries: (bytes / average.max(1.0)) as u64,
                nearcache: ratio(size.engine_hits),
                lru: ratio(size.lru_hits),
            }
        });
        Curve {
            points: points.collect(),
            compulsory: part(self.first_reads),
            expired: part(self.expired_reads),
            windows: self.windows,
        }
    }
}

impl Curve {
    /// The least budget that reaches a hit ratio, between two points in proportion; `None` if none does.
    pub fn memory_for(&self, target: f64, ratio: impl Fn(&Point) -> f64) -> Option<u64> {
        let mut before = (0.0, 0.0);
        for point in &self.points {
            let (memory, reached) = (point.memory as f64, ratio(point));
            if reached >= target {
                let rise = reached - before.1;
                let part = if rise > 0.0 {
                    (target - before.1) / rise
                } else {
                    1.0
                };
                let between = before.0 + (memory - before.0) * part.clamp(0.0, 1.0);
                return Some((between.ceil() as u64).max(MEMORY_BYTES_MIN));
            }
            if reached > before.1 {
                before = (memory, reached);
            }
        }
        None
    }

    /// Where the curve bends most: beyond it memory buys little. The point farthest above the straight
    /// line from nothing to everything.
    pub fn knee(&self) -> Option<Point> {
        let last = self.points.last()?;
        let above = |point: &Point| {
            point.nearcache / last.nearcache.max(f64::MIN_POSITIVE)
                - point.memory as f64 / last.memory.max(1) as f64
        };
        self.points
            .iter()
            .copied()
            .max_by(|a, b| above(a).total_cmp(&above(b)))
    }

    /// The hit ratio of the engine at a budget, between two points in proportion.
    pub fn ratio_at(&self, memory: u64) -> f64 {
        let mut before = (0, 0.0);
        for point in &self.points {
            if point.memory >= memory {
                let span = (point.memory - before.0).max(1) as f64;
                return before.1 + (point.nearcache - before.1) * (memory - before.0) as f64 / span;
            }
            before = (point.memory, point.nearcache);
        }
        before.1
    }
}
