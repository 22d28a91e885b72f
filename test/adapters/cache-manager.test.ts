// nearcache/cache-manager: what cache-manager 7 does with its stores works with ours.
import { createCache as createManager } from "cache-manager";
import { Keyv } from "keyv";
import { describe, expect, test } from "vitest";
import { nearcacheStore } from "../../ts/adapters/cache-manager.js";
import { CacheClosedError, ValueNotCacheableError } from "../../ts/index.js";
import { newCache } from "../support/caches.js";

const options = { maxMemory: "16mb", ttl: "1m" } as const;

describe("a manager with a nearcache", () => {
  test("sets, gets and deletes, one key or several, with all the types that nearcache knows", async () => {
    const cache = newCache();
    const manager = createManager({ stores: [nearcacheStore(cache)], ttl: 5_000 });
    const value = { at: new Date(5), set: new Set([1]) };
    await manager.set("a", value);
    await manager.mset([
      { key: "b", value: 2 },
      { key: "c", value: null, ttl: 60_000 },
    ]);
    expect(await manager.mget(["a", "b", "c", "d"])).toEqual([value, 2, null, undefined]);
    expect(cache.ttl("a")).toBeLessThanOrEqual(5_010);
    expect(await manager.ttl("a")).toBeGreaterThan(Date.now());
    expect(await manager.del("a")).toBe(true);
    await manager.mdel(["b", "x"]);
    expect(await manager.mget(["a", "b", "c"])).toEqual([undefined, undefined, null]);
    await manager.clear();
    expect(cache.size).toBe(0);
  });

  test("wraps a function: one call for many who ask, and none once it is cached", async () => {
    const manager = createManager({ stores: [nearcacheStore(newCache())], ttl: 5_000 });
    let calls = 0;
    const load = async () => {
      calls += 1;
      return { calls };
    };
    const first = await Promise.all([1, 2, 3].map(() => manager.wrap("key", load)));
    expect([...first, await manager.wrap("key", load)]).toEqual(Array(4).fill({ calls: 1 }));
    expect(calls).toBe(1);
  });

  test("refreshes in the background below the threshold", async () => {
    const manager = createManager({ stores: [nearcacheStore(newCache())], ttl: 5_000, refreshThreshold: 10_000 });
    const refreshed = new Promise((resolve) => manager.on("refresh", resolve));
    expect(await manager.wrap("key", async () => "first")).toBe("first");
    expect(await manager.wrap("key", async () => "second")).toBe("first");
    await refreshed;
    expect(await manager.get("key")).toBe("second");
  });

  test("fills the first store from the second", async () => {
    const near = nearcacheStore(newCache());
    const far = new Keyv();
    await far.set("key", "far");
    const manager = createManager({ stores: [near, far], ttl: 5_000 });
    expect(await manager.wrap("key", async () => "loaded")).toBe("far");
    expect(await near.get("key")).toBe("far");
  });

  test("rejects what can't be cached", async () => {
    const manager = createManager({ stores: [nearcacheStore(newCache())] });
    await expect(manager.set("key", () => 1)).rejects.toBeInstanceOf(ValueNotCacheableError);
  });

  test("closes a cache that was made for it, and no other", async () => {
    const own = nearcacheStore(options);
    await createManager({ stores: [own] }).disconnect();
    await expect(own.set("key", 1)).rejects.toBeInstanceOf(CacheClosedError);
    const cache = newCache();
    await createManager({ stores: [nearcacheStore(cache)] }).disconnect();
    expect(cache.size).toBe(0);
  });
});
