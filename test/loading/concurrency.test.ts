// Many callers: bounds, cycles, batches, and wrapped functions.
import { describe, expect, test } from "vitest";
import { LoadCycleError, LoadsFullError } from "../../ts/index.js";
import { newCache } from "../support/caches.js";
import { controlled, settle } from "../support/loading.js";

describe("a bound on concurrent loads", () => {
  test("loads beyond it wait for their turn, in order", async () => {
    const cache = newCache<string>({ maxConcurrentLoads: 2 });
    const { loader, calls, call } = controlled<string>();
    const all = Promise.all(["a", "b", "c", "d"].map((key) => cache.getOrLoad(key, loader)));
    expect(calls.map(({ key }) => key)).toEqual(["a", "b"]);
    call(1).reject(new Error("b failed"));
    await settle();
    expect(calls.map(({ key }) => key)).toEqual(["a", "b", "c"]);
    call(0).resolve("a");
    await settle();
    call(2).resolve("c");
    call(3).resolve("d");
    await expect(all).rejects.toThrow("b failed");
    expect(cache.getMany([..."abcd"])).toEqual(["a", undefined, "c", "d"]);
  });

  test("beyond the queue they are refused, and callers of the same key still share", async () => {
    const cache = newCache<string>({ maxConcurrentLoads: { running: 1, waiting: 1 } });
    const { loader, call } = controlled<string>();
    const [a, b, alsoB, c] = ["a", "b", "b", "c"].map((key) => cache.getOrLoad(key, loader));
    const error = await c?.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LoadsFullError);
    expect(error).toMatchObject({ key: "c", code: "ERR_LOADS_FULL" });
    call(0).resolve("a");
    await settle();
    call(1).resolve("b");
    expect(await Promise.all([a, b, alsoB])).toEqual(["a", "b", "b"]);
    expect(cache.stats().loads).toMatchObject({ shed: 1, coalesced: 1 });
  });

  test("a load that another load waits for does not wait for that one's end", async () => {
    const cache = newCache<number>({ maxConcurrentLoads: 1 });
    const sum = cache.getOrLoad("sum", async () => {
      const parts = await Promise.all(["x", "y"].map((key) => cache.getOrLoad(key, async () => 2)));
      return parts.reduce<number>((total, part) => total + (part ?? 0), 0);
    });
    expect(await sum).toBe(4);
  });

  test("who leaves the queue is not loaded", async () => {
    const cache = newCache<string>({ maxConcurrentLoads: 1 });
    const { loader, calls, call } = controlled<string>();
    const controller = new AbortController();
    const first = cache.getOrLoad("a", loader);
    const second = cache.getOrLoad("b", loader, { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(second).rejects.toThrow("enough");
    call(0).resolve("a");
    await first;
    expect(calls).toHaveLength(1);
    const third = cache.getOrLoad("c", loader);
    call(1).resolve("c");
    expect(await third).toBe("c");
  });
});

describe("cycles", () => {
  test("a loader that asks for its own key is told so", async () => {
    const cache = newCache<number>();
    const load = cache.getOrLoad("a", async () => ((await cache.getOrLoad("a", () => 1)) ?? 0) + 1);
    const error = await load.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LoadCycleError);
    expect((error as Error).message).toContain('"a" -> "a"');
  });

  test("and so is one that gets there by way of others", async () => {
    const cache = newCache<number>();
    const ask = (key: string, next: string): Promise<number | undefined> =>
      cache.getOrLoad(key, async () => {
        await Promise.resolve();
        return ask(next, key === "a" ? "c" : "a");
      });
    const error = await ask("a", "b").catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LoadCycleError);
    expect(cache.size).toBe(0);
  });

  test("two loads that wait for each other", async () => {
    const cache = newCache<number>();
    const first = cache.getOrLoad("a", async () => {
      await settle();
      return cache.getOrLoad("b", () => 1);
    });
    const second = cache.getOrLoad("b", async () => {
      await settle();
      return cache.getOrLoad("a", () => 2);
    });
    const results = await Promise.allSettled([first, second]);
    expect(results.map(({ status }) => status)).toContain("rejected");
  });

  test("loaders may use other keys", async () => {
    const cache = newCache<number>();
    const value = await cache.getOrLoad("sum", async () => {
      const parts = await Promise.all(["x", "y"].map((key) => cache.getOrLoad(key, async () => 2)));
      return parts.reduce<number>((sum, part) => sum + (part ?? 0), 0);
    });
    expect(value).toBe(4);
  });
});

