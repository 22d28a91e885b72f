// Which entries a full cache keeps, as far as options say.
import { describe, expect, test } from "vitest";
import type { CacheOptions } from "../ts/index.js";
import { newCache, newSeededCache } from "./support/caches.js";

describe("maxEntries", () => {
  test("bounds the number of entries, beside maxMemory", () => {
    const cache = newCache<number>({ maxEntries: 100 });
    for (let n = 0; n < 1000; n++) {
      cache.set(`key:${n}`, n);
      expect(cache.size).toBe(Math.min(n + 1, 100));
    }
    expect(cache.stats().evictions).toBe(900);
  });

  test("is no more than maxMemory holds", () => {
    const cache = newCache<string>({ maxMemory: "128kb", maxEntries: 10_000 });
    for (let n = 0; n < 10_000; n++) {
      cache.set(`key:${n}`, "x".repeat(100));
    }
    expect(cache.size).toBeGreaterThan(100);
    expect(cache.size).toBeLessThan(2_000);
  });

  test("of one leaves room for one entry, and overwriting it evicts nothing", () => {
    const cache = newCache<number>({ maxEntries: 1 });
    cache.set("key", 1);
    cache.set("key", 2);
    expect([cache.get("key"), cache.size, cache.stats().evictions]).toEqual([2, 1, 0]);
  });
});

describe("objective", () => {
  /** Small and large values are asked for alike, of more keys than fit. How many reads hit, and characters served. */
  function replay(objective: CacheOptions["objective"]): { hits: number; characters: number } {
    const options: Partial<CacheOptions<string>> = { maxMemory: "1mb", ttl: Number.POSITIVE_INFINITY, l0: false };
    const cache = newSeededCache<string>(1, objective === undefined ? options : { ...options, objective });
    const [small, large] = ["x".repeat(100), "x".repeat(4_000)];
    let [hits, characters, state] = [0, 0, 1];
    for (let n = 0; n < 100_000; n++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const rank = Math.trunc(12_000 * (state / 2 ** 32) ** 3);
      const value = cache.get(`key:${rank}`);
      if (value === undefined) {
        cache.set(`key:${rank}`, rank % 2 === 0 ? small : large);
      } else {
        hits += 1;
        characters += value.length;
      }
    }
    return { hits, characters };
  }

  test('"objects" has the most hits, "bytes" serves the most', () => {
    const [objects, balanced, bytes] = [replay("objects"), replay("balanced"), replay("bytes")];
    expect(objects.hits).toBeGreaterThan(bytes.hits * 1.05);
    expect(balanced.hits).toBeGreaterThan(bytes.hits);
    expect(bytes.characters).toBeGreaterThan(objects.characters * 1.05);
  });
});
