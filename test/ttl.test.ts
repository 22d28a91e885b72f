// Entries live as long as they were told to, in L0 as in the store, and a TTL that makes no sense is refused.
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import { InvalidTtlError } from "../ts/index.js";
import { heat, hitsInL0, newCache, thrownBy } from "./support/caches.js";

/** How long before and after its time an entry's end may show: one tick of the store's clock, and some. */
const SLACK_MS = 15;

/** Waits until an entry is gone: on a busy machine the clock's thread may be late. */
function gone(cache: { has(key: string): boolean }, key: string): Promise<void> {
  return vi.waitFor(() => expect(cache.has(key)).toBe(false), { timeout: 10_000, interval: 5 });
}

describe("how long entries live", () => {
  test("the cache's ttl, an entry's own, or for ever", () => {
    const cache = newCache<number>({ ttl: "10s" });
    cache.set("default", 1);
    cache.set("text", 1, { ttl: "5m" });
    cache.set("number", 1, { ttl: 2_000 });
    cache.set("short", 1, 3_000);
    cache.set("short text", 1, "4s");
    cache.set("forever", 1, { ttl: Number.POSITIVE_INFINITY });
    cache.set("undefined", 1, { ttl: undefined });
    const left = {
      default: 10_000,
      text: 300_000,
      number: 2_000,
      short: 3_000,
      "short text": 4_000,
      undefined: 10_000,
    };
    for (const [key, ms] of Object.entries(left)) {
      expect(cache.ttl(key), key).toBeGreaterThan(ms - 1_000);
      expect(cache.ttl(key), key).toBeLessThanOrEqual(ms + SLACK_MS);
    }
    expect(cache.ttl("forever")).toBe(Number.POSITIVE_INFINITY);
    expect(cache.ttl("missing")).toBeUndefined();
  });

  test.each([false, { maxEntries: 16 }] as const)("an entry is gone when its time is over (l0: %o)", async (l0) => {
    const cache = newCache<object>({ l0 });
    const until = performance.now() + 150;
    cache.set("key", { a: 1 }, { ttl: 150 });
    heat(cache, "key");
    while (performance.now() < until - SLACK_MS) {
      expect(cache.get("key")).toEqual({ a: 1 });
    }
    await gone(cache, "key");
    expect(cache.get("key")).toBeUndefined();
    expect(cache.peek("key")).toBeUndefined();
    expect(cache.has("key")).toBe(false);
    expect(cache.ttl("key")).toBeUndefined();
  });

  test("one entry's end does not drop the others from L0", async () => {
    const cache = newCache<number>();
    cache.set("short", 1, { ttl: 60 });
    heat(cache, "short");
    for (let i = 0; i < 100; i++) {
      cache.set(`long${i}`, i);
      heat(cache, `long${i}`);
    }
    expect(cache.stats().l0.entries).toBe(101);
    await gone(cache, "short");
    expect(cache.get("short")).toBeUndefined();
    expect(cache.stats().l0.entries).toBe(100);
  });

  test("entries that live for years are served from L0 as others are", () => {
    const cache = newCache<number>();
    for (const ttl of ["1m", "100d", "200d", "365d", "3000d", Number.POSITIVE_INFINITY] as const) {
      cache.set(`${ttl}`, 1, { ttl });
      heat(cache, `${ttl}`);
      expect(
        hitsInL0(cache, () => cache.get(`${ttl}`)),
        `${ttl}`,
      ).toBe(1);
    }
  });

  test("zero means: don't cache, and what was there goes", () => {
    const cache = newCache<number>();
    cache.set("key", 1, { ttl: 0 });
    expect(cache.get("key")).toBeUndefined();
    cache.set("key", 2);
    heat(cache, "key");
    cache.set("key", 3, 0);
    expect(cache.get("key")).toBeUndefined();
  });

  test("fractions of a millisecond are rounded up, not down to nothing", () => {
    const cache = newCache<number>();
    cache.set("key", 1, { ttl: 60_000.5 });
    expect(cache.ttl("key")).toBeGreaterThan(59_000);
    cache.set("tiny", 1, { ttl: 0.001 });
    expect(cache.stats().sets).toBe(2);
  });
});

describe("touch", () => {
  test("prolongs a life, by the cache's ttl or another", async () => {
    const cache = newCache<number>({ ttl: "1m" });
    cache.set("a", 1, { ttl: 100 });
    cache.set("b", 1, { ttl: 100 });
    heat(cache, "a");
    expect(cache.touch("a")).toBe(true);
    expect(cache.touch("b", { ttl: "5m" })).toBe(true);
    await sleep(150);
    expect(cache.get("a")).toBe(1);
    expect(cache.get("b")).toBe(1);
    expect(cache.ttl("a")).toBeGreaterThan(55_000);
    expect(cache.ttl("b")).toBeGreaterThan(290_000);
  });

  test("shortens one too, for a value that is in L0", async () => {
    const cache = newCache<number>();
    cache.set("key", 1);
    heat(cache, "key");
    expect(cache.touch("key", { ttl: 50 })).toBe(true);
    expect(cache.get("key")).toBe(1);
    heat(cache, "key");
    await gone(cache, "key");
    expect(cache.get("key")).toBeUndefined();
  });

  test("finds nothing where nothing is; with ttl 0 it deletes", () => {
    const cache = newCache<number>();
    expect(cache.touch("key")).toBe(false);
    cache.set("key", 1);
    expect(cache.touch("key", { ttl: 0 })).toBe(true);
    expect(cache.has("key")).toBe(false);
  });
});

test("a TTL that is none is refused everywhere, and nothing changes", async () => {
  const cache = newCache<number>();
  cache.set("key", 1);
  for (const ttl of [-1, Number.NaN, Number.NEGATIVE_INFINITY, 1e300, "soon", "", "-1s", null, true, 5n, [], {}]) {
    const calls = [
      () => cache.set("key", 2, { ttl: ttl as never }),
      () => cache.setMany([["key", 2]], { ttl: ttl as never }),
      () => cache.touch("key", { ttl: ttl as never }),
    ];
    for (const call of calls) {
      const error = thrownBy(call);
      expect(error).toBeInstanceOf(InvalidTtlError);
      expect(error).toMatchObject({ code: "ERR_INVALID_TTL", value: ttl });
      expect(error.message).toMatch(/ttl is .*; allowed are milliseconds/);
    }
    const load = cache.getOrLoad("other", () => 2, { ttl: ttl as never });
    await expect(load).rejects.toMatchObject({ code: "ERR_INVALID_TTL" });
  }
  expect(() => cache.set("key", 2, { tll: 5 } as never)).toThrow(/no option "tll"/);
  expect(cache.get("key")).toBe(1);
});
