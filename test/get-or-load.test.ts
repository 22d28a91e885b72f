// getOrLoad: one load per key at a time; whoever aborts leaves alone; an older load never overwrites what is newer.
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { CacheClosedError } from "../ts/index.js";
import { newCache, uniqueName } from "./support/caches.js";
import { controlled } from "./support/loading.js";

describe("loading", () => {
  test("a value that is there is not loaded; one that is not is loaded and stored", async () => {
    const cache = newCache<string>();
    cache.set("there", "old");
    expect(await cache.getOrLoad("there", () => "new")).toBe("old");
    expect(await cache.getOrLoad("missing", async (key) => `loaded ${key}`, { ttl: "5m", jitter: 0 })).toBe(
      "loaded missing",
    );
    expect(cache.get("missing")).toBe("loaded missing");
    expect(cache.ttl("missing")).toBeGreaterThan(290_000);
    expect(cache.getOrSet("missing", () => "again", 5)).toBe("loaded missing");
  });

  test("callers of one key share one load, callers of others don't wait for it", async () => {
    const cache = newCache<{ n: number }>();
    const { loader, calls, call } = controlled<{ n: number }>();
    const waiting = Array.from({ length: 50 }, () => cache.getOrLoad("key", loader));
    expect(await cache.getOrLoad("other", () => ({ n: 2 }))).toEqual({ n: 2 });
    call(0).resolve({ n: 1 });
    for (const value of await Promise.all(waiting)) expect(value).toEqual({ n: 1 });
    expect(calls).toHaveLength(1);
    expect(await cache.getOrLoad("key", loader)).toEqual({ n: 1 });
    expect(calls).toHaveLength(1);
  });

  test("two handles of one named store in this thread share the load", async () => {
    const name = uniqueName();
    const [first, second] = [newCache<number>({ name }), newCache<number>({ name })];
    const { loader, calls, call } = controlled<number>();
    const waiting = [first.getOrLoad("key", loader), second.getOrLoad("key", loader)];
    call(0).resolve(7);
    expect(await Promise.all(waiting)).toEqual([7, 7]);
    expect(calls).toHaveLength(1);
  });

  test("null is cached, undefined is passed on and is not", async () => {
    const cache = newCache<number | null>();
    let calls = 0;
    const load = (value: number | null | undefined) => () => {
      calls += 1;
      return value;
    };
    expect(await cache.getOrLoad("null", load(null))).toBeNull();
    expect(await cache.getOrLoad("null", load(1))).toBeNull();
    expect(calls).toBe(1);
    expect(await cache.getOrLoad("undefined", load(undefined))).toBeUndefined();
    expect(cache.has("undefined")).toBe(false);
    expect(await cache.getOrLoad("undefined", load(2))).toBe(2);
  });

  test("callers get what readers get: frozen and shared, or a copy each", async () => {
    const loaded = { list: [1] };
    const frozen = newCache<{ list: number[] }>();
    const [a, b] = await Promise.all([1, 2].map(() => frozen.getOrLoad("key", async () => loaded)));
    expect(Object.isFrozen(a) && Object.isFrozen(a?.list)).toBe(true);
    expect(a).toBe(b);
    expect(Object.isFrozen(loaded)).toBe(false);

    const copies = newCache<{ list: number[] }>({ values: "copy" });
    const [c, d] = await Promise.all([1, 2].map(() => copies.getOrLoad("key", async () => loaded)));
    c?.list.push(2);
    expect([d, copies.get("key"), loaded]).toEqual([{ list: [1] }, { list: [1] }, { list: [1] }]);

    const dates = newCache<Date>();
    const [e, f] = await Promise.all([1, 2].map(() => dates.getOrLoad("key", async () => new Date(5))));
    expect(e).not.toBe(f);
    expect(e).toEqual(f);
  });

  test("a promise-like that is no Promise will do", async () => {
    // biome-ignore lint/suspicious/noThenProperty: that is what it is about.
    const thenable = { then: (resolve: (value: number) => void) => resolve(5) };
    expect(await newCache<number>().getOrLoad("key", () => thenable as PromiseLike<number>)).toBe(5);
  });

  test("ttl 0 loads for the callers that wait and stores nothing", async () => {
    const cache = newCache<number>();
    expect(await cache.getOrLoad("key", () => 1, { ttl: 0 })).toBe(1);
    expect(cache.has("key")).toBe(false);
  });
});

