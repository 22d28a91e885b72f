// nearcache/lru-cache: the same as lru-cache, operation by operation, where it says that it is; and what it refuses.
import { LRUCache as Original } from "lru-cache";
import { afterEach, describe, expect, test } from "vitest";
import { type Fetcher, LRUCache, type LRUCacheOptions } from "../../ts/adapters/lru-cache.js";
import {
  CacheClosedError,
  InvalidArgumentError,
  InvalidKeyError,
  InvalidOptionError,
  ValueNotCacheableError,
} from "../../ts/index.js";
import { thrownBy, uniqueName } from "../support/caches.js";
import { settle } from "../support/clock.js";
import { pick, seeded } from "../support/random.js";

type Value = string | number | { n: number };
const open: { close(): void }[] = [];

afterEach(() => {
  for (const cache of open.splice(0)) cache.close();
});

function newLru<V extends {} = Value, FC = unknown>(options: Partial<LRUCacheOptions<string, V, FC>> = {}) {
  const cache = new LRUCache<string, V, FC>({ maxSize: "16mb", ...options });
  open.push(cache);
  return cache;
}

/** One of ours and one of theirs, on a clock that the test moves. */
function pair(options: object) {
  const perf = { time: 1_000, now: () => perf.time };
  const ours = newLru({ perf, ...options });
  const theirs = new Original<string, Value>({ max: 10_000, ttlResolution: 0, perf, ...options } as never);
  return { perf, ours, theirs };
}

/** Some of these flags, true or false. */
function flags(random: () => number, names: string[]): object {
  return Object.fromEntries(names.filter(() => random() < 0.5).map((name) => [name, random() < 0.5]));
}

const entriesOf = (cache: Iterable<[string, Value]>) => [...cache].sort(([a], [b]) => (a < b ? -1 : 1));

describe("operation by operation as lru-cache", () => {
  const SETTINGS: object[] = [
    {},
    { ttl: 50 },
    { ttl: 50, allowStale: true },
    { ttl: 50, noDeleteOnStaleGet: true },
    { ttl: 50, allowStale: true, noDeleteOnStaleGet: true },
    { ttl: 50, updateAgeOnGet: true },
    { ttl: 50, updateAgeOnHas: true },
    { ttl: 50, noUpdateTTL: true },
  ];

  test.each(SETTINGS)("whatever is done, with %j", (settings) => {
    for (let seed = 1; seed <= 5; seed++) {
      const random = seeded(seed);
      const { perf, ours, theirs } = pair(settings);
      for (let step = 0; step < 400; step++) {
        const key = pick(random, ["a", "b", "c", "d", "e"]);
        const value = pick<Value>(random, [1, "text", { n: step }]);
        const ttl = pick(random, [0, 20, 200]);
        const peek = flags(random, ["allowStale"]);
        const get = flags(random, ["allowStale", "updateAgeOnGet", "noDeleteOnStaleGet"]);
        const [name, run] = pick<[string, (cache: Original<string, Value>) => unknown]>(random, [
          ["get", (cache) => cache.get(key, get)],
          ["get", (cache) => cache.get(key)],
          ["peek", (cache) => cache.peek(key, peek)],
          ["has", (cache) => cache.has(key)],
          ["set", (cache) => cache.set(key, value) && 0],
          ["set with ttl", (cache) => cache.set(key, value, { ttl }) && 0],
          ["set undefined", (cache) => cache.set(key, undefined) && 0],
          ["delete", (cache) => cache.delete(key)],
          ["getRemainingTTL", (cache) => cache.getRemainingTTL(key)],
          ["size", (cache) => cache.size],
          ["entries", (cache) => entriesOf(cache)],
          ["keys", (cache) => [...cache.keys()].sort()],
          ["values", (cache) => [...cache.values()].map((found) => JSON.stringify(found)).sort()],
          ["purgeStale", (cache) => cache.purgeStale()],
          ["clear", (cache) => (step % 50 === 0 ? cache.clear() : undefined)],
          ["forEach", (cache) => collect(cache)],
        ]);
        expect(run(ours as never), `seed ${seed}, step ${step}, ${name} ${key}`).toEqual(run(theirs));
        perf.time += pick(random, [0, 1, 10, 30]);
      }
    }
  });

  function collect(cache: Original<string, Value>): unknown[] {
    const found: unknown[] = [];
    cache.forEach((value, key) => void found.push(`${key}=${JSON.stringify(value)}`));
    return found.sort();
  }
});

