// The same tier on a Cluster (behind Sentinels: failover.test.ts), over TLS, with a client or options of the user's own.
import { Cluster, Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startRedis } from "../support/redis.js";
import { type RedisCluster, startCluster } from "../support/redis-cluster.js";
import { entryOf, newTier, read, textOf } from "../support/tiers.js";
import { until } from "../support/wait.js";

describe("a Cluster", () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.close());

  const keys = Array.from({ length: 300 }, (_, i) => `key ${i}`);

  test("keeps, finds, expires, touches and deletes entries in all of its slots", async () => {
    const { tier } = newTier({ cluster: { nodes: cluster.startupNodes }, prefix: "a:" });
    await Promise.all(keys.map((key) => tier.set(key, entryOf(key, { tags: ["odd"] }), {})));
    expect(await Promise.all(keys.map((key) => read(tier, key)))).toEqual(keys);
    await tier.touch(keys);
    await Promise.all(keys.slice(0, 50).map((key) => tier.expire(key)));
    const first = await tier.get(keys[0] as string, { leaseMs: 0 });
    expect(first.entry?.freshMs).toBe(0);
    await tier.delete(keys.slice(0, 100));
    const left = await Promise.all(keys.map((key) => read(tier, key)));
    expect(left.filter((text) => text !== undefined)).toEqual(keys.slice(100));
    expect(tier.stats()).toMatchObject({ errors: 0, breaker: "closed" });
  });

  test("has leases, tags and versions that all processes see", async () => {
    const settings = { cluster: { nodes: cluster.startupNodes }, prefix: "b:" };
    const [one, other] = [newTier(settings), newTier(settings)];
    const tags = Array.from({ length: 20 }, (_, i) => `tag ${i}`);
    const { lease } = await one.tier.get("k", { leaseMs: 60_000 });
    expect((await other.tier.get("k", { leaseMs: 60_000 })).isHeld).toBe(true);
    expect(await one.tier.set("k", entryOf("v", { tags }), { lease })).toBe(true);
    expect(await read(other.tier, "k")).toBe("v");
    const before = await one.tier.get("k", { leaseMs: 0 });
    await other.tier.invalidateTags(["tag 13"]);
    expect(await read(one.tier, "k")).toBeUndefined();
    expect(await one.tier.set("k", entryOf("late", { tags }), { asOf: before.asOf })).toBe(false);
    await one.tier.set("k", entryOf("w"), {});
    await other.tier.bumpVersion();
    expect(await read(one.tier, "k")).toBeUndefined();
    expect(one.told.all).toBe(1);
    await one.tier.set("k", entryOf("x"), {});
    expect(await read(other.tier, "k")).toBe("x");
  });

  test("is walked on every master by a delete by pattern", async () => {
    const { tier } = newTier({ cluster: { nodes: cluster.startupNodes }, prefix: "c:" });
    await Promise.all(keys.map((key) => tier.set(key, entryOf(key), {})));
    expect(await tier.deletePattern("key 2*")).toBe(111);
    expect(await tier.deletePattern("*")).toBe(189);
    expect(await Promise.all(keys.map((key) => read(tier, key)))).toEqual(keys.map(() => undefined));
  });

  test("may have everything in one slot, by the prefix or by the keys", async () => {
    const one = newTier({ cluster: { nodes: cluster.startupNodes }, prefix: "{d}:" }).tier;
    const other = newTier({ cluster: { nodes: cluster.startupNodes }, prefix: "e:" }).tier;
    for (const tier of [one, other]) {
      const alike = keys.map((key) => `{user}${key}`);
      await Promise.all(alike.map((key) => tier.set(key, entryOf(key), {})));
      expect(await Promise.all(alike.map((key) => read(tier, key)))).toEqual(alike);
      await tier.delete(alike);
      expect(await tier.deletePattern("*")).toBe(0);
    }
  });

  test("takes a client of the user's own", async () => {
    const client = new Cluster([...cluster.startupNodes]);
    const { tier } = newTier({ client, prefix: "f:" });
    await Promise.all(keys.map((key) => tier.set(key, entryOf(key), {})));
    expect(await Promise.all(keys.map((key) => read(tier, key)))).toEqual(keys);
    await tier.close();
    expect(await client.get("x")).toBeNull();
    client.disconnect();
  });

  test("whose slot moves away in between is followed", async () => {
    const { tier } = newTier({ cluster: { nodes: cluster.startupNodes }, prefix: "g:" });
    await tier.set("before", entryOf("before"), {});
    const [name] = await namesOf(cluster, "g:v*");
    const clients = cluster.nodes.map((node) => node.client());
    const slot = Number(await clients[0]?.call("CLUSTER", "KEYSLOT", name as string));
    const ids = await Promise.all(clients.map((client) => client.call("CLUSTER", "MYID") as Promise<string>));
    const counts = await Promise.all(clients.map((client) => client.call("CLUSTER", "COUNTKEYSINSLOT", slot)));
    const from = counts.findIndex((count) => Number(count) > 0);
    const to = (from + 1) % clients.length;
    const target = cluster.nodes[to] as { host: string; port: number };
    await clients[to]?.call("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[from] as string);
    await clients[from]?.call("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[to] as string);
    await clients[from]?.call("MIGRATE", target.host, target.port, name as string, 0, 5_000);
    // On a busy machine the nodes may lose sight of each other for a moment: what has to hold is where it ends.
    const isRead = async (text: string) => (await read(tier, "before")) === text;
    await until(() => isRead("before"), "the entry is not found while it moves");
    for (const client of [clients[to], clients[from]]) {
      await client?.call("CLUSTER", "SETSLOT", slot, "NODE", ids[to] as string);
    }
    await until(() => isRead("before"), "the entry is not found where it has moved");
    await until(() => tier.set("before", entryOf("after"), {}), "the entry can't be written where it has moved");
    await until(() => isRead("after"), "what was written is not found");
  });

  test("one of whose nodes is gone for a while is used again, and nothing hangs meanwhile", async () => {
    const { tier } = newTier({
      cluster: { nodes: cluster.startupNodes },
      prefix: "h:",
      breaker: { failures: 3, window: "1m", probeAfter: 50 },
    });
    const some = keys.slice(0, 30);
    const writeAll = () => Promise.allSettled(some.map((key) => tier.set(key, entryOf(key), {})));
    const areAllWritten = async () => (await writeAll()).every(({ status }) => status === "fulfilled");
    expect(await areAllWritten()).toBe(true);
    const [node] = cluster.nodes;
    await node?.kill();
    await until(async () => !(await areAllWritten()), "the loss of the node is not noticed");
    await Promise.all(some.map((key) => read(tier, key)));
    await node?.start();
    await until(areAllWritten, "the node is not used again");
    await until(
      async () => (await Promise.all(some.map((key) => read(tier, key)))).join() === some.join(),
      "keys are lost",
    );
  });
});

