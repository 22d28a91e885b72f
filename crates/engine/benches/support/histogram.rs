//! Counts durations in buckets whose width is a fixed part of their value: percentiles are exact to about 3 %, from
//! nanoseconds to minutes, and noting one allocates nothing.

/// Buckets per doubling.
const STEPS: u64 = 32;

/// See the module's documentation.
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max_ns: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram {
            buckets: vec![0; 64 * STEPS as usize],
            count: 0,
            max_ns: 0,
        }
    }
}

impl Histogram {
    #[inline]
    pub fn note(&mut self, ns: u64) {
        self.count += 1;
        self.buckets[bucket(ns)] += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    pub fn add(&mut self, other: &Histogram) {
        self.count += other.count;
        for (sum, count) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += count;
        }
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn max_ns(&self) -> u64 {
        self.max_ns
    }

    /// The time that this share of the durations doesn't exceed, to the width of a bucket.
    pub fn percentile_ns(&self, share: f64) -> u64 {
        let rank = (self.count as f64 * share).ceil() as u64;
        let mut sum = 0;
        for (upper, count) in self.filled() {
            sum += count;
            if sum >= rank {
                return upper;
            }
        }
        0
    }

    /// The buckets that hold something: the longest duration that belongs into it, and how many there are.
    pub fn filled(&self) -> impl Iterator<Item = (u64, u64)> {
        let all = self.buckets.iter().enumerate();
        all.filter(|(_, count)| **count > 0)
            .map(|(bucket, count)| (upper_ns(bucket), *count))
    }
}

fn bucket(ns: u64) -> usize {
    if ns < 2 * STEPS {
        return ns as usize;
    }
    let doubling = ns.ilog2() as u64 - STEPS.ilog2() as u64;
    (doubling * STEPS + (ns >> doubling)) as usize
}

fn upper_ns(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * STEPS {
        return bucket;
    }
    let doubling = bucket / STEPS - 1;
    (bucket - doubling * STEPS + 1) << doubling
}
