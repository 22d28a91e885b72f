// Early refreshes by XFetch, spread lifetimes, negative answers, conditional refreshes, and what a loader may say.
import { afterEach, describe, expect, test, vi } from "vitest";
import type { LoadContext } from "../../ts/index.js";
import { controlled, counting, fatedCache, settle } from "../support/loading.js";

afterEach(() => {
  vi.useRealTimers();
});

/** A seeded generator of numbers from 0 to 1 (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe("early refresh", () => {
  test("the rule of the paper: the gap to the end against cost, beta and the dice", async () => {
    const { cache, fate } = fatedCache<number>({ beta: 1 });
    let calls = 0;
    const load = async (): Promise<number> => {
      calls += 1;
      // Loading takes two seconds.
      fate.now += 2_000;
      return calls;
    };
    await cache.getOrLoad("key", load);
    // 1 - chance is drawn: e^-1 makes it 2,000 ms ahead of the end.
    fate.chance = 1 - Math.exp(-1);
    fate.now += 60_000 - 2_001;
    expect(await cache.getOrLoad("key", load)).toBe(1);
    expect(calls).toBe(1);
    fate.now += 2;
    expect(await cache.getOrLoad("key", load)).toBe(1);
    await settle();
    expect([calls, cache.get("key"), cache.stats().loads.earlyRefreshes]).toEqual([2, 2, 1]);
  });

  test("never with beta 0, and never for loads that cost nothing", async () => {
    const { cache, fate } = fatedCache<number>({ beta: 1 });
    const { counter, loader } = counting();
    fate.chance = 1 - 1e-9;
    await cache.getOrLoad("cheap", loader);
    fate.now += 59_999;
    expect(await cache.getOrLoad("cheap", loader)).toBe(1);
    expect(counter.calls).toBe(1);
    const never = fatedCache<number>({ beta: 0 });
    let calls = 0;
    const slow = async (): Promise<number> => {
      calls += 1;
      never.fate.now += 2_000;
      return calls;
    };
    never.fate.chance = 1 - 1e-9;
    await never.cache.getOrLoad("key", slow);
    never.fate.now += 59_999;
    await never.cache.getOrLoad("key", slow);
    expect(calls).toBe(1);
  });

  test("one that fails leaves the fresh value and is not tried again at once", async () => {
    const { cache, fate } = fatedCache<number>({ beta: 1 });
    let calls = 0;
    const load = async (): Promise<number> => {
      calls += 1;
      fate.now += 2_000;
      if (calls > 1) throw new Error("origin is down");
      return calls;
    };
    await cache.getOrLoad("key", load);
    fate.chance = 1 - Math.exp(-20);
    fate.now += 40_000;
    for (let i = 0; i < 5; i++) {
      expect(await cache.getOrLoad("key", load)).toBe(1);
      await settle();
    }
    expect(calls).toBe(2);
    expect(cache.get("key")).toBe(1);
  });

  test("what was written at once is not loaded at once", async () => {
    const [KEYS, TTL_MS, STEP_MS, LOAD_MS, INTERVAL_MS, TURNS] = [10_000, 20_000, 10, 50, 100, 4];
    const { cache, fate } = fatedCache<number>({ maxMemory: "64mb", jitter: 0.5, beta: 1, ttl: TTL_MS });
    fate.dice = seeded(7);
    const start = fate.now;
    const loads: number[] = [];
    const running: { until: number; done: (value: number) => void }[] = [];
    const load = (): Promise<number> => {
      loads.push(fate.now - start);
      return new Promise((done) => running.push({ until: fate.now + LOAD_MS, done }));
    };
    const step = async (): Promise<void> => {
      fate.now += STEP_MS;
      while (running[0] !== undefined && running[0].until <= fate.now) running.shift()?.done(1);
      await settle();
    };
    const read = (index: number): void => {
      void cache.getOrLoad(`key${index}`, load);
    };
    for (let key = 0; key < KEYS; key++) read(key);
    for (let i = 0; i <= LOAD_MS / STEP_MS; i++) await step();
    loads.length = 0;
    // Every key is read once a second.
    let next = 0;
    for (const end = fate.now + TURNS * TTL_MS; fate.now < end; await step()) {
      for (let i = 0; i < (KEYS * STEP_MS) / 1_000; i++) read(next++ % KEYS);
    }
    while (running.length > 0) await step();
    const perInterval = new Map<number, number>();
    for (const at of loads) {
      const interval = Math.floor(at / INTERVAL_MS);
      perInterval.set(interval, (perInterval.get(interval) ?? 0) + 1);
    }
    const mean = loads.length / ((TURNS * TTL_MS) / INTERVAL_MS);
    expect(loads.length).toBeGreaterThan(TURNS * KEYS);
    expect(Math.max(...perInterval.values()) / mean).toBeLessThan(3);
  });
});

describe("jitter", () => {
  test("shortens a life by up to its part of the TTL, never lengthens it", async () => {
    const { cache, fate } = fatedCache<number>({ jitter: 0.1 });
    for (const [chance, life] of [
      [0, 60_000],
      [0.5, 57_000],
      [1, 54_000],
    ] as const) {
      fate.chance = chance;
      await cache.getOrLoad(`key${chance}`, async () => 1, { staleFor: 1 });
      expect(cache.ttl(`key${chance}`)).toBeCloseTo(life, 3);
    }
  });
});

describe("negative answers", () => {
  test("null and notFound() are cached for negativeTtl, undefined is not cached", async () => {
    const { cache, fate } = fatedCache<string | null>({ negativeTtl: "5s", staleFor: 1 });
    let calls = 0;
    const nothing = async (_key: string, context: LoadContext<string | null>) => {
      calls += 1;
      return context.notFound();
    };
    expect(await cache.getOrLoad("key", nothing)).toBeNull();
    expect(cache.get("key")).toBeNull();
    expect(await cache.getOrLoad("key", nothing)).toBeNull();
    expect(calls).toBe(1);
    fate.now += 5_000;
    expect(cache.get("key")).toBeUndefined();
    fate.now += 1;
    expect(await cache.getOrLoad("key", async () => undefined)).toBeUndefined();
    expect(await cache.getOrLoad("key", async () => "there")).toBe("there");
    expect(cache.ttl("key")).toBe(60_000);
  });
});

describe("what a loader may say", () => {
  test("ttl, tags and doNotCache", async () => {
    const { cache } = fatedCache<number>({ staleFor: 1 });
    await cache.getOrLoad("short", async (_key, context) => {
      context.ttl("2s");
      return 1;
    });
    expect(cache.ttl("short")).toBe(2_000);
    expect(
      await cache.getOrLoad("not", async (_key, context) => {
        context.doNotCache();
        return 1;
      }),
    ).toBe(1);
    expect(cache.has("not")).toBe(false);
    await expect(
      cache.getOrLoad("bad", async (_key, context) => {
        context.ttl("soon" as never);
        return 1;
      }),
    ).rejects.toMatchObject({ code: "ERR_INVALID_TTL" });
  });

  test("a conditional refresh gets the stale value with its validators, and may say that it is current", async () => {
    const { cache, fate } = fatedCache<{ n: number }>({ staleIfError: "1h" });
    await cache.getOrLoad("key", async (_key, context) => {
      context.validators({ etag: '"abc"', lastModified: "Wed, 25 Nov 2026 00:00:00 GMT" });
      return { n: 1 };
    });
    fate.now += 60_000;
    const seen: unknown[] = [];
    const value = await cache.getOrLoad("key", async (_key, context) => {
      seen.push(context.stale);
      return context.notModified();
    });
    expect(value).toEqual({ n: 1 });
    expect(seen).toEqual([{ value: { n: 1 }, etag: '"abc"', lastModified: "Wed, 25 Nov 2026 00:00:00 GMT" }]);
    expect(cache.ttl("key")).toBe(60_000);
    // The validators are kept.
    fate.now += 60_000;
    await cache.getOrLoad("key", async (_key, context) => {
      expect(context.stale?.etag).toBe('"abc"');
      return { n: 2 };
    });
    expect(cache.get("key")).toEqual({ n: 2 });
    await expect(cache.getOrLoad("new", async (_key, context) => context.notModified())).rejects.toThrow(
      /no stale value/,
    );
  });
});

describe("touch", () => {
  test("gives an entry with a memory a new life, and it keeps the memory", async () => {
    const { cache, fate } = fatedCache<number>();
    cache.set("key", 1, { ttl: "10s", tags: ["tag"] });
    fate.now += 9_000;
    expect(cache.touch("key", "20s")).toBe(true);
    expect(cache.ttl("key")).toBe(20_000);
    fate.now += 15_000;
    expect(cache.get("key")).toBe(1);
    cache.invalidateTags("tag");
    expect(cache.touch("key")).toBe(false);
  });
});

describe("refreshEvery", () => {
  test("keeps keys fresh that are read, and leaves the others alone until they are read again", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const { cache } = fatedCache<string>();
    const calls: string[] = [];
    const loader = async (key: string): Promise<string> => {
      calls.push(key);
      return `${key} ${calls.length}`;
    };
    using refreshing = cache.refreshEvery(["a", "b"], "10s", loader);
    await settle();
    expect(calls).toEqual(["a", "b"]);
    expect(cache.get("a")).toBe("a 1");
    vi.advanceTimersByTime(10_000);
    await settle();
    expect(calls).toEqual(["a", "b", "a"]);
    // Nobody has read either since.
    vi.advanceTimersByTime(10_000);
    await settle();
    expect(calls).toHaveLength(3);
    expect([cache.get("a"), cache.get("b")]).toEqual(["a 3", "b 2"]);
    vi.advanceTimersByTime(10_000);
    await settle();
    expect(calls).toEqual(["a", "b", "a", "a", "b"]);
    refreshing.stop();
    cache.get("a");
    vi.advanceTimersByTime(60_000);
    await settle();
    expect(calls).toHaveLength(5);
  });

  test("an interval that is longer than the entries live is refused", () => {
    const { cache } = fatedCache<string>({ jitter: 0.5 });
    expect(() => cache.refreshEvery(["a"], "30s", () => "x")).toThrow(/shorter than the entries' life/);
    expect(() => cache.refreshEvery(["a"], 0, () => "x")).toThrow(/more than 0/);
    expect(() => cache.refreshEvery(["a"], "1s")).toThrow(/give createCache a loader/);
  });
});

test("a write during a refresh wins", async () => {
  const { cache, fate } = fatedCache<number>({ staleFor: "1h" });
  await cache.getOrLoad("key", async () => 1);
  fate.now += 60_000;
  const { loader, call } = controlled<number>();
  expect(await cache.getOrLoad("key", loader)).toBe(1);
  cache.set("key", 3);
  call(0).resolve(2);
  await settle();
  expect(cache.get("key")).toBe(3);
});