async function namesOf(cluster: RedisCluster, pattern: string): Promise<string[]> {
  const names = await Promise.all(cluster.nodes.map((node) => node.client().keys(pattern)));
  return names.flat();
}

describe("TLS", () => {
  test("is spoken where the address or the options ask for it", async () => {
    const server = await startRedis({ isTls: true });
    const { tier } = newTier({ options: server.clientOptions() });
    await tier.set("k", entryOf("secret"), {});
    expect(textOf(await tier.get("k", { leaseMs: 0 }))).toBe("secret");
    const client = new Redis(server.url, server.clientOptions());
    const other = newTier({ client }).tier;
    expect(await read(other, "k")).toBe("secret");
    await other.close();
    client.disconnect();
    await tier.close();
    const { told } = newTier({ url: server.url });
    const refusals = () => told.events.flatMap((event) => (event.type === "error" ? [event.error.message] : []));
    await until(() => refusals().some((message) => /certificate/.test(message)), "a stranger's certificate is trusted");
    await server.close();
  });
});

describe("options of the user's own", () => {
  test("reach ioredis: password, database, name", async () => {
    const server = await startRedis();
    await server.client().config("SET", "requirepass", "secret");
    const client = server.client({ password: "secret", db: 3 });
    const { tier } = newTier({ url: `redis://:secret@127.0.0.1:${server.port}/3` });
    await tier.set("k", entryOf("v"), {});
    expect(await client.keys("*:k")).toHaveLength(1);
    const named = newTier({ options: { port: server.port, password: "secret", db: 3, connectionName: "shop" } }).tier;
    expect(await read(named, "k")).toBe("v");
    expect(await client.client("LIST")).toContain("name=shop");
    await Promise.all([tier.close(), named.close()]);
    await server.close();
  });
});
