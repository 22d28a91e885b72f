// The cache with a second tier, which here is memory: what is read there, written there, heard from there.
import { describe, expect, test, vi } from "vitest";
import { MemoryStore, MemoryTier } from "../../ts/testing/memory-tier.js";
import { controlled, counting, fatedCache, settle } from "../support/loading.js";

/** Two processes, as it were, on one second tier. */
function pair(options: object = {}) {
  const store = new MemoryStore();
  const [a, b] = [1, 2].map(() => fatedCache<unknown>({ l2: new MemoryTier(store), ...options })) as [
    ReturnType<typeof fatedCache<unknown>>,
    ReturnType<typeof fatedCache<unknown>>,
  ];
  store.now = () => a.fate.now;
  const wait = (ms: number): void => {
    a.fate.now += ms;
    b.fate.now += ms;
  };
  return { store, a: a.cache, b: b.cache, wait };
}

describe("reads", () => {
  test("what one process loaded the other finds in the second tier, with the life that is left", async () => {
    const { a, b, wait } = pair({ staleFor: "1m" });
    const { counter, loader } = counting();
    expect(await a.getOrLoad("key", loader, { ttl: "10s" })).toBe(1);
    await a.flush();
    wait(4_000);
    expect(await b.getOrLoad("key", loader)).toBe(1);
    expect(b.ttl("key")).toBe(6_000);
    expect(counter.calls).toBe(1);
    wait(6_000);
    // Stale: served at once, and refreshed.
    expect(await b.getOrLoad("key", loader)).toBe(1);
    await settle();
    expect([counter.calls, b.get("key")]).toEqual([2, 2]);
  });

  test("values of every kind survive the journey", async () => {
    const { a, b } = pair();
    const values = ["text", "日本", "\ud800", 0, -0, 1.5, Number.NaN, null, true, 12n, new Uint8Array([1, 2])];
    const all = [...values, { a: [1, { b: "x", again: ["x"] }] }, new Map([["k", new Date(5)]])];
    for (const [index, value] of all.entries()) {
      a.set(`key${index}`, value);
    }
    await a.flush();
    for (const [index, value] of all.entries()) {
      expect(await b.getOrLoad(`key${index}`, () => "not there")).toEqual(value);
    }
  });

  test("a value that can't be decoded is a miss, and counted", async () => {
    const { store, a, b } = pair();
    a.set("key", { a: 1 });
    await a.flush();
    const held = store.entries.get("key");
    if (!held) throw new Error("it is not there");
    store.entries.set("key", { ...held, entry: { ...held.entry, kind: 99 } });
    expect(await b.getOrLoad("key", () => "loaded")).toBe("loaded");
    expect(b.stats().loads.tierErrors).toBe(1);
  });

  test("with the tier away everything goes on, and is counted", async () => {
    const { store, a } = pair();
    const { loader } = counting();
    store.isDown = true;
    a.set("set", "value");
    expect(await a.getOrLoad("key", loader)).toBe(1);
    expect(a.get("set")).toBe("value");
    expect(await a.getOrLoad("key", loader, "1s")).toBe(1);
    await a.flush();
    expect(a.stats().loads.tierErrors).toBe(2);
  });
});

