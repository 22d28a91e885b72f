// Counts durations in buckets whose width is a fixed part of their value, as crates/engine/benches/support/histogram.rs
// does: percentiles are exact to about 3 %.

/** Buckets per doubling. */
const STEPS = 32;

/**
 * Percentiles of nanoseconds, and the buckets that hold something as pairs of what no duration in one exceeds and how
 * many there are.
 */
export function histogramOf(nanoseconds) {
  const counts = new Map();
  let max = 0;
  for (const ns of nanoseconds) {
    const upper = upperOf(ns);
    counts.set(upper, (counts.get(upper) ?? 0) + 1);
    max = Math.max(max, ns);
  }
  const buckets = [...counts].sort(([a], [b]) => a - b);
  const at = (share) => percentile(buckets, nanoseconds.length, share);
  return {
    operations: nanoseconds.length,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    p999: at(0.999),
    max: Math.round(max),
    buckets,
  };
}

/** The time that this share of `operations` doesn't exceed, to the width of a bucket. */
export function percentile(buckets, operations, share) {
  const rank = Math.ceil(operations * share);
  let sum = 0;
  for (const [upper, count] of buckets) {
    sum += count;
    if (sum >= rank) {
      return upper;
    }
  }
  return 0;
}

/** What no duration in the same bucket exceeds. */
export function upperOf(ns) {
  const whole = Math.floor(ns);
  if (whole < 2 * STEPS) {
    return whole;
  }
  const width = 2 ** (Math.floor(Math.log2(whole)) - Math.log2(STEPS));
  return (Math.floor(whole / width) + 1) * width;
}
