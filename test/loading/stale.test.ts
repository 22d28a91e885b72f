// Stale values: served while one refresh runs, or when a load fails or is too slow; and for no longer than was said.
import { afterEach, describe, expect, test, vi } from "vitest";
import { LoadTimeoutError } from "../../ts/index.js";
import { controlled, counting, fatedCache, settle } from "../support/loading.js";

afterEach(() => {
  vi.useRealTimers();
});

describe("stale while revalidate", () => {
  test("a stale value is served at once, and one refresh runs", async () => {
    const { cache, fate } = fatedCache<number>({ staleFor: "30s" });
    const { loader, calls, call } = controlled<number>();
    const first = cache.getOrLoad("key", loader);
    call(0).resolve(1);
    expect(await first).toBe(1);

    fate.now += 60_000;
    expect(cache.get("key")).toBeUndefined();
    expect(cache.has("key")).toBe(false);
    expect(cache.ttl("key")).toBeUndefined();
    expect(await Promise.all([1, 2, 3].map(() => cache.getOrLoad("key", loader)))).toEqual([1, 1, 1]);
    expect(calls).toHaveLength(2);
    call(1).resolve(2);
    await settle();
    expect(cache.get("key")).toBe(2);
    expect(cache.stats().loads).toMatchObject({ loads: 2, staleServed: 3 });
  });

  test("after staleFor the value is gone, and callers wait for the load", async () => {
    const { cache, fate } = fatedCache<number>({ staleFor: "30s" });
    const { counter, loader } = counting();
    await cache.getOrLoad("key", loader);
    fate.now += 90_000;
    expect(await cache.getOrLoad("key", loader)).toBe(2);
    expect(counter.calls).toBe(2);
  });

  test("a call may want less than the cache keeps", async () => {
    const { cache, fate } = fatedCache<number>({ staleFor: "30s" });
    const { loader } = counting();
    await cache.getOrLoad("key", loader);
    fate.now += 70_000;
    expect(await cache.getOrLoad("key", loader, { staleFor: "5s" })).toBe(2);
  });

  test("a value of set has its own staleFor", async () => {
    const { cache, fate } = fatedCache<string>();
    cache.set("key", "set", { ttl: "10s", staleFor: "10s" });
    expect(cache.get("key")).toBe("set");
    fate.now += 15_000;
    expect(cache.get("key")).toBeUndefined();
    expect(await cache.getOrLoad("key", async () => "loaded", { staleFor: "10s" })).toBe("set");
    await settle();
    expect(cache.get("key")).toBe("loaded");
  });
});