describe("coherence", () => {
  test("writes, deletes, expiries, tags, patterns and versions reach the other process", async () => {
    const { a, b } = pair();
    const both = async (key: string, options: object = {}): Promise<void> => {
      a.set(key, "old", options);
      await a.flush();
      expect(await b.getOrLoad(key, () => "loaded")).toBe("old");
    };
    await both("key");
    a.set("key", "new");
    await a.flush();
    expect(b.get("key")).toBeUndefined();
    expect(await b.getOrLoad("key", () => "loaded")).toBe("new");
    for (const [what, invalidate] of [
      ["delete", () => a.delete("delete")],
      ["expire", () => a.expire("expire")],
      ["pattern:1", () => a.deletePattern("pattern:*")],
      ["prefix:1", () => a.deletePrefix("prefix:")],
      ["tags", () => a.invalidateTags("tag")],
      ["version", () => a.bumpVersion()],
      ["clear", () => a.clear()],
    ] as const) {
      await both(what, { tags: ["tag"] });
      invalidate();
      await a.flush();
      expect([what, b.get(what)]).toEqual([what, undefined]);
      expect([what, await b.getOrLoad(what, () => "loaded")]).toEqual([what, "loaded"]);
      await b.flush();
    }
  });

  test("what depends on a key is invalidated in both processes, and is in the second tier", async () => {
    const { store, a, b } = pair();
    a.set("product", "kettle");
    await a.flush();
    const page = (cache: typeof a) =>
      cache.getOrLoad("page", async () => `page of ${await cache.getOrLoad("product", () => "none")}`, {
        dependsOn: ["product"],
      });
    expect([await page(a), await page(b)]).toEqual(["page of kettle", "page of kettle"]);
    a.set("product", "teapot");
    await a.flush();
    expect([a.get("page"), b.get("page")]).toEqual([undefined, undefined]);
    expect([await page(a), await page(b)]).toEqual(["page of teapot", "page of teapot"]);
    await Promise.all([a.flush(), b.flush()]);
    expect([...store.entries.keys()]).toEqual(["product", "page"]);
    b.set("product", "cup", { dependsOn: ["supplier"] });
    await b.flush();
    expect([a.get("page"), [...store.entries.keys()]]).toEqual([undefined, ["page"]]);
    expect(await b.getOrLoad("page", () => "not there")).toBe("not there");
  });

  test("what was read before an invalidation is not stored after it", async () => {
    const { a, b } = pair();
    a.set("key", "old");
    await a.flush();
    const reading = b.getOrLoad("key", () => "loaded");
    // The look-up is under way; the write, and the message of it, come in between.
    a.set("key", "new");
    await a.flush();
    expect(["old", "new"]).toContain(await reading);
    expect(["new", undefined]).toContain(b.get("key"));
    expect(await b.getOrLoad("key", () => "loaded")).toBe("new");
  });

  test("a load that another process's delete overtakes reaches neither tier", async () => {
    const { store, a, b } = pair({ singleFlight: "cluster" });
    const { loader, call } = controlled<string>();
    const loading = a.getOrLoad("key", loader);
    await settle();
    b.delete("key");
    await b.flush();
    call(0).resolve("old");
    expect(await loading).toBe("old");
    await a.flush();
    expect([a.get("key"), store.entries.has("key")]).toEqual([undefined, false]);
  });

  test("this process reads what it has just changed, however slow the tier is", async () => {
    const { a } = pair();
    a.set("key", "old");
    await a.flush();
    a.delete("key");
    expect(await a.getOrLoad("key", () => "loaded")).toBe("loaded");
    a.set("tagged", "old", { tags: ["tag"] });
    await a.flush();
    a.invalidateTags("tag");
    expect(await a.getOrLoad("tagged", () => "loaded")).toBe("loaded");
  });
});

describe("single flight among processes", () => {
  test("one loads, the other waits for its value", async () => {
    const { a, b } = pair({ singleFlight: "cluster" });
    const { loader, calls, call } = controlled<string>();
    const first = a.getOrLoad("key", loader);
    await settle();
    const second = b.getOrLoad("key", loader);
    await settle();
    expect(calls).toHaveLength(1);
    call(0).resolve("value");
    expect(await Promise.all([first, second])).toEqual(["value", "value"]);
    expect(calls).toHaveLength(1);
  });

  test("one that fails lets the other try", async () => {
    const { a, b } = pair({ singleFlight: { lease: "10s" } });
    const { loader, calls, call } = controlled<string>();
    const first = a.getOrLoad("key", loader);
    await settle();
    const second = b.getOrLoad("key", () => "second");
    call(0).reject(new Error("down"));
    await expect(first).rejects.toThrow("down");
    expect(await second).toBe("second");
    expect(calls).toHaveLength(1);
  });

  test("needs a second tier", () => {
    expect(() => fatedCache({ singleFlight: "cluster" })).toThrow(/no second tier/);
    expect(() => fatedCache({ l2: {} as never })).toThrow(/redisTier/);
  });
});

test("callers may wait until the second tier has what they loaded", async () => {
  const { store, a } = pair({ l2Write: "await" });
  expect(await a.getOrLoad("key", () => "value")).toBe("value");
  expect(store.entries.has("key")).toBe(true);
});

