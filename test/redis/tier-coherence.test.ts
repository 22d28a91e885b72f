// What a tier hears of others' changes and tells them, in each way of coherence; and that it does not take its own changes
// for others'.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Coherence } from "../../ts/tier.js";
import { type RedisServer, startRedis } from "../support/redis.js";
import { type RedisCluster, startCluster } from "../support/redis-cluster.js";
import { type AttachedTier, entryOf, newTier, read } from "../support/tiers.js";
import { until } from "../support/wait.js";

let server: RedisServer;
let prefixes = 0;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.close());

/** Several processes that hear of each other, with nothing told so far. */
async function listening(count: number, coherence: Coherence | "auto"): Promise<AttachedTier[]> {
  prefixes++;
  const attached = Array.from({ length: count }, () =>
    newTier({ url: server.url, prefix: `t${prefixes}:`, coherence }),
  );
  await until(() => attached.every(({ tier }) => tier.stats().coherence !== "ttl-only"), "coherence is not in force");
  for (const { told } of attached) told.all = 0;
  return attached;
}

/** Until what was written to Redis before has arrived everywhere: a change of a key that nobody remembers. */
async function drained(attached: readonly AttachedTier[]): Promise<void> {
  const [writer] = attached.slice(-1) as [AttachedTier];
  const key = `drain ${Math.random()}`;
  await writer.tier.set(key, entryOf("x"), {});
  for (const { told } of attached.slice(0, -1)) {
    await until(() => told.invalidated.includes(key), "changes do not arrive");
    told.invalidated.splice(told.invalidated.indexOf(key), 1);
  }
}

describe.each(["tracking", "stream"] as const)("by %s", (coherence) => {
  test("others are told of writes, deletes, expiry, patterns, tags and versions; the writer is not", async () => {
    const [one, other] = (await listening(2, coherence)) as [AttachedTier, AttachedTier];
    await one.tier.set("written", entryOf("x"), {});
    await one.tier.delete(["deleted 1", "deleted 2"]);
    await one.tier.expire("written");
    await one.tier.set("user:1", entryOf("x"), {});
    await one.tier.deletePattern("user:*");
    await one.tier.invalidateTags(["a", "b"]);
    const heard = new Set(["written", "user:1", ...(coherence === "stream" ? ["deleted 1", "deleted 2"] : [])]);
    await until(() => [...heard].every((key) => other.told.invalidated.includes(key)), "keys are not told");
    await until(() => ["a", "b"].every((tag) => other.told.tags.includes(tag)), "tags are not told");
    await one.tier.bumpVersion();
    await until(() => other.told.all > 0, "the version is not told");
    expect(one.told.invalidated.filter((key) => key !== "user:1")).toEqual([]);
    expect(one.told.tags).toEqual([]);
    expect([one.told.all, other.told.all]).toEqual([0, 1]);
    expect(other.tier.stats()).toMatchObject({ coherence, gaps: 0 });
    expect(other.tier.stats().messages).toBeGreaterThan(0);
  });

  test("a refused write is told to nobody", async () => {
    const [one, other] = (await listening(2, coherence)) as [AttachedTier, AttachedTier];
    const { lease } = await one.tier.get("k", { leaseMs: 60_000 });
    await other.tier.delete(["k"]);
    await drained([other, one]);
    other.told.invalidated.length = 0;
    expect(await one.tier.set("k", entryOf("late"), { lease })).toBe(false);
    await drained([other, one]);
    expect(other.told.invalidated).toEqual([]);
  });
});

describe("by stream", () => {
  test("a write that Redis has made after its connection was lost is told as soon as possible", async () => {
    const own = await startRedis();
    const settings = { url: own.url, coherence: "stream" } as const;
    const one = newTier({ ...settings, commandTimeout: 100, breaker: { failures: 100 } });
    const other = newTier(settings);
    const tiers = [one.tier, other.tier];
    await until(() => tiers.every((tier) => tier.stats().coherence === "stream"), "coherence is not in force");
    await until(() => one.tier.set("k", entryOf("before"), {}), "the first write fails");
    await until(() => other.told.invalidated.includes("k"), "the first write is not told");
    other.told.invalidated.length = 0;
    own.freeze();
    await expect(one.tier.set("k", entryOf("after"), {})).rejects.toMatchObject({ code: "ERR_TIER" });
    // The client gives a connection up on which nothing is answered.
    const isLost = () => one.told.events.some((event) => event.type === "error" && event.operation === "connect");
    await until(isLost, "the connection is not given up");
    own.thaw();
    await until(() => other.told.invalidated.includes("k"), "the write is not told");
    expect(await read(other.tier, "k")).toBe("after");
    await own.close();
  });
});