describe("stale if error", () => {
  test("a failed load serves the last value, and the loader is left alone for longer and longer", async () => {
    const { cache, fate } = fatedCache<number>({ staleIfError: "1h", errorBackoff: "1s" });
    let calls = 0;
    const failing = async () => {
      calls += 1;
      throw new Error("origin is down");
    };
    await cache.getOrLoad("key", async () => 1);
    fate.now += 60_000;
    fate.chance = 0;
    const failed: unknown[] = [];
    cache.on("loadFailed", ({ error }) => failed.push(error));
    expect(await cache.getOrLoad("key", failing)).toBe(1);
    expect(await cache.getOrLoad("key", failing)).toBe(1);
    expect(calls).toBe(1);
    for (const [wait, expected] of [
      [999, 1],
      [1, 2],
      [1_999, 2],
      [1, 3],
    ] as const) {
      fate.now += wait;
      expect(await cache.getOrLoad("key", failing)).toBe(1);
      expect(calls).toBe(expected);
    }
    expect(failed).toHaveLength(3);
    // The first that succeeds ends it.
    fate.now += 60_000;
    expect(await cache.getOrLoad("key", async () => 2)).toBe(2);
    expect(cache.get("key")).toBe(2);
  });

  test("for a bounded time only, and never where it was not asked for", async () => {
    const { cache, fate } = fatedCache<number>({ staleIfError: "1h" });
    const down = async (): Promise<number> => {
      throw new Error("origin is down");
    };
    await cache.getOrLoad("key", async () => 1);
    fate.now += 60_000 + 3_600_000;
    await expect(cache.getOrLoad("key", down)).rejects.toThrow("origin is down");
    await cache.getOrLoad("key", async () => 1);
    fate.now += 61_000;
    await expect(cache.getOrLoad("key", down, { staleIfError: 0 })).rejects.toThrow("origin is down");
  });

  test("expire makes stale what was fresh, and keeps it for when the load fails", async () => {
    const { cache } = fatedCache<number>({ staleIfError: "1h" });
    await cache.getOrLoad("key", async () => 1);
    expect(cache.expire("key")).toBe(true);
    expect(cache.expire("not there")).toBe(false);
    expect(cache.get("key")).toBeUndefined();
    const down = async (): Promise<number> => {
      throw new Error("origin is down");
    };
    expect(await cache.getOrLoad("key", down)).toBe(1);
  });

  test("expire works on values of set, for as long as they would have lived", async () => {
    const { cache, fate } = fatedCache<string>();
    cache.set("key", "old", "10s");
    cache.expire("key");
    expect(cache.get("key")).toBeUndefined();
    const seen: unknown[] = [];
    const value = await cache.getOrLoad(
      "key",
      async (_key, context) => {
        seen.push(context.stale?.value);
        return "new";
      },
      { staleIfError: "1h" },
    );
    expect([value, seen]).toEqual(["new", ["old"]]);
    cache.set("key", "old", "10s");
    cache.expire("key");
    fate.now += 10_000;
    await expect(
      cache.getOrLoad("key", () => Promise.reject(new Error("down")), { staleIfError: "1h" }),
    ).rejects.toThrow("down");
  });
});

describe("time-outs", () => {
  test("soft: the stale value is served, and the load goes on", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { cache, fate } = fatedCache<number>({ staleIfError: "1h", softTimeout: 50 });
    await cache.getOrLoad("key", async () => 1);
    fate.now += 60_000;
    const { loader, call } = controlled<number>();
    const slow = cache.getOrLoad("key", loader);
    vi.advanceTimersByTime(49);
    expect(await Promise.race([slow, settle().then(() => "waits")])).toBe("waits");
    vi.advanceTimersByTime(1);
    expect(await slow).toBe(1);
    expect(call(0).signal.aborted).toBe(false);
    call(0).resolve(2);
    await settle();
    expect(cache.get("key")).toBe(2);
  });

  test("soft: without a stale value the caller waits on", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { cache } = fatedCache<number>({ staleIfError: "1h", softTimeout: 50 });
    const { loader, call } = controlled<number>();
    const slow = cache.getOrLoad("key", loader);
    vi.advanceTimersByTime(5_000);
    call(0).resolve(1);
    expect(await slow).toBe(1);
  });

  test("hard: a typed error that names key and limit, and the loader is aborted", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { cache } = fatedCache<number>({ hardTimeout: 200 });
    const { loader, calls, call } = controlled<number>();
    const slow = cache.getOrLoad("key", loader);
    vi.advanceTimersByTime(200);
    const error = await slow.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LoadTimeoutError);
    expect(error).toMatchObject({ code: "ERR_LOAD_TIMEOUT", key: "key" });
    expect((error as Error).message).toMatch(/"key".*200 ms/);
    expect(call(0).signal.aborted).toBe(true);
    // What comes too late is not stored, and a new load can start.
    call(0).resolve(1);
    await settle();
    expect(cache.get("key")).toBeUndefined();
    const again = cache.getOrLoad("key", loader);
    call(1).resolve(2);
    expect(await again).toBe(2);
    expect(calls).toHaveLength(2);
  });

  test("hard: the stale value instead of the error, if there is one", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { cache, fate } = fatedCache<number>({ hardTimeout: 200, staleIfError: "1h" });
    await cache.getOrLoad("key", async () => 1);
    fate.now += 60_000;
    const { loader, calls } = controlled<number>();
    const slow = cache.getOrLoad("key", loader);
    vi.advanceTimersByTime(200);
    expect(await slow).toBe(1);
    // And the loader is left alone for a while.
    expect(await cache.getOrLoad("key", loader)).toBe(1);
    expect(calls).toHaveLength(1);
  });
});