test("keys that only this process reads are touched in the second tier", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const touched: (readonly string[])[] = [];
  const tier = new MemoryTier(new MemoryStore());
  tier.touch = async (keys) => {
    touched.push(keys);
  };
  const { cache } = fatedCache<string>({ l2: tier });
  cache.set("hot", "value");
  for (let i = 0; i < 1_000; i++) cache.get("hot");
  vi.advanceTimersByTime(500);
  expect(touched).toEqual([["hot"]]);
  vi.advanceTimersByTime(5_000);
  expect(touched).toHaveLength(1);
  vi.useRealTimers();
});

test("keys that no other process could tell apart stay in this one", async () => {
  const { store, a } = pair();
  a.set("\ud800", "lone");
  await a.store("\udc00", "other");
  expect(await a.getOrLoad("\udfff", () => "loaded")).toBe("loaded");
  a.set("\ud83d\ude00", "pair");
  a.expire("\ud800");
  a.delete("\udc00");
  await a.flush();
  expect([...store.entries.keys()]).toEqual(["\ud83d\ude00"]);
});

describe("store and remove", () => {
  test("resolve when the second tier has the change, and the other process has heard of it", async () => {
    const { store, a, b } = pair();
    a.set("key", "old");
    await a.flush();
    expect(await b.getOrLoad("key", () => "loaded")).toBe("old");
    await a.store("key", "new", { ttl: "10s", tags: ["tag"] });
    expect([store.entries.has("key"), a.get("key"), b.get("key")]).toEqual([true, "new", undefined]);
    expect(a.ttl("key")).toBe(10_000);
    expect(await a.remove("key")).toBe(true);
    expect([store.entries.has("key"), a.get("key")]).toEqual([false, undefined]);
    await a.store("key", "never", 0);
    expect([store.entries.has("key"), a.get("key")]).toEqual([false, undefined]);
  });

  test("reject if the tier can't, and then this process has nothing", async () => {
    const { store, a } = pair();
    a.set("key", "old");
    await a.flush();
    store.isDown = true;
    await expect(a.store("key", "new")).rejects.toMatchObject({ code: "ERR_TIER", operation: "set" });
    expect(a.get("key")).toBeUndefined();
    await expect(a.remove("key")).rejects.toMatchObject({ code: "ERR_TIER", operation: "delete" });
    store.isDown = false;
    expect(await a.getOrLoad("key", () => "loaded")).toBe("old");
  });

  test("loads wait for them, and a load that was under way is not stored", async () => {
    const { a } = pair();
    const { loader, calls, call } = controlled<string>();
    const early = a.getOrLoad("key", loader);
    await settle();
    const storing = a.store("key", "new");
    const late = a.getOrLoad("key", loader);
    call(0).resolve("old");
    expect(await early).toBe("old");
    await storing;
    expect([await late, a.get("key"), calls.length]).toEqual(["new", "new", 1]);
  });

  test("without a second tier they are set and delete", async () => {
    const { cache } = fatedCache<string>();
    await cache.store("key", "value");
    expect(cache.get("key")).toBe("value");
    expect([await cache.remove("key"), await cache.remove("key")]).toEqual([true, false]);
  });
});

describe("a load that waits for a change of its key", () => {
  /** A tier whose deletes take as long as the test says. */
  class SlowTier extends MemoryTier {
    readonly deleting: (() => void)[] = [];

    override async delete(keys: readonly string[]): Promise<void> {
      await new Promise<void>((resolve) => this.deleting.push(resolve));
      await super.delete(keys);
    }
  }

  test("goes on after it, also when an older load of the key, which waited before, ends meanwhile", async () => {
    const tier = new SlowTier(new MemoryStore());
    const { cache } = fatedCache<unknown>({ l2: tier });
    const { loader, calls, call } = controlled<string>();
    const removals = [cache.remove("key")];
    const older = cache.getOrLoad("key", loader);
    await settle();
    tier.deleting.shift()?.();
    await settle();
    expect(calls).toHaveLength(1);
    removals.push(cache.remove("key"));
    const newer = cache.getOrLoad("key", loader);
    await settle();
    call(0).resolve("old");
    expect(await older).toBe("old");
    tier.deleting.shift()?.();
    await Promise.all(removals);
    await vi.waitFor(() => expect(calls).toHaveLength(2));
    call(1).resolve("new");
    expect(await newer).toBe("new");
  });
});
