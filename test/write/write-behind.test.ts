// Write-behind: batched, in order per key, bounded; what the origin does not get is handed over.
import { afterEach, describe, expect, test } from "vitest";
import {
  type Cache,
  CacheClosedError,
  InvalidOptionError,
  ValueNotCacheableError,
  type WriteBatchContext,
  WriteBehind,
  type WriteBehindOptions,
  WriteFailedError,
  type WriteItem,
} from "../../ts/index.js";
import { newCache, thrownBy } from "../support/caches.js";
import { ManualClock, settle } from "../support/clock.js";
import { ControlledOrigin } from "../support/origin.js";
import { pick, seeded } from "../support/random.js";

type Items = readonly WriteItem<unknown>[];
type Behind = WriteBehind<unknown>;

const open: { behind: Behind; clock: ManualClock }[] = [];

afterEach(async () => {
  for (const { behind, clock } of open.splice(0)) {
    const closed = behind.close({ timeout: 0 });
    await clock.advance(10_000);
    await closed;
  }
});

/** A write-behind on a clock that stands, with an origin that the test answers for. */
function set(options: Partial<WriteBehindOptions<unknown>> = {}, cache: Cache<unknown> = newCache()) {
  const clock = new ManualClock();
  const origin = new ControlledOrigin<[Items, WriteBatchContext]>();
  const failed: { items: Items; error: unknown }[] = [];
  const behind = new WriteBehind(cache, {
    to: origin.write,
    onWriteFailed: (items, error) => failed.push({ items, error }),
    clock,
    random: () => 1 - Number.EPSILON,
    ...options,
  });
  open.push({ behind, clock });
  const batch = (index: number) => origin.call(index).arguments[0].map(({ key, value }) => `${key}=${value}`);
  return { cache, clock, origin, failed, behind, batch };
}