describe("fetch, beside lru-cache's", () => {
  interface Call {
    key: string;
    stale: Value | undefined;
    signal: AbortSignal;
    context: unknown;
    resolve(value: Value | undefined): void;
    reject(error: unknown): void;
  }

  /** Both, with a fetchMethod that the test answers for. */
  function fetching(options: object = {}) {
    const calls: { ours: Call[]; theirs: Call[] } = { ours: [], theirs: [] };
    const method =
      (list: Call[]): Fetcher<string, Value, unknown> =>
      (key, stale, { signal, context }) =>
        new Promise((resolve, reject) => list.push({ key, stale, signal, context, resolve, reject }));
    const perf = { time: 1_000, now: () => perf.time };
    const shared = { perf, ttl: 50, ...options };
    const ours = newLru<Value>({ ...shared, fetchMethod: method(calls.ours) });
    const theirs = new Original<string, Value>({
      max: 100,
      ttlResolution: 0,
      ...shared,
      fetchMethod: method(calls.theirs),
    } as never);
    const both = async <R>(act: (cache: Original<string, Value>, list: Call[]) => R): Promise<[R, R]> => {
      const results = [act(ours as never, calls.ours), act(theirs, calls.theirs)] as [R, R];
      await settle();
      return results;
    };
    /** Does the same to both, and expects the same of both. */
    const same = async (act: (cache: Original<string, Value>, list: Call[]) => unknown) => {
      const outcomes = await Promise.all(
        (await both(act)).map((result) =>
          Promise.resolve(result).then(
            (value) => ({ value }),
            (error: unknown) => ({ error: String(error) }),
          ),
        ),
      );
      expect(outcomes[0]).toEqual(outcomes[1]);
      return outcomes[0];
    };
    return { perf, both, same, calls };
  }

  test("one fetch for many who ask; what it brings is stored", async () => {
    const { both, same, calls } = fetching();
    const asked = await both((cache) => [cache.fetch("a", { context: "c" }), cache.fetch("a")]);
    expect([calls.ours.length, calls.theirs.length, calls.ours[0]?.context]).toEqual([1, 1, "c"]);
    await both((_, list) => list[0]?.resolve(7));
    for (const promises of asked) expect(await Promise.all(promises)).toEqual([7, 7]);
    expect(await same((cache) => cache.fetch("a"))).toEqual({ value: 7 });
    await same((cache) => cache.get("a"));
    expect(calls.ours).toHaveLength(1);
  });

  test("undefined is given and not stored; a failure reaches those who ask", async () => {
    const { both, same } = fetching();
    const nothing = await both((cache) => cache.fetch("a"));
    await both((_, list) => list[0]?.resolve(undefined));
    expect(await Promise.all(nothing)).toEqual([undefined, undefined]);
    await same((cache) => cache.has("a"));
    const failed = await both((cache) => cache.fetch("a"));
    const outcomes = Promise.allSettled(failed);
    await both((_, list) => list[1]?.reject(new Error("no")));
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: "rejected", reason: { message: "no" } });
  });

  test("a stale value is handed to fetchMethod, and out, if allowed, while it is renewed", async () => {
    const { perf, both, same, calls } = fetching({ allowStale: true });
    await both((cache) => cache.set("a", 1));
    perf.time += 100;
    expect(await same((cache) => cache.fetch("a"))).toEqual({ value: 1 });
    expect([calls.ours[0]?.stale, calls.theirs[0]?.stale]).toEqual([1, 1]);
    expect(await same((cache) => cache.fetch("a"))).toEqual({ value: 1 });
    await both((_, list) => list[0]?.resolve(2));
    expect(await same((cache) => cache.get("a"))).toEqual({ value: 2 });
  });

  test("forceRefresh fetches what is fresh", async () => {
    const { both, calls } = fetching();
    await both((cache) => cache.set("a", 1));
    const asked = await both((cache) => cache.fetch("a", { forceRefresh: true }));
    await both((_, list) => list[0]?.resolve(2));
    expect(await Promise.all(asked)).toEqual([2, 2]);
    expect(calls.ours[0]?.stale).toBe(calls.theirs[0]?.stale);
  });

  test.each([
    [{}],
    [{ noDeleteOnFetchRejection: true }],
    [{ allowStaleOnFetchRejection: true }],
    [{ noDeleteOnFetchRejection: true, allowStaleOnFetchRejection: true, allowStale: true }],
  ])("a failure with a stale value there, with %j", async (options) => {
    const { perf, both, same } = fetching(options);
    await both((cache) => cache.set("a", 1));
    perf.time += 100;
    const asked = await both((cache) => cache.fetch("a"));
    const outcomes = Promise.allSettled(asked);
    await both((_, list) => list[0]?.reject(new Error("no")));
    const [ours, theirs] = (await outcomes).map((outcome) =>
      JSON.stringify({ ...outcome, reason: String((outcome as PromiseRejectedResult).reason) }),
    );
    expect(ours).toBe(theirs);
    await same((cache) => cache.peek("a", { allowStale: true }));
  });

  test.each([
    ["set", (cache: Original<string, Value>) => void cache.set("a", 5)],
    ["delete", (cache: Original<string, Value>) => void cache.delete("a")],
    ["clear", (cache: Original<string, Value>) => cache.clear()],
  ])("a %s aborts it, and nothing of it is stored", async (_, act) => {
    const { both, same, calls } = fetching();
    const asked = await both((cache) => cache.fetch("a"));
    const outcomes = Promise.allSettled(asked);
    await both(act);
    expect([calls.ours[0]?.signal.aborted, calls.theirs[0]?.signal.aborted]).toEqual([true, true]);
    await both((_cache, list) => list[0]?.resolve(9));
    const [ours, theirs] = (await outcomes).map((outcome) => String((outcome as PromiseRejectedResult).reason));
    expect(ours).toBe(theirs);
    await same((cache) => cache.get("a"));
  });

  test("the first caller's signal aborts it", async () => {
    const { both, same } = fetching();
    const abort = new AbortController();
    const asked = await both((cache) => cache.fetch("a", { signal: abort.signal }));
    const outcomes = Promise.allSettled(asked);
    abort.abort(new Error("gone"));
    await settle();
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: "rejected", reason: { message: "gone" } });
    await same((cache) => cache.has("a"));
  });

  test("without a fetchMethod it is get", async () => {
    const cache = newLru();
    cache.set("a", 1);
    expect([await cache.fetch("a"), await cache.fetch("b")]).toEqual([1, undefined]);
  });
});

