// The histogram of single operations' times (bench/lib/histogram.mjs).
import { expect, test } from "vitest";
import { histogramOf, percentile, upperOf } from "../../bench/lib/histogram.mjs";

test("percentiles are exact where buckets are one nanosecond wide", () => {
  const times = Array.from({ length: 50 }, (_, at) => at + 1);
  expect(histogramOf(times)).toMatchObject({ operations: 50, p50: 25, p95: 48, p99: 50, p999: 50, max: 50 });
});

test("above that they are too high by at most a bucket, a 32nd of the time", () => {
  for (const ns of [64, 65, 127, 128, 1000, 4095, 4096, 123_456, 9_999_999_999]) {
    expect(upperOf(ns)).toBeGreaterThanOrEqual(ns);
    expect(upperOf(ns)).toBeLessThanOrEqual(ns * (1 + 1 / 32) + 1);
  }
});

test("buckets don't overlap: a longer time is never in an earlier one", () => {
  let last = 0;
  for (let ns = 1; ns < 20_000; ns += 1) {
    expect(upperOf(ns)).toBeGreaterThanOrEqual(last);
    last = upperOf(ns);
  }
});

test("a tail of one in a thousand shows at p99.9 and not before", () => {
  const times = Array.from({ length: 10_000 }, (_, at) => (at % 500 === 0 ? 5000 : 40));
  const { p99, p999, buckets } = histogramOf(times);
  expect(p99).toBe(40);
  expect(p999).toBe(upperOf(5000));
  expect(buckets).toEqual([
    [40, 9980],
    [upperOf(5000), 20],
  ]);
});

test("the buckets of a report give back its percentiles", () => {
  const times = Array.from({ length: 1000 }, (_, at) => 100 + at * 7);
  const { buckets, operations, p95 } = histogramOf(times);
  expect(percentile(buckets, operations, 0.95)).toBe(p95);
});
