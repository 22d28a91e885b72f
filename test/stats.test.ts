// stats() counts what happened, in L0 and in the store, and says what is held.
import { expect, test } from "vitest";
import { newCache, uniqueName } from "./support/caches.js";

test("a new cache has counted nothing", () => {
  const cache = newCache({ maxMemory: "32mb" });
  expect(cache.stats()).toMatchObject({
    ...{
      hits: 0,
      stale: 0,
      misses: 0,
      hitRatio: 0,
      sets: 0,
      deletes: 0,
      evictions: 0,
      expirations: 0,
      rejections: 0,
      repairs: 0,
      entries: 0,
    },
    memory: { max: 32 * 1024 * 1024 },
    l0: { hits: 0, entries: 0 },
  });
});

test("hits are counted once each, whichever layer answers", () => {
  const cache = newCache<object>();
  cache.set("key", { a: 1 });
  for (let i = 0; i < 100; i++) cache.get("key");
  cache.get("missing");
  cache.peek("key");
  cache.has("key");
  const stats = cache.stats();
  expect(stats).toMatchObject({ hits: 100, misses: 1, sets: 1, entries: 1 });
  expect(stats.hitRatio).toBeCloseTo(100 / 101);
  expect(stats.l0.hits).toBeGreaterThan(50);
  expect(stats.l0.entries).toBe(1);
});

test("hits, stale reads and misses are all reads", async () => {
  const cache = newCache<string>({ staleFor: "1m" });
  cache.set("expired", "x");
  cache.set("tagged", "x", { tags: ["t"] });
  cache.set("fresh", "x", { tags: ["u"] });
  cache.expire("expired");
  cache.invalidateTags("t");
  for (const key of ["expired", "tagged", "fresh", "fresh", "absent"]) cache.get(key);
  expect(cache.stats()).toMatchObject({ hits: 2, stale: 2, misses: 1, hitRatio: 2 / 5, loads: { staleServed: 0 } });
  // Served stale, and so it is neither a hit nor a miss.
  expect(await cache.getOrLoad("expired", () => "y")).toBe("x");
  expect(cache.stats()).toMatchObject({ hits: 2, stale: 3, misses: 1, loads: { staleServed: 1 } });
});

test("large values are counted once, too", () => {
  const cache = newCache<Buffer>({ maxMemory: "64mb" });
  cache.set("key", Buffer.alloc(1_000_000));
  for (let i = 0; i < 10; i++) cache.get("key");
  expect(cache.stats()).toMatchObject({ hits: 10, misses: 0 });
});

test("deletes and evictions are counted, and memory stays within its budget", () => {
  const cache = newCache<string>({ maxMemory: "8mb" });
  cache.set("key", "x");
  cache.delete("key");
  for (let i = 0; i < 20_000; i++) cache.set(`key${i}`, "x".repeat(1_000));
  const stats = cache.stats();
  expect(stats.deletes).toBe(1);
  expect(stats.evictions + stats.rejections).toBeGreaterThan(10_000);
  expect(stats.entries).toBeLessThan(8_000);
  expect(stats.memory.used).toBeLessThanOrEqual(stats.memory.max);
  expect(cache.size).toBe(stats.entries);
});

test("hits that another handle's L0 answered are counted for all handles of the store", () => {
  const name = uniqueName();
  const one = newCache<object>({ name });
  const other = newCache<object>({ name });
  one.set("key", { a: 1 });
  for (let i = 0; i < 100; i++) one.get("key");
  expect(one.stats().l0.hits).toBeGreaterThan(50);
  one.close();
  expect(other.stats()).toMatchObject({ hits: 100, l0: { hits: 0 } });
});
