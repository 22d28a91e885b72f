// What L0 answers the store does not see, and yet the store must not evict the hottest keys for want of reads: with L0
// or without, a cache that is smaller than the working set hits alike.
import { expect, test } from "vitest";
import type { CacheOptions } from "../ts/index.js";
import { newSeededCache } from "./support/caches.js";

const REQUESTS = 400_000;
const SEEDS = [1, 2, 3, 4, 5];
const VALUE = "x".repeat(100);

/** The same keys for every run, the likelier the smaller their number: Zipf's law with this exponent. */
function zipfKeys(count: number, exponent: number): string[] {
  const names = Array.from({ length: count }, (_, rank) => `key:${rank}`);
  const sums: number[] = [];
  let sum = 0;
  for (let rank = 1; rank <= count; rank++) {
    sum += rank ** -exponent;
    sums.push(sum);
  }
  let state = 1;
  return Array.from({ length: REQUESTS }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return names[indexOf(sums, (state / 2 ** 32) * sum)] as string;
  });
}

/** The first place at which `sums`, which rise, exceed `wanted`. */
function indexOf(sums: number[], wanted: number): number {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] as number) < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/** Hits in percent of a cache that is filled by its misses, and how many of its reads L0 answered. */
function replay(keys: string[], seed: number, options: Partial<CacheOptions<string>>): { hits: number; inL0: number } {
  const cache = newSeededCache<string>(seed, { ttl: Number.POSITIVE_INFINITY, ...options });
  let hits = 0;
  for (const key of keys) {
    if (cache.get(key) === undefined) {
      cache.set(key, VALUE);
    } else {
      hits += 1;
    }
  }
  return { hits: (hits * 100) / keys.length, inL0: (cache.stats().l0.hits * 100) / keys.length };
}

// As long as both run under the same of the policy's settings they hit alike to the last read. Which setting is tried
// when depends on chance, and wrong guesses cost a point or two either way: hence several seeds, and the middle one.
test.each(["128kb", "256kb", "1mb"] as const)("a store of %s hits alike with and without L0", (maxMemory) => {
  const keys = zipfKeys(100_000, 0.9);
  const differences = SEEDS.map((seed) => {
    const without = replay(keys, seed, { maxMemory, l0: false });
    const withL0 = replay(keys, seed, { maxMemory, l0: { maxEntries: 1024 } });
    expect(withL0.inL0, "what L0 answers, in percent").toBeGreaterThan(10);
    return withL0.hits - without.hits;
  });
  const middle = differences.sort((a, b) => a - b)[SEEDS.length >> 1] as number;
  expect(Math.abs(middle), `${differences} points`).toBeLessThan(0.2);
});
