// A closed cache throws ERR_CACHE_CLOSED from every method; closing is final, harmless to repeat, and local.
import { expect, test } from "vitest";
import { type Cache, CacheClosedError } from "../ts/index.js";
import { heat, newCache, thrownBy, uniqueName } from "./support/caches.js";

const METHODS: [string, (cache: Cache<number>) => unknown][] = [
  ["get", (cache) => cache.get("key")],
  ["set", (cache) => cache.set("key", 1)],
  ["has", (cache) => cache.has("key")],
  ["delete", (cache) => cache.delete("key")],
  ["peek", (cache) => cache.peek("key")],
  ["ttl", (cache) => cache.ttl("key")],
  ["touch", (cache) => cache.touch("key")],
  ["getMany", (cache) => cache.getMany(["key"])],
  ["setMany", (cache) => cache.setMany([["key", 1]])],
  ["deleteMany", (cache) => cache.deleteMany(["key"])],
  ["deletePrefix", (cache) => cache.deletePrefix("k")],
  ["clear", (cache) => cache.clear()],
  ["keys", (cache) => cache.keys()],
  ["entries", (cache) => cache.entries()],
  ["size", (cache) => cache.size],
  ["stats", (cache) => cache.stats()],
];

test.each(METHODS)("%s after close", (_, call) => {
  const cache = newCache<number>();
  cache.set("key", 1);
  heat(cache, "key");
  cache.close();
  const error = thrownBy(() => call(cache));
  expect(error).toBeInstanceOf(CacheClosedError);
  expect(error).toMatchObject({ code: "ERR_CACHE_CLOSED" });
});

test("getOrLoad after close rejects, and an iterator that was under way throws", async () => {
  const cache = newCache<number>();
  cache.setMany(Array.from({ length: 2_000 }, (_, i) => [`${i}`, i]));
  const keys = cache.keys();
  keys.next();
  cache.close();
  await expect(cache.getOrLoad("key", () => 1)).rejects.toBeInstanceOf(CacheClosedError);
  expect(thrownBy(() => [...keys])).toBeInstanceOf(CacheClosedError);
});

test("closing again does nothing, and disposing is closing", () => {
  const cache = newCache<number>();
  cache.close();
  cache.close();
  cache[Symbol.dispose]();
  const other = newCache<number>();
  other[Symbol.dispose]();
  expect(() => other.get("key")).toThrow(CacheClosedError);
});

test("other handles of the store go on", () => {
  const name = uniqueName();
  const [first, second] = [newCache<number>({ name }), newCache<number>({ name })];
  second.set("key", 1);
  heat(second, "key");
  first.close();
  expect(second.get("key")).toBe(1);
  second.set("key", 2);
  expect(second.get("key")).toBe(2);
});

test("the last close gives the memory back at once, without a garbage collection or a turn of the event loop", () => {
  const before = process.memoryUsage().rss;
  const value = "x".repeat(10_000);
  for (let round = 0; round < 12; round++) {
    const cache = newCache<string>({ maxMemory: "64mb" });
    for (let i = 0; i < 6_000; i++) cache.set(`key ${i}`, value);
    cache.close();
  }
  // Kept, they would be 700 MB.
  expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 * 1024);
});