describe("loads that fail", () => {
  test.each([
    [
      "throws",
      () => {
        throw new Error("no database");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no database"))],
  ])("a loader that %s fails every caller that waits, and the next call loads again", async (_, loader) => {
    const cache = newCache<number>();
    const results = await Promise.allSettled([cache.getOrLoad("key", loader), cache.getOrLoad("key", loader)]);
    for (const result of results)
      expect(result).toMatchObject({ status: "rejected", reason: { message: "no database" } });
    expect(await cache.getOrLoad("key", () => 1)).toBe(1);
  });

  test("what can't be cached rejects; what is too large is passed on and not stored", async () => {
    const cache = newCache<unknown>({ maxValueSize: 1_000 });
    await expect(cache.getOrLoad("key", () => ({ f: () => 1 }))).rejects.toMatchObject({
      code: "ERR_VALUE_NOT_CACHEABLE",
      path: "value.f",
    });
    const large = { text: "x".repeat(2_000) };
    const loaded = (await cache.getOrLoad("key", () => large)) as typeof large;
    expect(loaded).toEqual(large);
    expect(Object.isFrozen(loaded)).toBe(true);
    expect(await cache.getOrLoad("text", () => "y".repeat(2_000))).toHaveLength(2_000);
    expect(cache.size).toBe(0);
  });

  test("a loader that is no function, and a signal that is none, reject", async () => {
    const cache = newCache<number>();
    await expect(cache.getOrLoad("key", 5 as never)).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
    await expect(cache.getOrLoad("key", () => 1, { signal: {} } as never)).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
    });
    await expect(cache.getOrLoad("key", () => 1, { timeout: 1 } as never)).rejects.toMatchObject({
      code: "ERR_INVALID_ARGUMENT",
    });
  });
});