describe("by tracking", () => {
  test("writes of foreign clients are told, also of a key that this process has just written itself", async () => {
    const [one] = (await listening(1, "tracking")) as [AttachedTier];
    const client = server.client();
    await one.tier.set("k", entryOf("mine"), {});
    const [name] = await client.keys(`t${prefixes}:v*:k`);
    await client.del(name as string);
    await until(() => one.told.invalidated.includes("k"), "the delete is not told");
    expect(await read(one.tier, "k")).toBeUndefined();
  });

  test("of two who write one key by turns each is told of the other's writes, and ends with the last", async () => {
    const [one, other] = (await listening(2, "tracking")) as [AttachedTier, AttachedTier];
    for (let i = 0; i < 50; i++) {
      one.told.invalidated.length = 0;
      other.told.invalidated.length = 0;
      await one.tier.set("k", entryOf("one"), {});
      await until(() => other.told.invalidated.includes("k"), "the first write is not told");
      await other.tier.set("k", entryOf("other"), {});
      await until(() => one.told.invalidated.includes("k"), "the second write is not told");
    }
  });

  test("own leases, releases, writes and deletes are nobody else's changes", async () => {
    const [one, other] = (await listening(2, "tracking")) as [AttachedTier, AttachedTier];
    for (let i = 0; i < 30; i++) {
      const key = `k${i % 3}`;
      const { lease } = await one.tier.get(key, { leaseMs: 60_000 });
      if (i % 2 === 0) await one.tier.set(key, entryOf("x", { freshMs: 0, tags: ["t"] }), { lease });
      else if (lease) await one.tier.release(key, lease);
      if (i % 5 === 0) await one.tier.delete([key]);
      if (i % 7 === 0) await one.tier.expire(key);
      await one.tier.invalidateTags(["t"]);
    }
    await drained([one, other]);
    expect(one.told.invalidated).toEqual([]);
    expect(one.told.tags).toEqual([]);
    expect(one.told.all).toBe(0);
  });

  test("a write whose outcome is not known counts as somebody else's", async () => {
    const [one, other] = (await listening(2, "tracking")) as [AttachedTier, AttachedTier];
    const client = server.client();
    await one.tier.set("k", entryOf("x"), {});
    const [name] = await client.keys(`t${prefixes}:v*:k`);
    // Something of another type makes the comparison of revisions find nothing of ours.
    await client.del(name as string);
    await client.hset(name as string, "a", "b");
    await drained([one, other]);
    await until(() => one.told.invalidated.includes("k"), "the change is not told");
  });
});

describe("on a Cluster", () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.close());

  test("changes on all masters are told to others, and own ones are not", async () => {
    const settings = { cluster: { nodes: cluster.startupNodes }, coherence: "auto" } as const;
    const [one, other] = [newTier(settings), newTier(settings)];
    const tiers = [one.tier, other.tier];
    await until(() => tiers.every((tier) => tier.stats().coherence === "tracking"), "coherence is not in force");
    for (const { told } of [one, other]) {
      told.all = 0;
      told.invalidated.length = 0;
    }
    const keys = Array.from({ length: 60 }, (_, i) => `key ${i}`);
    await Promise.all(keys.map((key) => one.tier.set(key, entryOf("x"), {})));
    await until(() => keys.every((key) => other.told.invalidated.includes(key)), "keys are not told");
    await one.tier.invalidateTags(["t"]);
    await until(() => other.told.tags.includes("t"), "tags are not told");
    await one.tier.bumpVersion();
    await until(() => other.told.all > 0, "the version is not told");
    expect([one.told.invalidated, one.told.tags, one.told.all]).toEqual([[], [], 0]);
  });
});