describe("what is its own", () => {
  test("a value's time is the store's where nothing else is asked for", () => {
    const cache = newLru({ ttl: 60_000 });
    cache.set("a", 1).set("b", 2, { ttl: 5_000 }).set("c", 3, { ttl: 0 });
    expect(cache.getRemainingTTL("a")).toBeGreaterThan(50_000);
    expect(cache.getRemainingTTL("b")).toBeLessThanOrEqual(5_010);
    expect([cache.getRemainingTTL("c"), cache.getRemainingTTL("d")]).toEqual([Number.POSITIVE_INFINITY, 0]);
    expect([...cache.cache.entries()].sort()).toEqual([
      ["a", 1],
      ["b", 2],
      ["c", 3],
    ]);
    expect([cache.purgeStale(), cache.has("a"), cache.peek("b"), cache.find((value) => value === 3)]).toEqual([
      false,
      true,
      2,
      3,
    ]);
  });

  test("max holds, and the newest entry stays", () => {
    const cache = newLru({ max: 100 });
    for (let index = 0; index < 1_000; index++) {
      cache.set(`key-${index}`, index);
      expect(cache.get(`key-${index}`)).toBe(index);
      expect(cache.size).toBeLessThanOrEqual(100);
    }
    expect([cache.size, cache.max]).toEqual([100, 100]);
    expect(newLru().max).toBe(0);
  });

  test("its size is measured", () => {
    const cache = newLru();
    expect(cache.maxSize).toBe(16 * 2 ** 20);
    const before = cache.calculatedSize;
    for (let index = 0; index < 2_000; index++) cache.set(`key-${index}`, "x".repeat(1_000));
    expect(cache.calculatedSize - before).toBeGreaterThan(2_000_000);
    expect(String(cache)).toBe("[object LRUCache]");
  });

  test("threads, or two objects, of one name share it", () => {
    const name = uniqueName();
    const [first, second] = [newLru({ name }), newLru({ name })];
    first.set("a", 1);
    expect(second.get("a")).toBe(1);
  });

  test("what is too large is not kept, and leaves no older value", () => {
    const cache = newLru({ maxEntrySize: 1_000 });
    cache.set("a", 1);
    cache.set("a", "x".repeat(2_000));
    expect(cache.get("a")).toBeUndefined();
  });

  test("wrong keys, values and TTLs are told", () => {
    const cache = newLru<Value | (() => number)>();
    expect(thrownBy(() => cache.set("a", () => 1))).toBeInstanceOf(ValueNotCacheableError);
    expect(thrownBy(() => cache.get(5 as never))).toBeInstanceOf(InvalidKeyError);
    expect(thrownBy(() => cache.set("a", 1, { ttl: -1 }))).toBeInstanceOf(InvalidArgumentError);
  });

  test("what a call asks for that takes times kept with values is refused where they are not", async () => {
    const cache = newLru({ ttl: 1_000, fetchMethod: () => 1 });
    const calls = [
      () => cache.get("a", { allowStale: true }),
      () => cache.get("a", { updateAgeOnGet: true }),
      () => cache.peek("a", { allowStale: true }),
      () => cache.has("a", { updateAgeOnHas: true }),
      () => cache.set("a", 1, { noUpdateTTL: true }),
    ];
    for (const call of calls) expect(thrownBy(call)).toBeInstanceOf(InvalidArgumentError);
    await expect(cache.fetch("a", { allowStaleOnFetchRejection: true })).rejects.toThrow("when the cache is made");
    expect(cache.get("a", { allowStale: false })).toBeUndefined();
  });

  test("it can be closed", () => {
    const cache = newLru();
    cache[Symbol.dispose]();
    expect(thrownBy(() => cache.get("a"))).toBeInstanceOf(CacheClosedError);
  });

  test.each([
    ["maxSize", { maxSize: undefined }, "is missing"],
    ["maxMemory", { maxSize: 5 }, "allowed"],
    ["max", { max: 0 }, "allowed"],
    ["dispose", { dispose: () => 1 }, "outside of the JavaScript heap"],
    ["disposeAfter", { disposeAfter: () => 1 }, "outside of the JavaScript heap"],
    ["onInsert", { onInsert: () => 1 }, "other threads"],
    ["sizeCalculation", { sizeCalculation: () => 1 }, "give maxSize in bytes"],
    ["memoMethod", { memoMethod: () => 1 }, "getOrSet"],
    ["ignoreFetchAbort", { ignoreFetchAbort: true }, "never stored"],
    ["allowStaleOnFetchAbort", { allowStaleOnFetchAbort: true }, "rejects"],
    ["allowStale", { allowStale: 1 }, "true or false"],
    ["fetchMethod", { fetchMethod: 5 }, "a function"],
    ["perf", { perf: {} }, "now"],
    ["maxEntries", { maxEntries: 5 }, "no option"],
  ])("the option %s is refused with a reason: %j", (option, wrong, reason) => {
    const error = thrownBy(() => new LRUCache({ maxSize: "16mb", ...wrong } as never));
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error).toMatchObject({ option, message: expect.stringContaining(reason) });
  });

  test("options without effect are accepted", () => {
    expect(newLru({ ttlAutopurge: true, ttlResolution: 1, ignoreFetchAbort: false } as never).size).toBe(0);
  });
});