/** Whether a promise has been resolved, without waiting for it. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(
    () => (settled = true),
    () => (settled = true),
  );
  await settle();
  return settled;
}

describe("writing", () => {
  test("is seen by readers at once, and by the origin after the delay, in one batch", async () => {
    const { cache, clock, behind, origin, batch } = set({ delay: 50 });
    await behind.write("a", 1, { ttl: "1h" });
    await behind.write("b", 2);
    expect([cache.get("a"), cache.get("b"), cache.ttl("a")]).toEqual([1, 2, expect.any(Number)]);
    expect(cache.ttl("a")).toBeGreaterThan(3_000_000);
    await clock.advance(49);
    expect(origin.calls).toHaveLength(0);
    await clock.advance(1);
    expect(batch(0)).toEqual(["a=1", "b=2"]);
    origin.call(0).resolve();
    await settle();
    expect(behind.stats()).toMatchObject({ pending: 0, delivered: 2, coalesced: 0 });
  });

  test("many keys does not wait for the delay once a batch is full", async () => {
    const { behind, origin, batch } = set({ batchSize: 2 });
    for (const key of ["a", "b", "c"]) await behind.write(key, 1);
    expect(batch(0)).toEqual(["a=1", "b=1"]);
    origin.call(0).resolve();
    await settle();
    expect(origin.calls).toHaveLength(1);
  });

  test("one key again replaces what waits, and keeps its place", async () => {
    const { cache, clock, behind, batch } = set();
    for (const [key, value] of [
      ["a", 1],
      ["b", 1],
      ["a", 2],
      ["a", 3],
    ] as const)
      await behind.write(key, value);
    expect(cache.get("a")).toBe(3);
    await clock.advance(50);
    expect(batch(0)).toEqual(["a=3", "b=1"]);
    expect(behind.stats().coalesced).toBe(2);
  });

  test("a key that is on its way waits until that has arrived", async () => {
    const { clock, behind, origin, batch } = set();
    await behind.write("a", 1);
    await clock.advance(50);
    await behind.write("a", 2);
    await clock.advance(1_000);
    expect(origin.calls).toHaveLength(1);
    origin.call(0).resolve();
    await clock.advance(50);
    expect(batch(1)).toEqual(["a=2"]);
  });

  test("tells loaders what the origin does not have yet, also when the entry is gone", async () => {
    const { cache, clock, behind, origin } = set();
    await behind.write("a", "new");
    cache.delete("a");
    const load = () => cache.getOrLoad("a", (key) => behind.pending(key) ?? "old");
    expect(await load()).toBe("new");
    await clock.advance(50);
    expect(behind.pending("a")).toBe("new");
    cache.set("a", "old, from a loader that did not ask");
    origin.call(0).resolve();
    await settle();
    expect(behind.pending("a")).toBeUndefined();
    expect(cache.get("a")).toBe("new");
  });

  test("what can't be cached rejects and is not written; what is too large is written and not cached", async () => {
    const { cache, clock, behind, batch } = set({}, newCache({ maxValueSize: 1_000 }));
    await behind.write("a", 1);
    await expect(behind.write("a", () => 1)).rejects.toBeInstanceOf(ValueNotCacheableError);
    cache.set("b", "old");
    await behind.write("b", "x".repeat(2_000));
    expect([cache.get("a"), cache.get("b")]).toEqual([1, undefined]);
    await clock.advance(50);
    expect(batch(0)).toEqual(["a=1", `b=${"x".repeat(2_000)}`]);
  });
});

describe("a full queue", () => {
  test("makes writers wait, in their order, and lets them in when there is room", async () => {
    const { cache, behind, origin, batch } = set({ maxPending: 2, batchSize: 2 });
    await behind.write("a", 1);
    await behind.write("b", 1);
    const [c, d, again] = [behind.write("c", 1), behind.write("d", 1), behind.write("c", 2)];
    expect(await isSettled(c)).toBe(false);
    expect(behind.stats()).toMatchObject({ pending: 2, waiting: 2 });
    expect([cache.has("c"), behind.pending("c")]).toEqual([false, 2]);
    origin.call(0).resolve();
    await Promise.all([c, d, again]);
    expect(batch(1)).toEqual(["c=2", "d=1"]);
    expect(cache.get("c")).toBe(2);
  });

  test("takes what needs no more room", async () => {
    const { behind, clock } = set({ maxPending: 1, batchSize: 2 });
    await behind.write("a", 1);
    await behind.write("a", 2);
    const b = behind.write("b", 1);
    await behind.write("a", 3);
    expect(await isSettled(b)).toBe(false);
    expect(behind.pending("a")).toBe(3);
    await clock.advance(50);
  });

  test("rejects a writer that waited with a value that can't be cached", async () => {
    const { behind, clock, origin } = set({ maxPending: 1 });
    await behind.write("a", 1);
    const wrong = behind.write("b", () => 1);
    const right = behind.write("c", 1);
    await clock.advance(50);
    origin.call(0).resolve();
    await expect(wrong).rejects.toBeInstanceOf(ValueNotCacheableError);
    await right;
  });
});

describe("an origin that fails", () => {
  test("is tried again, each wait twice as long up to a limit, with chance in it", async () => {
    const chance = [0, 1 - Number.EPSILON, 0.5, 0];
    const { clock, behind, origin, batch } = set({
      retries: 4,
      minBackoff: 100,
      maxBackoff: 300,
      random: () => chance.shift() ?? 0,
    });
    await behind.write("a", 1);
    await clock.advance(50);
    for (const [index, wait] of [50, 200, 225, 150].entries()) {
      expect(origin.calls).toHaveLength(index + 1);
      origin.call(index).reject(new Error("no"));
      await settle();
      await clock.advance(wait - 1);
      expect(origin.calls).toHaveLength(index + 1);
      await clock.advance(1);
    }
    expect(batch(4)).toEqual(["a=1"]);
    expect(origin.call(4).arguments[1].attempt).toBe(5);
    origin.call(4).resolve();
    await settle();
    expect(behind.stats()).toMatchObject({ delivered: 1, retries: 4, failed: 0 });
  });

  test("gets the newest value of each key when it is tried again", async () => {
    const { clock, behind, origin, batch } = set({ minBackoff: 100 });
    await behind.write("a", 1);
    await behind.write("b", 1);
    await clock.advance(50);
    origin.call(0).reject(new Error("no"));
    await behind.write("a", 2);
    await clock.advance(100);
    expect(batch(1)).toEqual(["a=2", "b=1"]);
    expect(behind.stats()).toMatchObject({ coalesced: 1, pending: 2 });
  });

  test("to the last gets each item on its own; those it refuses are handed over and deleted from the cache", async () => {
    const refuse = (items: Items) => {
      if (items.some(({ key }) => key === "poison")) throw new Error("refused");
    };
    const { cache, clock, behind, failed } = set({ to: refuse, retries: 1 });
    for (const key of ["a", "poison", "b"]) await behind.write(key, 1);
    await clock.advance(10_000);
    expect(failed).toEqual([
      { items: [{ key: "poison", value: 1 }], error: expect.objectContaining({ message: "refused" }) },
    ]);
    expect([cache.get("a"), cache.get("poison"), cache.get("b")]).toEqual([1, undefined, 1]);
    expect(behind.stats()).toMatchObject({ delivered: 2, failed: 1, pending: 0 });
  });

  test("does not cost the newer value its place in the cache", async () => {
    const { cache, clock, behind, origin, failed } = set({ retries: 0 });
    await behind.write("a", 1);
    await clock.advance(50);
    await behind.write("a", 2);
    origin.call(0).reject(new Error("no"));
    await settle();
    expect([failed[0]?.items, cache.get("a"), behind.pending("a")]).toEqual([[{ key: "a", value: 1 }], 2, 2]);
  });

  test("by never answering runs into the time-out", async () => {
    const { clock, behind, origin, failed } = set({ retries: 0, timeout: "1s" });
    await behind.write("a", 1);
    await clock.advance(50);
    await clock.advance(1_000);
    expect(origin.call(0).arguments[1].signal.aborted).toBe(true);
    expect(failed[0]?.error).toMatchObject({ message: "The origin took longer than 1000 ms." });
  });

  test("and whose failures nobody takes leaves a warning", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): unknown => warnings.push(warning);
    process.on("warning", note);
    for (const onWriteFailed of [
      () => {
        throw new Error("disk full");
      },
      () => Promise.reject(new Error("disk full")),
    ]) {
      const { clock, behind, origin } = set({ retries: 0, onWriteFailed });
      await behind.write("a", 1);
      await clock.advance(50);
      origin.call(0).reject(new Error("no"));
      await settle();
    }
    await settle();
    process.off("warning", note);
    expect(warnings.map(({ message }) => message)).toEqual(Array(2).fill(expect.stringContaining("disk full")));
  });
});

describe("flush and close", () => {
  test("flush delivers at once, and waits for what was written before it", async () => {
    const { behind, origin } = set();
    await behind.flush();
    await behind.write("a", 1);
    const flushed = behind.flush();
    await behind.write("b", 1);
    await settle();
    origin.call(0).resolve();
    await flushed;
    expect(behind.stats().delivered).toBe(1);
  });

  test("close delivers everything, those included who wait for room, and then refuses", async () => {
    const { behind, origin, failed } = set({ maxPending: 1 });
    await behind.write("a", 1);
    const waits = behind.write("b", 1);
    const closed = behind.close();
    await expect(behind.write("c", 1)).rejects.toBeInstanceOf(CacheClosedError);
    await settle();
    origin.call(0).resolve();
    await settle();
    origin.call(1).resolve();
    await Promise.all([waits, closed, behind.close()]);
    expect([behind.stats().delivered, failed]).toEqual([2, []]);
  });

  test("close hands over what is left when its time is up, and rejects those who wait", async () => {
    const { cache, clock, behind, origin, failed } = set({ maxPending: 2, batchSize: 1 });
    await behind.write("a", 1);
    await behind.write("b", 1);
    const waits = behind.write("c", 1);
    const closed = behind.close({ timeout: "2s" });
    const rejected = expect(waits).rejects.toBeInstanceOf(WriteFailedError);
    await clock.advance(2_000);
    await Promise.all([closed, rejected]);
    expect(failed.flatMap(({ items }) => items)).toEqual([
      { key: "a", value: 1 },
      { key: "b", value: 1 },
    ]);
    expect(failed[0]?.error).toMatchObject({ code: "ERR_WRITE_FAILED", message: expect.stringContaining("deadline") });
    expect(origin.call(0).arguments[1].signal.aborted).toBe(true);
    expect([cache.get("a"), cache.get("b"), behind.stats().pending, clock.next]).toEqual([
      undefined,
      undefined,
      0,
      undefined,
    ]);
  });

  test("close is quick when nothing waits, and leaves no timer and no listener", async () => {
    const { clock, behind } = set();
    await behind[Symbol.asyncDispose]();
    expect(clock.next).toBeUndefined();
    expect(process.listeners("beforeExit").map(({ name }) => name)).not.toContain("drainAll");
  });

  test("works on when the cache is closed", async () => {
    const { cache, clock, behind, origin } = set();
    await behind.write("a", 1);
    cache.close();
    await clock.advance(50);
    origin.call(0).resolve();
    await settle();
    expect(behind.stats()).toMatchObject({ delivered: 1, pending: 0 });
    await expect(behind.write("b", 1)).rejects.toBeInstanceOf(CacheClosedError);
  });
});

test("whatever fails and whenever: each key ends with its last value, in order, or is handed over", async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = seeded(seed);
    const stored = new Map<string, number>();
    const lost = new Map<string, number>();
    const cache = newCache<unknown>();
    const clock = new ManualClock();
    const behind = new WriteBehind<unknown>(cache, {
      to: async (items) => {
        await new Promise<void>((resolve) => clock.setTimeout(resolve, Math.floor(random() * 40)));
        if (random() < 0.4) throw new Error("no");
        for (const { key, value } of items) {
          expect(value as number).toBeGreaterThan(stored.get(key) ?? 0);
          stored.set(key, value as number);
        }
      },
      onWriteFailed: (items) => {
        for (const { key, value } of items) lost.set(key, value as number);
      },
      ...{ clock, random, maxPending: 5, batchSize: 3, delay: 10, retries: 2, minBackoff: 5 },
    });
    const last = new Map<string, number>();
    const writes: Promise<void>[] = [];
    for (let value = 1; value <= 200; value++) {
      const key = pick(random, ["a", "b", "c", "d", "e", "f", "g", "h"]);
      last.set(key, value);
      writes.push(behind.write(key, value));
      if (random() < 0.3) await clock.advance(Math.floor(random() * 30));
    }
    const closed = behind.close({ timeout: "10m" });
    await clock.advance(600_000);
    await Promise.all([...writes, closed]);
    for (const [key, value] of last) {
      expect(Math.max(stored.get(key) ?? 0, lost.get(key) ?? 0)).toBe(value);
      expect(cache.get(key)).toBe(stored.get(key) === value ? value : undefined);
    }
    const { delivered, coalesced, failed } = behind.stats();
    expect(delivered + coalesced + failed).toBe(200);
  }
});

test.each([
  ["to", { to: undefined }],
  ["to", { to: 5 }],
  ["onWriteFailed", { onWriteFailed: undefined }],
  ["maxPending", { maxPending: 0 }],
  ["batchSize", { batchSize: 1.5 }],
  ["delay", { delay: "soon" }],
  ["retries", { retries: -1 }],
  ["maxBackoff", { minBackoff: "1m", maxBackoff: "1s" }],
  ["timeout", { timeout: 0 }],
  ["random", { random: 5 }],
  ["max", { max: 5 }],
])("the option %s is checked: %j", (option, wrong) => {
  const error = thrownBy(() => new WriteBehind(newCache(), { to: () => 1, onWriteFailed: () => 1, ...wrong } as never));
  expect(error).toBeInstanceOf(InvalidOptionError);
  expect(error).toMatchObject({ option });
});
