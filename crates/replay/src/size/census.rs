//! The first pass: what is in the trace, and which keys are the sample.

use super::hot::{HotKeys, LargestKeys, Named};
use super::{Options, Sample, entry_bytes, known_size};
use crate::error::Error;
use crate::format::{Notes, Reader};
use crate::request::{KeyMap, Op, Request};

/// What was counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Census {
    /// Reads.
    pub requests: u64,
    /// All steps, writes and deletions included.
    pub steps: u64,
    /// When the trace begins and ends, if it has time.
    pub time_ms: Option<(u64, u64)>,
    /// Keys that are read or written; an estimate where the sample isn't all of them.
    pub unique: u64,
    /// Bytes of the engine's budget that hold all of them.
    pub all_bytes: u64,
    /// What the smallest entry takes.
    pub smallest_bytes: u64,
    /// Of the keys those that are read once.
    pub one_hit_keys: f64,
    /// The part of the reads that is of such keys.
    pub one_hit_requests: f64,
    /// The hottest keys, the first ones first, and how often each is read (at least).
    pub hottest: Vec<Named>,
    /// The largest values.
    pub largest: Vec<Named>,
    /// Whether any entry has a time to live.
    pub has_ttl: bool,
    /// Keys of the sample.
    pub sampled: u64,
    /// Part of the keys that is the sample.
    pub rate: f64,
    /// What the reader passed over.
    pub notes: Notes,
}

/// What is known of each key of the sample.
pub(crate) struct Sampled {
    pub(crate) sample: Sample,
    pub(crate) keys: KeyMap<Key>,
}

#[derive(Default)]
pub(crate) struct Key {
    reads: u64,
    size: Option<u64>,
    key_bytes: u32,
}

impl Key {
    /// Bytes of the engine's budget that the key's entry takes.
    pub(crate) fn entry_bytes(&self, value_bytes: u64) -> u64 {
        entry_bytes(self.key_bytes, self.size.unwrap_or(value_bytes))
    }
}

impl Sampled {
    fn see(&mut self, request: &Request, samples: usize) {
        if !self.sample.holds(request.key) {
            return;
        }
        let key = self.keys.entry(request.key).or_default();
        key.key_bytes = request.key_bytes;
        key.reads += u64::from(request.op == Op::Read);
        key.size = key.size.max(known_size(request));
        while self.keys.len() > samples {
            self.sample.halvings += 1;
            let sample = self.sample;
            self.keys.retain(|key, _| sample.holds(*key));
        }
    }
}

/// Reads the trace.
pub(crate) fn take(reader: &mut dyn Reader, options: &Options) -> Result<(Census, Sampled), Error> {
    let mut sampled = Sampled {
        sample: Sample { halvings: 0 },
        keys: KeyMap::default(),
    };
    let (mut hot, mut largest) = (HotKeys::default(), LargestKeys::default());
    let (mut requests, mut steps, mut has_ttl) = (0, 0, false);
    let mut time_ms = None;
    while let Some(request) = reader.next()? {
        steps += 1;
        if let Some(now) = request.time_ms {
            time_ms = Some((time_ms.map_or(now, |(first, _)| first), now));
        }
        if request.op == Op::Delete {
            continue;
        }
        has_ttl |= request.ttl_ms.is_some();
        if request.op == Op::Read {
            requests += 1;
            hot.count(&request);
        }
        if let Some(size) = known_size(&request) {
            largest.see(&request, size);
        }
        sampled.see(&request, options.samples);
    }
    let keys = || sampled.keys.values();
    let read = keys().filter(|key| key.reads > 0).count() as f64;
    let once = keys().filter(|key| key.reads == 1).count() as f64;
    let reads: u64 = keys().map(|key| key.reads).sum();
    let bytes = keys().map(|key| key.entry_bytes(options.value_bytes)).sum();
    let census = Census {
        requests,
        steps,
        time_ms,
        unique: sampled.sample.scale_up(sampled.keys.len() as u64),
        all_bytes: sampled.sample.scale_up(bytes),
        smallest_bytes: keys()
            .map(|key| key.entry_bytes(options.value_bytes))
            .min()
            .unwrap_or(1),
        one_hit_keys: once / read.max(1.0),
        one_hit_requests: once / (reads as f64).max(1.0),
        hottest: hot.ranked(),
        largest: largest.ranked(),
        has_ttl,
        sampled: sampled.keys.len() as u64,
        rate: sampled.sample.rate(),
        notes: reader.notes(),
    };
    Ok((census, sampled))
}

impl Census {
    /// The part of the reads that is of the `keys` hottest keys (at least).
    pub fn hot_share(&self, keys: usize) -> f64 {
        let reads: u64 = self
            .hottest
            .iter()
            .take(keys)
            .map(|named| named.number)
            .sum();
        reads as f64 / self.requests.max(1) as f64
    }
}
