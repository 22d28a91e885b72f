// A failover in the middle of a pipeline: dozens of commands are under way when another server becomes the master. Every
// promise settles, no look-up rejects or brings another key's value, nothing is sent a second time, and all processes
// see what is written from then on.
import type { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../scripts/lib/ports.mjs";
import { type Cache, TierError } from "../../ts/index.js";
import { type RedisTierOptions, redisTier } from "../../ts/redis/index.js";
import type { Tier } from "../../ts/tier.js";
import { newCache } from "../support/caches.js";
import { turn } from "../support/fake-clock.js";
import type { RedisServer } from "../support/redis.js";
import { type RedisCluster, startCluster } from "../support/redis-cluster.js";
import { startSentinels } from "../support/redis-sentinel.js";
import { runScript } from "../support/scripts.js";
import { entryOf, newTier, read } from "../support/tiers.js";
import { until } from "../support/wait.js";

const KEYS = Array.from({ length: 60 }, (_, i) => `key-${i}`);
const SETTINGS = {
  commandTimeout: 500,
  connectTimeout: 500,
  breaker: { failures: 3, window: "1m", probeAfter: 50 },
} as const;

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

/** Writes and looks up all keys, in one pipeline at a time, until it is stopped. */
function startTraffic(tier: Tier) {
  const seen = { rounds: 0, written: 0, failed: 0, wrong: [] as unknown[] };
  let isStopped = false;
  const write = (key: string): Promise<void> =>
    tier.set(key, entryOf(`${key} in round ${seen.rounds}`), {}).then(
      () => void seen.written++,
      (error: unknown) => {
        seen.failed++;
        if (!(error instanceof TierError)) seen.wrong.push(error);
      },
    );
  const look = async (key: string): Promise<void> => {
    const text = await read(tier, key);
    if (text !== undefined && !text.startsWith(`${key} in round `)) seen.wrong.push(`${key}: ${text}`);
  };
  const run = async (): Promise<void> => {
    while (!isStopped) {
      seen.rounds++;
      await turn();
      await Promise.all(KEYS.flatMap((key) => [write(key), look(key)]));
    }
  };
  const running = run();
  const stop = async (): Promise<typeof seen> => {
    isStopped = true;
    await running;
    return seen;
  };
  return { seen, stop };
}

/** What has to hold after the new master is there. */
async function expectRecovery(tier: Tier, traffic: ReturnType<typeof startTraffic>, reader: Cache<string>) {
  const writeAll = () => Promise.all(KEYS.map((key) => tier.set(key, entryOf(`${key} at last`), {})));
  const seen = await traffic.stop();
  expect(seen.wrong).toEqual([]);
  expect(seen.written).toBeGreaterThan(KEYS.length);
  await until(async () => (await writeAll()).every(Boolean), "the new master can't be written");
  const last = KEYS.map((key) => `${key} at last`);
  expect(await Promise.all(KEYS.map((key) => read(tier, key)))).toEqual(last);
  await until(
    async () => (await Promise.all(KEYS.map((key) => reader.getOrLoad(key, () => undefined)))).join() === last.join(),
    "another process does not see what was written after the failover",
  );
  return { seen, last };
}

/** Another process' cache, with connections of its own, which has everything in memory. */
async function newReader(options: RedisTierOptions): Promise<Cache<string>> {
  const reader = newCache<string>({ l2: redisTier({ ...SETTINGS, ...options, coherence: "tracking" }), ttl: "1h" });
  const read = async () =>
    (await Promise.all(KEYS.map((key) => reader.getOrLoad(key, () => undefined)))).every(Boolean);
  await until(read, "another process does not find what was written");
  return reader;
}

/** All keys have been written, and more of them are. */
async function untilUnderWay({ seen }: ReturnType<typeof startTraffic>): Promise<void> {
  await until(() => seen.written > KEYS.length, "no second round");
}

async function untilFailed({ seen }: ReturnType<typeof startTraffic>): Promise<void> {
  await until(() => seen.failed > 0, "no command was under way");
}

describe("Sentinels make another server the master in the middle of a pipeline", () => {
  test.each(["in order", "after a crash"] as const)("%s", async (how) => {
    const sentinels = await startSentinels();
    closing.push(() => sentinels.close());
    const hosts = sentinels.sentinels.map(({ host, port }) => ({ host, port }));
    const options = { ...SETTINGS, options: { sentinels: hosts, name: sentinels.name, connectionName: "tier" } };
    const { tier } = newTier(options);
    const traffic = startTraffic(tier);
    const reader = await newReader(options);
    await untilUnderWay(traffic);
    if (how === "in order") {
      const sentinel = sentinels.sentinels[0]?.client({ enableReadyCheck: false });
      // Refused until this Sentinel has heard enough of the replica to trust it.
      const isTaken = () => sentinel?.call("SENTINEL", "FAILOVER", sentinels.name).then(() => true, isTooEarly);
      await until(async () => (await isTaken()) === true, "no Sentinel begins a failover");
    } else {
      await sentinels.master.kill();
      await untilFailed(traffic);
    }
    await until(async () => (await sentinels.masterPort()) === sentinels.replica.port, "no failover");
    const named = (client: Redis) => client.client("LIST").then((list) => String(list).includes("name=tier"));
    await until(() => named(sentinels.replica.client()), "the new master is not found");
    const { last } = await expectRecovery(tier, traffic, reader);
    expect(await valuesAt(sentinels.replica)).toEqual(last);
  });
});

test("Sentinels, one of which is gone, keep no process alive", async () => {
  const sentinels = await startSentinels();
  closing.push(() => sentinels.close());
  const ports = [await freePort(), ...sentinels.sentinels.map(({ port }) => port)].map(String);
  const { code, output } = await runScript(new URL("../support/sentinels-main.mjs", import.meta.url), ports);
  expect({ code, output }).toEqual({ code: 0, output: "loaded\n" });
});

function isTooEarly(error: Error): false {
  if (!error.message.startsWith("NOGOODSLAVE")) {
    throw error;
  }
  return false;
}

describe("a replica takes over from a node of a Cluster in the middle of a pipeline", () => {
  let cluster: RedisCluster;

  beforeAll(async () => {
    cluster = await startCluster({ replicas: 2, nodeTimeoutMs: 500 });
  });
  afterAll(() => cluster.close());

  test.each([
    ["in order", 0],
    ["after a crash", 1],
  ] as const)("%s", async (how, at) => {
    const options = { ...SETTINGS, prefix: `${at}:`, cluster: { nodes: cluster.startupNodes } };
    const { tier } = newTier(options);
    const traffic = startTraffic(tier);
    const reader = await newReader(options);
    const replica = cluster.replicas[at] as RedisServer;
    const client = replica.client();
    await untilUnderWay(traffic);
    if (how === "in order") {
      await client.call("CLUSTER", "FAILOVER");
    } else {
      await cluster.nodes[at]?.kill();
      await untilFailed(traffic);
    }
    await until(async () => (await client.info("replication")).includes("role:master"), "no failover");
    const { last } = await expectRecovery(tier, traffic, reader);
    const values = await valuesAt(replica);
    expect(values.length).toBeGreaterThan(0);
    expect(last).toEqual(expect.arrayContaining(values));
  });
});

/** The values of the keys that lie on a server, as far as they are entries; in the order of the keys. */
async function valuesAt(server: RedisServer): Promise<string[]> {
  const client = server.client();
  const names = (await client.keys("*:key-*")).sort((a, b) => indexOf(a) - indexOf(b));
  const values = await Promise.all(names.map((name) => client.getBuffer(name)));
  return values.map((bytes) => (bytes as Buffer).subarray(64).toString());
}

const indexOf = (name: string): number => KEYS.indexOf(name.slice(name.lastIndexOf(":") + 1));
