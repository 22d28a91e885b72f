// Several keys at once, all keys of a prefix, and walking through what there is.
import { describe, expect, test } from "vitest";
import { newCache, thrownBy } from "./support/caches.js";

describe("several keys at once", () => {
  test("getMany gives values in the order of the keys, undefined where there is none", () => {
    const cache = newCache<number | null>();
    cache.setMany([
      ["a", 1],
      ["b", null],
      ["c", 3],
    ]);
    expect(cache.getMany(["c", "missing", "a", "b", "a"])).toEqual([3, undefined, 1, null, 1]);
    expect(cache.getMany(new Set(["a"]))).toEqual([1]);
    expect(cache.getMany([])).toEqual([]);
  });

  test("setMany takes any pairs, with one TTL", () => {
    const cache = newCache<number>();
    cache.setMany(
      new Map([
        ["a", 1],
        ["b", 2],
      ]),
      { ttl: "5m" },
    );
    expect(cache.get("b")).toBe(2);
    expect(cache.ttl("a")).toBeGreaterThan(290_000);
  });

  test("setMany stops at what can't be stored; what came before is stored", () => {
    const cache = newCache<unknown>();
    expect(() =>
      cache.setMany([
        ["a", 1],
        ["b", () => 1],
        ["c", 3],
      ]),
    ).toThrow(/value is a function/);
    expect(cache.getMany(["a", "b", "c"])).toEqual([1, undefined, undefined]);
  });

  test("deleteMany counts what was there", () => {
    const cache = newCache<number>();
    cache.setMany([
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ]);
    expect(cache.deleteMany(["a", "c", "missing", "a"])).toBe(2);
    expect([...cache.keys()]).toEqual(["b"]);
  });

  test("what is nothing to iterate over is refused", () => {
    const cache = newCache<number>();
    for (const bad of [undefined, null, 5, {}, "abc"]) {
      for (const call of [
        () => cache.getMany(bad as never),
        () => cache.setMany(bad as never),
        () => cache.deleteMany(bad as never),
      ]) {
        expect(thrownBy(call)).toMatchObject({ code: "ERR_INVALID_ARGUMENT", name: "InvalidArgumentError" });
      }
    }
    expect(thrownBy(() => cache.setMany(["ab" as never]))).toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
  });
});

describe("prefixes", () => {
  test("deletePrefix deletes exactly the keys that begin with it", () => {
    const cache = newCache<number>();
    for (let i = 0; i < 1_000; i++)
      cache.setMany([
        [`user:${i}`, i],
        [`product:${i}`, i],
        [`users`, i],
      ]);
    expect(cache.deletePrefix("user:")).toBe(1_000);
    expect(cache.size).toBe(1_001);
    expect(cache.get("user:5")).toBeUndefined();
    expect(cache.get("product:5")).toBe(5);
    expect(cache.deletePrefix("none")).toBe(0);
    expect(cache.deletePrefix("")).toBe(1_001);
  });

  test("a deleted prefix is gone from L0 too", () => {
    const cache = newCache<number>();
    cache.set("user:1", 1);
    for (let i = 0; i < 20; i++) cache.get("user:1");
    cache.deletePrefix("user:");
    expect(cache.get("user:1")).toBeUndefined();
  });

  test("a prefix that is no text is refused", () => {
    const cache = newCache<number>();
    for (const bad of [undefined, null, 5, {}]) {
      expect(thrownBy(() => cache.deletePrefix(bad as never))).toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    }
    expect(thrownBy(() => cache.keys({ prefix: 5 } as never))).toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    expect(thrownBy(() => cache.keys(null as never))).toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
  });
});

describe("walking through", () => {
  test("keys and entries visit everything once, or everything of a prefix", () => {
    const cache = newCache<number>();
    const expected = new Map(Array.from({ length: 5_000 }, (_, i) => [`key:${i}`, i]));
    cache.setMany(expected);
    cache.set("other", -1);
    expect([...cache.keys({ prefix: "key:" })].sort()).toEqual([...expected.keys()].sort());
    expect(new Map(cache.entries({ prefix: "key:" }))).toEqual(expected);
    expect([...cache.entries()]).toHaveLength(5_001);
    expect([...cache.keys({ prefix: "nothing" })]).toEqual([]);
  });

  test("entries that stay are seen although others come and go", () => {
    const cache = newCache<number>();
    for (let i = 0; i < 3_000; i++) cache.set(`stays:${i}`, i);
    const seen = new Set<string>();
    let n = 0;
    for (const key of cache.keys()) {
      if (key.startsWith("stays:")) seen.add(key);
      n += 1;
      cache.set(`new:${n}`, n);
      cache.delete(`new:${n - 500}`);
      if (n > 50_000) break;
    }
    expect(seen.size).toBe(3_000);
  });

  test("walking is not counted as reading, and an iterator may be left half-way", () => {
    const cache = newCache<number>();
    cache.setMany(Array.from({ length: 1_000 }, (_, i) => [`${i}`, i]));
    const before = cache.stats();
    for (const _ of cache.entries()) break;
    expect([...cache.entries()]).toHaveLength(1_000);
    expect(cache.stats()).toMatchObject({ hits: before.hits, misses: before.misses });
  });
});

test("clear empties the store and L0", () => {
  const cache = newCache<number>();
  cache.setMany([
    ["a", 1],
    ["b", 2],
  ]);
  for (let i = 0; i < 20; i++) cache.getMany(["a", "b"]);
  cache.clear();
  expect(cache.size).toBe(0);
  expect(cache.getMany(["a", "b"])).toEqual([undefined, undefined]);
  expect(cache.stats().l0.entries).toBe(0);
  cache.set("a", 3);
  expect(cache.get("a")).toBe(3);
});
