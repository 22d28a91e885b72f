export interface Histogram {
  operations: number;
  p50: number;
  p95: number;
  p99: number;
  p999: number;
  max: number;
  /** Pairs of what no duration in the bucket exceeds, and how many there are. */
  buckets: [number, number][];
}
export function histogramOf(nanoseconds: ArrayLike<number> & Iterable<number>): Histogram;
export function percentile(buckets: [number, number][], operations: number, share: number): number;
export function upperOf(ns: number): number;
