/**
 * What every second tier has to keep to, as checks for any test runner:
 *
 * ```ts
 * import { tierChecks } from "nearcache/testing";
 * for (const { name, run } of tierChecks) test(name, () => run(makeTiers));
 * ```
 */
import assert from "node:assert/strict";
import type { Tier, TierEntry, TierHost } from "../tier.js";

/** Two tiers that two processes might have, on one store that is empty. */
export interface TiersUnderTest {
  /** One process's. */
  readonly first: Tier;
  /** The other's. */
  readonly second: Tier;
  /** Lets the store's clock go on by so many milliseconds, by waiting if there is no other way. */
  wait(ms: number): Promise<void>;
  /** Ends what was started for the check. */
  end(): Promise<void>;
}

/** One check: rejects with what is wrong. */
export interface TierCheck {
  /** What it shows, for the test's title. */
  readonly name: string;
  /** Runs it on tiers that `make` makes for it alone. */
  run(make: () => Promise<TiersUnderTest>): Promise<void>;
}

/** What a tier has told its cache. */
class Listener implements TierHost {
  readonly keys: string[] = [];
  readonly tags: string[] = [];
  all = 0;
  #heard: () => void = () => {};

  invalidate(keys: readonly string[]): void {
    this.keys.push(...keys);
    this.#heard();
  }

  invalidateTags(tags: readonly string[]): void {
    this.tags.push(...tags);
    this.#heard();
  }

  invalidateAll(): void {
    this.all++;
    this.#heard();
  }

  report(): void {
    // Of no matter here.
  }

  /** Waits until it holds; the check's own time limit is the runner's. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }

  /** Whether it has been told that this key may have changed. */
  hasHeardOf(key: string): boolean {
    return this.all > 0 || this.keys.includes(key);
  }
}

interface Scene {
  readonly first: Tier;
  readonly second: Tier;
  /** What `second` was told. */
  readonly heard: Listener;
  wait(ms: number): Promise<void>;
}

const NO_LEASE = { leaseMs: 0 };
const LIFE_MS = 60_000;

function entryOf(text: string, more: Partial<TierEntry> = {}): TierEntry {
  const bytes = Buffer.from(text);
  return { kind: 1, bytes, freshMs: LIFE_MS, liveMs: LIFE_MS, loadMs: 12.5, tags: [], ...more };
}

async function textIn(tier: Tier, key: string): Promise<string | undefined> {
  const { entry } = await tier.get(key, NO_LEASE);
  return entry === undefined ? undefined : Buffer.from(entry.bytes).toString();
}

function check(name: string, body: (scene: Scene) => Promise<void>): TierCheck {
  const run = async (make: () => Promise<TiersUnderTest>): Promise<void> => {
    const tiers = await make();
    const heard = new Listener();
    try {
      tiers.first.attach(new Listener());
      tiers.second.attach(heard);
      await body({ first: tiers.first, second: tiers.second, heard, wait: (ms) => tiers.wait(ms) });
    } finally {
      await Promise.all([tiers.first.close(), tiers.second.close()]);
      await tiers.end();
    }
  };
  return { name, run };
}