describe("batches", () => {
  test("what is missing is loaded in one call, the rest is not", async () => {
    const cache = newCache<string | null>();
    cache.set("b", "there");
    cache.set("n", null);
    const calls: (readonly string[])[] = [];
    const values = await cache.getManyOrLoad(["a", "b", "c", "n", "a"], async (keys) => {
      calls.push(keys);
      return new Map(keys.map((key) => [key, `loaded ${key}`]));
    });
    expect(values).toEqual(["loaded a", "there", "loaded c", null, "loaded a"]);
    expect(calls).toEqual([["a", "c"]]);
    expect(cache.get("c")).toBe("loaded c");
  });

  test("arrays in the keys' order will do; what is missing is not cached", async () => {
    const cache = newCache<string>();
    expect(await cache.getManyOrLoad(["a", "b"], (keys) => keys.map((key) => (key === "a" ? key : undefined)))).toEqual(
      ["a", undefined],
    );
    expect(cache.has("b")).toBe(false);
    await expect(cache.getManyOrLoad(["x", "y"], () => ["x"])).rejects.toThrow(/an array of 2 values/);
    await expect(cache.getManyOrLoad(["x"], () => Promise.reject(new Error("down")))).rejects.toThrow("down");
    expect(await cache.getManyOrLoad([], () => [])).toEqual([]);
  });

  test("keys that are being loaded already are waited for", async () => {
    const cache = newCache<string>();
    const { loader, call } = controlled<string>();
    const single = cache.getOrLoad("a", loader);
    const calls: (readonly string[])[] = [];
    const many = cache.getManyOrLoad(["a", "b"], (keys) => {
      calls.push(keys);
      return keys.map((key) => `batch ${key}`);
    });
    await settle();
    expect(calls).toEqual([["b"]]);
    call(0).resolve("single a");
    expect([await single, await many]).toEqual(["single a", ["single a", "batch b"]]);
  });

  test("a batch counts as one load", async () => {
    const cache = newCache<string>({ maxConcurrentLoads: 1 });
    expect(await cache.getManyOrLoad(["a", "b", "c"], (keys) => keys)).toEqual(["a", "b", "c"]);
    expect(await cache.getOrLoad("d", () => "d")).toBe("d");
  });
});

test("a wrapped function is called once per key", async () => {
  const cache = newCache<string>();
  let calls = 0;
  const find = cache.wrap(
    async (id: number, kind: string) => {
      calls += 1;
      return `${kind} ${id}`;
    },
    { key: (id, kind) => `${kind}:${id}`, ttl: "5m" },
  );
  expect(await Promise.all([find(1, "user"), find(1, "user"), find(2, "user")])).toEqual([
    "user 1",
    "user 1",
    "user 2",
  ]);
  expect(calls).toBe(2);
  expect(cache.get("user:1")).toBe("user 1");
  expect(() => cache.wrap(async () => "x", {} as never)).toThrow(/key/);
  expect(() => cache.wrap(async () => "x", { key: () => "k", jitter: 2 } as never)).toThrow(/jitter/);
});

test("the cache's own loader, and what is thrown without one", async () => {
  const cache = newCache<string>({ loader: async (key) => `loaded ${key}` });
  expect(await cache.getOrLoad("a")).toBe("loaded a");
  expect(await cache.getOrLoad("b", { ttl: "5s" })).toBe("loaded b");
  expect(await cache.getOrLoad("c", "5s")).toBe("loaded c");
  await expect(newCache<string>().getOrLoad("a")).rejects.toThrow(/give createCache a loader/);
});

test("getOrSet computes what is not there, at once", () => {
  const cache = newCache<{ n: number }>();
  const value = cache.getOrSet("key", () => ({ n: 1 }));
  expect(value).toEqual({ n: 1 });
  expect(Object.isFrozen(value)).toBe(true);
  expect(cache.getOrSet("key", () => ({ n: 2 }))).toEqual({ n: 1 });
  expect(() => cache.getOrSet("other", (async () => ({ n: 1 })) as never)).toThrow(/use getOrLoad/);
  expect(cache.has("other")).toBe(false);
});