describe("aborting", () => {
  test("rejects only the caller that aborts", async () => {
    const cache = newCache<number>();
    const { loader, call } = controlled<number>();
    const abort = new AbortController();
    const impatient = cache.getOrLoad("key", loader, { signal: abort.signal });
    const patient = cache.getOrLoad("key", loader);
    abort.abort(new Error("too slow"));
    await expect(impatient).rejects.toThrow("too slow");
    expect(call(0).signal.aborted).toBe(false);
    call(0).resolve(1);
    expect(await patient).toBe(1);
    expect(cache.get("key")).toBe(1);
  });

  test("by the last caller aborts the loader; its late result is not stored, and a new load can start", async () => {
    const cache = newCache<number>();
    const { loader, calls, call } = controlled<number>();
    const aborts = [new AbortController(), new AbortController()];
    const waiting = aborts.map(({ signal }) => cache.getOrLoad("key", loader, { signal }));
    for (const abort of aborts) abort.abort(new Error("gone"));
    for (const wait of waiting) await expect(wait).rejects.toThrow("gone");
    expect(call(0).signal.aborted).toBe(true);
    expect(call(0).signal.reason).toMatchObject({ message: "gone" });
    const next = cache.getOrLoad("key", loader);
    expect(calls).toHaveLength(2);
    call(0).resolve(1);
    call(1).resolve(2);
    expect(await next).toBe(2);
    expect(cache.get("key")).toBe(2);
  });

  test("ends the wait for a loader that never settles", async () => {
    const cache = newCache<number>();
    const wait = cache.getOrLoad("key", () => new Promise<number>(() => {}), { signal: AbortSignal.timeout(20) });
    await expect(wait).rejects.toMatchObject({ name: "TimeoutError" });
  });

  test("a loader that rejects because it was aborted leaves no unhandled rejection", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown): unknown => unhandled.push(reason);
    process.on("unhandledRejection", note);
    const cache = newCache<number>();
    const abort = new AbortController();
    const wait = cache.getOrLoad(
      "key",
      (_, { signal }) =>
        new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      { signal: abort.signal },
    );
    abort.abort(new Error("gone"));
    await expect(wait).rejects.toThrow("gone");
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    expect(unhandled).toEqual([]);
  });

  test("with a signal that is aborted already, nothing is loaded", async () => {
    const cache = newCache<number>();
    const { loader, calls } = controlled<number>();
    await expect(cache.getOrLoad("key", loader, { signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
    expect(calls).toHaveLength(0);
  });

  test("leaves no listener on the caller's signal when the load is done", async () => {
    const cache = newCache<number>();
    const { signal } = new AbortController();
    await cache.getOrLoad("other", async () => 0, { signal });
    const listeners = () => getEventListeners(signal, "abort").length;
    const load = cache.getOrLoad("key", async () => 1, { signal });
    expect(listeners()).toBe(1);
    await load;
    expect(listeners()).toBe(0);
  });
});

describe("while a load is under way", () => {
  const CHANGES: [string, (cache: ReturnType<typeof newCache<string>>) => void, string | undefined][] = [
    ["set", (cache) => cache.set("key", "newer"), "newer"],
    ["setMany", (cache) => cache.setMany([["key", "newer"]]), "newer"],
    ["delete", (cache) => void cache.delete("key"), undefined],
    ["deleteMany", (cache) => void cache.deleteMany(["key"]), undefined],
    ["deletePrefix", (cache) => void cache.deletePrefix("k"), undefined],
    ["clear", (cache) => cache.clear(), undefined],
  ];

  test.each(CHANGES)("a %s is newer than what is loaded", async (_, change, after) => {
    const cache = newCache<string>();
    const { loader, calls, call } = controlled<string>();
    const old = cache.getOrLoad("key", loader);
    change(cache);
    call(0).resolve("older");
    expect(await old).toBe("older");
    expect(cache.get("key")).toBe(after);
    if (after === undefined) {
      const fresh = cache.getOrLoad("key", loader);
      expect(calls).toHaveLength(2);
      call(1).resolve("fresh");
      expect(await fresh).toBe("fresh");
      expect(cache.get("key")).toBe("fresh");
    }
  });

  test("a call after a delete starts a new load, and the older result does not overwrite the newer", async () => {
    const cache = newCache<string>();
    const { loader, call } = controlled<string>();
    const old = cache.getOrLoad("key", loader);
    cache.delete("key");
    const fresh = cache.getOrLoad("key", loader);
    call(1).resolve("fresh");
    expect(await fresh).toBe("fresh");
    call(0).resolve("old");
    expect(await old).toBe("old");
    expect(cache.get("key")).toBe("fresh");
  });

  test("what another handle stores is newer too", async () => {
    const name = uniqueName();
    const [first, second] = [newCache<string>({ name }), newCache<string>({ name })];
    const { loader, call } = controlled<string>();
    const load = first.getOrLoad("key", loader);
    second.set("key", "newer");
    call(0).resolve("older");
    expect(await load).toBe("older");
    expect(first.get("key")).toBe("newer");
  });

  test("changes of other keys don't matter", async () => {
    const cache = newCache<string>();
    const { loader, call } = controlled<string>();
    const load = cache.getOrLoad("key", loader);
    cache.set("key2", "x");
    cache.delete("ke");
    cache.deletePrefix("key2");
    call(0).resolve("loaded");
    await load;
    expect(cache.get("key")).toBe("loaded");
  });

  test("close rejects those who wait and aborts the loader, superseded loads included", async () => {
    const cache = newCache<string>();
    const { loader, call } = controlled<string>();
    const loads = [cache.getOrLoad("a", loader), cache.getOrLoad("b", loader)];
    cache.delete("b");
    cache.close();
    for (const load of loads) await expect(load).rejects.toBeInstanceOf(CacheClosedError);
    expect(call(0).signal.aborted && call(1).signal.aborted).toBe(true);
    call(0).resolve("late");
  });

  test("closing one of two handles leaves the other's callers waiting", async () => {
    const name = uniqueName();
    const [first, second] = [newCache<number>({ name }), newCache<number>({ name })];
    const { loader, call } = controlled<number>();
    const [a, b] = [first.getOrLoad("key", loader), second.getOrLoad("key", loader)];
    first.close();
    await expect(a).rejects.toBeInstanceOf(CacheClosedError);
    call(0).resolve(1);
    expect(await b).toBe(1);
    expect(second.get("key")).toBe(1);
  });
});