/** See the file's head. Each needs less than a few seconds. */
export const tierChecks: readonly TierCheck[] = [
  check("what one stores the other finds, with all that belongs to it", async ({ first, second }) => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 7) & 255);
    const more = { bytes, kind: 9, tags: ["a", "日本"], etag: '"x"', lastModified: "yesterday", liveMs: 2 * LIFE_MS };
    assert.equal(await first.set("key: 日本 *", entryOf("", more), {}), true);
    const { entry, lease, isHeld } = await second.get("key: 日本 *", NO_LEASE);
    assert.ok(entry !== undefined && lease === undefined && !isHeld);
    assert.deepEqual(Buffer.from(entry.bytes), Buffer.from(bytes));
    assert.deepEqual([entry.kind, entry.tags, entry.etag, entry.lastModified], [9, ["a", "日本"], '"x"', "yesterday"]);
    assert.ok(entry.freshMs > LIFE_MS - 10_000 && entry.freshMs <= LIFE_MS);
    assert.ok(entry.liveMs > 2 * LIFE_MS - 10_000 && entry.liveMs <= 2 * LIFE_MS);
    assert.ok(Math.abs(entry.loadMs - 12.5) < 1);
  }),
  check("empty values, and values that never end", async ({ first, second }) => {
    const never = { freshMs: Number.POSITIVE_INFINITY, liveMs: Number.POSITIVE_INFINITY };
    await first.set("empty", entryOf("", never), {});
    const { entry } = await second.get("empty", NO_LEASE);
    assert.equal(entry?.bytes.byteLength, 0);
    assert.equal(entry?.freshMs, Number.POSITIVE_INFINITY);
  }),
  check("what is not there is not there", async ({ first }) => {
    const { entry, lease, isHeld } = await first.get("nothing", NO_LEASE);
    assert.deepEqual([entry, lease, isHeld], [undefined, undefined, false]);
  }),
  check("an entry is fresh, then stale, then gone", async ({ first, second, wait }) => {
    await first.set("key", entryOf("value", { freshMs: 100, liveMs: 30_000 }), {});
    await wait(150);
    const { entry } = await second.get("key", NO_LEASE);
    assert.ok(entry !== undefined && entry.freshMs === 0 && entry.liveMs > 0);
    await first.set("short", entryOf("value", { freshMs: 50, liveMs: 100 }), {});
    await wait(150);
    assert.equal(await textIn(second, "short"), undefined);
  }),
  check("deletes and overwrites count, and the other process is told", async ({ first, second, heard }) => {
    await first.set("a", entryOf("old"), {});
    await first.set("a", entryOf("new"), {});
    await first.set("b", entryOf("old"), {});
    assert.equal(await textIn(second, "a"), "new");
    await first.delete(["b"]);
    assert.equal(await textIn(second, "b"), undefined);
    await heard.until(() => heard.hasHeardOf("a") && heard.hasHeardOf("b"));
  }),
  check("a look-up finds what was asked for before it, though it may be under way", async ({ first }) => {
    const asked: Promise<unknown>[] = [first.set("key", entryOf("value", { tags: ["tag"] }), {})];
    assert.equal(await textIn(first, "key"), "value");
    asked.push(first.invalidateTags(["tag"]));
    assert.equal(await textIn(first, "key"), undefined);
    asked.push(first.set("key", entryOf("old"), {}), first.set("key", entryOf("new"), {}));
    assert.equal(await textIn(first, "key"), "new");
    asked.push(first.deletePattern("k*"));
    assert.equal(await textIn(first, "key"), undefined);
    asked.push(first.set("key", entryOf("value"), {}), first.delete(["key"]));
    assert.equal(await textIn(first, "key"), undefined);
    asked.push(first.set("key", entryOf("value"), {}), first.bumpVersion());
    assert.equal(await textIn(first, "key"), undefined);
    await Promise.all(asked);
  }),
  check("expire leaves a stale value", async ({ first, second, heard }) => {
    await first.set("key", entryOf("value"), {});
    await first.expire("key");
    const { entry } = await second.get("key", NO_LEASE);
    assert.equal(entry?.freshMs, 0);
    assert.equal(Buffer.from(entry?.bytes ?? []).toString(), "value");
    await heard.until(() => heard.hasHeardOf("key"));
    await first.expire("nothing");
  }),
  check("patterns delete what fits, and nothing else", async ({ first, second }) => {
    const keys = ["user:1:profile", "user:2:profile", "user:1:orders", "user:[12]:profile", "user:?:profile"];
    for (const key of keys) await first.set(key, entryOf("value"), {});
    await first.deletePattern("user:[12]:*");
    assert.equal(await textIn(second, "user:[12]:profile"), undefined);
    assert.equal(await textIn(second, "user:1:profile"), "value");
    await first.deletePattern("user:*:profile");
    assert.deepEqual(await Promise.all(keys.map((key) => textIn(second, key))), [
      undefined,
      undefined,
      "value",
      undefined,
      undefined,
    ]);
  }),
  check("tags invalidate what carries them, and the other process is told", async ({ first, second, heard }) => {
    await first.set("a", entryOf("value", { tags: ["red", "round"] }), {});
    await first.set("b", entryOf("value", { tags: ["red"] }), {});
    await first.invalidateTags(["round"]);
    assert.deepEqual([await textIn(second, "a"), await textIn(second, "b")], [undefined, "value"]);
    await first.set("a", entryOf("again", { tags: ["round"] }), {});
    assert.equal(await textIn(second, "a"), "again");
    await heard.until(() => heard.all > 0 || heard.tags.includes("round"));
  }),
  check("what a value was built from makes it void when it changes", async ({ first, second }) => {
    const changes: readonly [string, () => Promise<unknown>][] = [
      ["written", () => second.set("on", entryOf("new"), {})],
      ["written alike", () => second.set("on", entryOf("on"), {})],
      ["deleted", () => second.delete(["on"])],
      ["expired", () => second.expire("on")],
      ["deleted by pattern", () => second.deletePattern("o*")],
      ["unreachable", () => second.bumpVersion()],
      ["deleted and written again", () => second.delete(["on"]).then(() => second.set("on", entryOf("on"), {}))],
    ];
    for (const [what, change] of changes) {
      const dependsOn = ["on", "another: 日本"];
      for (const key of dependsOn) await first.set(key, entryOf(key), {});
      await first.delete([what]);
      const { lease } = await first.get(what, { leaseMs: 30_000, dependsOn });
      assert.equal(await first.set(what, entryOf("built", { dependsOn }), { lease }), true);
      const { entry } = await second.get(what, NO_LEASE);
      assert.deepEqual(entry?.dependsOn, dependsOn);
      await change();
      assert.deepEqual([what, await textIn(first, what), await textIn(second, what)], [what, undefined, undefined]);
    }
  }),
  check("what a value was built from counts as it was before the load", async ({ first, second }) => {
    const built = entryOf("built", { dependsOn: ["on"] });
    await first.set("on", entryOf("old"), {});
    const { lease } = await first.get("key", { leaseMs: 30_000, dependsOn: ["on"] });
    await second.set("on", entryOf("new"), {});
    await first.set("key", built, { lease });
    assert.deepEqual([await textIn(first, "key"), await textIn(second, "key")], [undefined, undefined]);
  }),
  check("a value is not stored whose changes can't be told", async ({ first, second }) => {
    const built = entryOf("built", { dependsOn: ["on"] });
    // The key was not there; it was not asked for; there was no look-up.
    const { lease } = await first.get("key", { leaseMs: 30_000, dependsOn: ["on"] });
    await second.set("on", entryOf("new"), {});
    assert.equal(await first.set("key", built, { lease }), false);
    const other = await first.get("key", { leaseMs: 30_000 });
    assert.notEqual(other.lease, undefined);
    assert.equal(await first.set("key", built, { lease: other.lease }), false);
    assert.equal(await first.set("key", built, {}), false);
    assert.equal(await textIn(second, "key"), undefined);
  }),
  check("a new version makes all that was before unreachable", async ({ first, second, heard }) => {
    await first.set("key", entryOf("old"), {});
    await first.bumpVersion();
    await heard.until(() => heard.all > 0);
    assert.deepEqual([await textIn(first, "key"), await textIn(second, "key")], [undefined, undefined]);
    await second.set("key", entryOf("new"), {});
    assert.equal(await textIn(first, "key"), "new");
  }),
  check("one lease at a time, which the write ends", async ({ first, second }) => {
    const how = { leaseMs: 30_000 };
    const mine = await first.get("key", how);
    assert.ok(mine.lease !== undefined && !mine.isHeld);
    const theirs = await second.get("key", how);
    assert.ok(theirs.lease === undefined && theirs.isHeld);
    assert.equal(await first.set("key", entryOf("value"), { lease: mine.lease }), true);
    assert.equal((await second.get("key", how)).entry?.freshMs !== undefined, true);
    await second.delete(["key"]);
    assert.notEqual((await second.get("key", how)).lease, undefined);
  }),
  check("a delete cancels the lease, and the write with it", async ({ first, second }) => {
    const { lease } = await first.get("key", { leaseMs: 30_000 });
    assert.notEqual(lease, undefined);
    await second.delete(["key"]);
    assert.equal(await first.set("key", entryOf("late"), { lease }), false);
    assert.equal(await textIn(second, "key"), undefined);
  }),
  check("a lease can be given back, by its owner only, and lapses", async ({ first, second, wait }) => {
    const { lease = "" } = await first.get("key", { leaseMs: 30_000 });
    await second.release("key", "somebody else's");
    assert.equal((await second.get("key", { leaseMs: 30_000 })).isHeld, true);
    await first.release("key", lease);
    assert.notEqual((await second.get("key", { leaseMs: 100 })).lease, undefined);
    await wait(150);
    assert.notEqual((await first.get("key", { leaseMs: 30_000 })).lease, undefined);
  }),
  check("statistics count what was done", async ({ first }) => {
    await first.set("key", entryOf("value"), {});
    await first.get("key", NO_LEASE);
    await first.get("nothing", NO_LEASE);
    const { hits, misses, writes, errors } = first.stats();
    assert.deepEqual({ hits, misses, writes, errors }, { hits: 1, misses: 1, writes: 1, errors: 0 });
  }),
];
