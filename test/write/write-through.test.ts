// Write-through: the origin first; what is cached afterwards is what the origin has, or nothing.
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import {
  CacheClosedError,
  InvalidKeyError,
  InvalidOptionError,
  InvalidTtlError,
  scoped,
  ValueNotCacheableError,
  type WriteContext,
  WriteFailedError,
  writeThrough,
} from "../../ts/index.js";
import { newCache } from "../support/caches.js";
import { settle } from "../support/clock.js";
import { ControlledOrigin } from "../support/origin.js";

const newOrigin = () => new ControlledOrigin<[string, string, WriteContext]>();

describe("a write that the origin takes", () => {
  test("is cached when the origin has committed, and not before", async () => {
    const cache = newCache<string>();
    const origin = newOrigin();
    cache.set("key", "old");
    const write = writeThrough(cache, "key", "new", { to: origin.write, ttl: "1h" });
    expect(cache.get("key")).toBe("old");
    expect(origin.call(0).arguments.slice(0, 2)).toEqual(["key", "new"]);
    origin.call(0).resolve();
    await write;
    expect(cache.get("key")).toBe("new");
    expect(cache.ttl("key")).toBeGreaterThan(3_000_000);
  });

  test("may be synchronous", async () => {
    const cache = newCache<string>();
    await writeThrough(cache, "key", "new", { to: () => undefined });
    expect(cache.get("key")).toBe("new");
  });

  test("is newer than a load that is under way", async () => {
    const cache = newCache<string>();
    let loaded!: (value: string) => void;
    const load = cache.getOrLoad("key", () => new Promise((resolve) => (loaded = resolve)));
    await writeThrough(cache, "key", "new", { to: () => undefined });
    loaded("old");
    expect(await load).toBe("old");
    expect(cache.get("key")).toBe("new");
  });

  test("and is too large for the cache leaves no older value", async () => {
    const cache = newCache<string>({ maxValueSize: 1_000 });
    cache.set("key", "old");
    await writeThrough(cache, "key", "x".repeat(2_000), { to: () => undefined });
    expect(cache.get("key")).toBeUndefined();
  });

  test("and can't be cached rejects, and leaves no older value", async () => {
    const cache = newCache<unknown>();
    cache.set("key", "old");
    const write = writeThrough(cache, "key", () => 1, { to: () => undefined });
    await expect(write).rejects.toBeInstanceOf(ValueNotCacheableError);
    expect(cache.get("key")).toBeUndefined();
  });

  test("after the cache was closed is a write all the same", async () => {
    const cache = newCache<string>();
    const origin = newOrigin();
    const write = writeThrough(cache, "key", "new", { to: origin.write });
    cache.close();
    origin.call(0).resolve();
    await write;
  });
});

describe("a write that the origin does not take", () => {
  test.each([
    [
      "throws",
      () => {
        throw new Error("no database");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no database"))],
  ])("because it %s leaves no trace in the cache, and names the key", async (_, to) => {
    const cache = newCache<string>();
    cache.set("key", "old");
    const failure = await writeThrough(cache, "key", "new", { to }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(WriteFailedError);
    expect(failure).toMatchObject({ code: "ERR_WRITE_FAILED", key: "key", cause: { message: "no database" } });
    expect(cache.get("key")).toBeUndefined();
  });

  test("also stops a load under way from caching what it found", async () => {
    const cache = newCache<string>();
    let loaded!: (value: string) => void;
    const load = cache.getOrLoad("key", () => new Promise((resolve) => (loaded = resolve)));
    await writeThrough(cache, "key", "new", { to: () => Promise.reject(new Error("no")) }).catch(() => undefined);
    loaded("before or after?");
    await load;
    expect(cache.get("key")).toBeUndefined();
  });

  test("does not hold up the next one of the same key", async () => {
    const cache = newCache<string>();
    const origin = newOrigin();
    const first = writeThrough(cache, "key", "1", { to: origin.write });
    const second = writeThrough(cache, "key", "2", { to: origin.write });
    origin.call(0).reject(new Error("no"));
    await expect(first).rejects.toBeInstanceOf(WriteFailedError);
    await settle();
    origin.call(1).resolve();
    await second;
    expect(cache.get("key")).toBe("2");
  });
});

describe("writes of one key", () => {
  test("reach the origin one after the other, also through views; other keys don't wait", async () => {
    const cache = newCache<string>();
    const origin = newOrigin();
    const scope = { tenant: "acme" };
    const first = writeThrough(scoped(cache, scope), "key", "1", { to: origin.write });
    const second = writeThrough(scoped(cache, scope), "key", "2", { to: origin.write });
    const other = writeThrough(cache, "key", "3", { to: origin.write });
    await settle();
    expect(origin.calls.map(({ arguments: [key, value] }) => key + value)).toEqual(["key1", "key3"]);
    origin.call(1).resolve();
    await other;
    origin.call(0).resolve();
    await first;
    await settle();
    origin.call(2).resolve();
    await second;
    expect([scoped(cache, scope).get("key"), cache.get("key")]).toEqual(["2", "3"]);
  });
});

describe("an abort", () => {
  test("before the write changes nothing", async () => {
    const cache = newCache<string>();
    const origin = newOrigin();
    cache.set("key", "old");
    const signal = AbortSignal.abort(new Error("gone"));
    await expect(writeThrough(cache, "key", "new", { to: origin.write, signal })).rejects.toThrow("gone");
    expect([cache.get("key"), origin.calls.length]).toEqual(["old", 0]);
  });

  test("while the origin writes rejects at once; the key is deleted then, and when the origin is done", async () => {
    const cache = newCache<string>();
    const origin = newOrigin();
    const abort = new AbortController();
    cache.set("key", "old");
    const write = writeThrough(cache, "key", "new", { to: origin.write, signal: abort.signal });
    expect(origin.call(0).arguments[2].signal).toBe(abort.signal);
    abort.abort(new Error("gone"));
    await expect(write).rejects.toThrow("gone");
    expect(cache.get("key")).toBeUndefined();
    cache.set("key", "loaded before the origin had committed");
    origin.call(0).resolve();
    await settle();
    expect(cache.get("key")).toBeUndefined();
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
  });

  test("of a write that waits for its turn never reaches the origin and leaves the entry", async () => {
    const cache = newCache<string>();
    const origin = newOrigin();
    const abort = new AbortController();
    const first = writeThrough(cache, "key", "1", { to: origin.write });
    const second = writeThrough(cache, "key", "2", { to: origin.write, signal: abort.signal });
    abort.abort(new Error("gone"));
    await expect(second).rejects.toThrow("gone");
    origin.call(0).resolve();
    await first;
    await settle();
    expect([cache.get("key"), origin.calls.length]).toEqual(["1", 1]);
  });
});

describe("wrong arguments reject before the origin is asked", () => {
  test.each([
    ["a key that is no string", 5, { ttl: 1 }, InvalidKeyError],
    ["a TTL that is none", "key", { ttl: "10" }, InvalidTtlError],
    ["no origin", "key", { to: undefined }, InvalidOptionError],
  ])("%s", async (_, key, options, type) => {
    const cache = newCache<string>();
    const origin = newOrigin();
    const write = writeThrough(cache, key as never, "new", { to: origin.write, ...options } as never);
    await expect(write).rejects.toBeInstanceOf(type);
    expect(origin.calls).toHaveLength(0);
  });

  test("a closed cache", async () => {
    const cache = newCache<string>();
    cache.close();
    await expect(writeThrough(cache, "key", "new", { to: () => 1 })).rejects.toBeInstanceOf(CacheClosedError);
  });
});
