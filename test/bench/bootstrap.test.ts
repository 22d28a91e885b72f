// The interval around a median that stands beside the benchmarks' ratios (bench/lib/bootstrap.mjs).
import { expect, test } from "vitest";
import { medianInterval } from "../../bench/lib/bootstrap.mjs";

/** Numbers around 1, more or less spread. */
function around(spread: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => 1 + spread * Math.sin(at * 2.4));
}

test("the interval holds the median, and lies within what was measured", () => {
  const numbers = around(0.1, 41);
  const median = [...numbers].sort((a, b) => a - b)[20] as number;
  const { low, high } = medianInterval(numbers);
  expect(low).toBeLessThanOrEqual(median);
  expect(high).toBeGreaterThanOrEqual(median);
  expect(low).toBeGreaterThanOrEqual(Math.min(...numbers));
  expect(high).toBeLessThanOrEqual(Math.max(...numbers));
});

test("the same measurements give the same interval, another seed about the same", () => {
  const numbers = around(0.1, 41);
  expect(medianInterval(numbers)).toEqual(medianInterval(numbers));
  expect(medianInterval(numbers, 99).low).toBeCloseTo(medianInterval(numbers).low, 1);
});

test("more measurements make it narrower, a wider spread makes it wider", () => {
  const width = ({ low, high }: { low: number; high: number }): number => high - low;
  expect(width(medianInterval(around(0.1, 400)))).toBeLessThan(width(medianInterval(around(0.1, 12))));
  expect(width(medianInterval(around(0.4, 41)))).toBeGreaterThan(width(medianInterval(around(0.1, 41))));
});

test("one slow moment of the machine doesn't move it", () => {
  const { high } = medianInterval([...Array.from({ length: 40 }, () => 0.5), 30]);
  expect(high).toBe(0.5);
});

test("a single measurement is its own interval", () => {
  expect(medianInterval([0.7])).toEqual({ low: 0.7, high: 0.7 });
});
