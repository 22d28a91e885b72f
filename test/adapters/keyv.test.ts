// nearcache/keyv: Keyv's own suite, and what Keyv users get beyond it.
import keyvTestSuite, { keyvIteratorTests } from "@keyv/test-suite";
import { Keyv } from "keyv";
import * as vitest from "vitest";
import { afterAll, describe, expect, test } from "vitest";
import { createKeyv, KeyvNearcache } from "../../ts/adapters/keyv.js";
import { type Cache, CacheClosedError, createCache, scoped, ValueNotCacheableError } from "../../ts/index.js";
import { newCache } from "../support/caches.js";

/** As Keyv makes them, and as createKeyv does. */
class WithoutJson extends Keyv {
  constructor(options: ConstructorParameters<typeof Keyv>[0]) {
    super(options);
    this.serialize = undefined;
    this.deserialize = undefined;
  }
}

describe("Keyv's own suite", () => {
  const caches: Cache<unknown>[] = [];
  afterAll(() => {
    for (const cache of caches) cache.close();
  });
  const newStore = (): (() => KeyvNearcache) => {
    const cache = createCache({ maxMemory: "16mb", ttl: "1h" });
    caches.push(cache);
    return () => new KeyvNearcache(cache);
  };
  describe("with Keyv's JSON", () => {
    const store = newStore();
    keyvTestSuite(vitest, Keyv, store);
    keyvIteratorTests(vitest, Keyv, store);
  });
  describe("without JSON", () => {
    // One test brings a serializer of its own, which this class ignores: bigint comes back as bigint, and passes.
    const store = newStore();
    keyvTestSuite(vitest, WithoutJson as typeof Keyv, store);
    keyvIteratorTests(vitest, WithoutJson as typeof Keyv, store);
  });
});

describe("createKeyv", () => {
  test("keeps types that JSON loses", async () => {
    const keyv = createKeyv(newCache());
    const value = { date: new Date(5), map: new Map([[1, 2n]]), bytes: new Uint8Array([1]), nothing: undefined };
    await keyv.set("key", value);
    expect(await keyv.get("key")).toEqual(value);
  });

  test("gives Keyv's TTL to the store, and the store's own to entries without one", async () => {
    const cache = newCache({ ttl: "1m" });
    const keyv = createKeyv(cache, { namespace: "n" });
    await keyv.set("short", 1, 5_000);
    await keyv.set("long", 1);
    expect(cache.ttl("n:short")).toBeLessThanOrEqual(5_010);
    expect(cache.ttl("n:long")).toBeGreaterThan(50_000);
  });

  test("says what can't be cached", async () => {
    const errors: unknown[] = [];
    const keyv = createKeyv(newCache());
    keyv.on("error", (error: unknown) => errors.push(error));
    expect(await keyv.set("key", () => 1)).toBe(false);
    expect(
      await keyv.setMany([
        { key: "a", value: 1 },
        { key: "b", value: () => 1 },
      ]),
    ).toEqual([true, false]);
    expect(errors).toEqual([expect.any(ValueNotCacheableError), expect.any(ValueNotCacheableError)]);
    expect(await keyv.get(["a", "b"])).toEqual([1, undefined]);
  });

  test("has several keys at once, and iterates over its namespace", async () => {
    const keyv = createKeyv<number>(newCache(), { namespace: "n" });
    await keyv.setMany([
      { key: "a", value: 1 },
      { key: "b", value: 2 },
    ]);
    expect(await keyv.has(["a", "x"])).toEqual([true, false]);
    expect(await keyv.delete(["a", "x"])).toBe(false);
    const found: unknown[] = [];
    for await (const pair of keyv.iterator?.({}) ?? []) found.push(pair);
    expect(found).toEqual([["b", 2]]);
  });
});

describe("the cache behind a store", () => {
  test("stays open if it was given, and is cleared within its scope only", async () => {
    const cache = newCache();
    cache.set("other", 1);
    const keyv = createKeyv(scoped(cache, { use: "keyv" }));
    await keyv.set("key", 1);
    await keyv.clear();
    await keyv.disconnect();
    expect([...cache.keys()]).toEqual(["other"]);
  });

  test("is closed with the store that created it", async () => {
    const store = new KeyvNearcache({ maxMemory: "16mb", ttl: "1m" });
    await store.set("key", 1);
    await store.disconnect();
    await expect(store.get("key")).rejects.toBeInstanceOf(CacheClosedError);
  });
});
