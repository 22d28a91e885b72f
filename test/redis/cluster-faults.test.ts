// A node of a Cluster that hangs costs what is in its slots one time-out each until its breaker opens, then nothing; keys of
// the other nodes are found all the while. Time is the test's own, so that nothing but a deadline of the tier can end a
// wait.
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { RedisTierSettings } from "../../ts/redis/index.js";
import { KeyNames } from "../../ts/redis/keys.js";
import { slotOf } from "../../ts/redis/slots.js";
import { FakeClock, turn } from "../support/fake-clock.js";
import type { RedisServer } from "../support/redis.js";
import { type RedisCluster, startCluster } from "../support/redis-cluster.js";
import { type AttachedTier, entryOf, newTier, read } from "../support/tiers.js";
import { until } from "../support/wait.js";

const FAILURES = 3;
const TIMEOUT_MS = 50;
const PROBE_MS = 1_000;

let cluster: RedisCluster;

beforeAll(async () => {
  cluster = await startCluster();
  // The others serve their slots although one is away; by default they refuse everything then.
  for (const node of cluster.nodes) await node.client().config("SET", "cluster-require-full-coverage", "no");
});

afterEach(() => {
  for (const node of cluster.nodes) node.thaw();
});

/** The slots are dealt out in three equal parts, in the order of the nodes. */
function nodeOf(name: string): RedisServer {
  return cluster.nodes[Math.floor((slotOf(name) * 3) / 16_384)] as RedisServer;
}

type Watched = AttachedTier & { readonly clock: FakeClock };

function newClusterTier(prefix: string, options: Partial<RedisTierSettings> = {}): Watched {
  const clock = new FakeClock();
  const breaker = { failures: FAILURES, window: "1h", probeAfter: PROBE_MS } as const;
  const settings = { prefix, breaker, commandTimeout: TIMEOUT_MS, clock, ...options };
  return { ...newTier({ cluster: { nodes: cluster.startupNodes }, ...settings }), clock };
}

/** Keys on a node, or on the others. */
function keysOf(prefix: string, version: number, count: number, fits: (node: RedisServer) => boolean): string[] {
  const names = new KeyNames(prefix);
  const keys: string[] = [];
  for (let i = 0; keys.length < count; i++) {
    if (fits(nodeOf(names.entry(version, `k${i}`)))) keys.push(`k${i}`);
  }
  return keys;
}

/** The node with the version and the tag clock, one without, and keys of that one and of the others, all stored. */
async function stored(prefix: string, options: Partial<RedisTierSettings> = {}) {
  const watched = newClusterTier(prefix, options);
  const names = new KeyNames(prefix);
  const stateNode = nodeOf(names.version);
  const node = cluster.nodes.find((other) => other !== stateNode) as RedisServer;
  await watched.tier.set("first", entryOf("x"), {});
  const version = Number(await stateNode.client().get(names.version));
  const there = keysOf(prefix, version, 30, (other) => other === node);
  const elsewhere = keysOf(prefix, version, 30, (other) => other !== node);
  await Promise.all([...there, ...elsewhere].map((key) => watched.tier.set(key, entryOf(key), {})));
  return { ...watched, node, stateNode, there, elsewhere };
}

/** Looks up a key of a node that hangs, and beside it, in the same turn, one of another node. */
async function lookUpBoth({ tier, clock }: Watched, hanging: string, good: string): Promise<(string | undefined)[]> {
  const first = read(tier, hanging);
  // With its answer everything has been asked, and the version is known: only what hangs is still waited for.
  const second = await read(tier, good);
  clock.advance(TIMEOUT_MS);
  return [await first, second];
}

describe("a node of a Cluster that hangs", () => {
  test("costs one time-out per look-up until its breaker opens, then nothing; other nodes' keys are found", async () => {
    const watched = await stored("a:");
    const { tier, clock, told, node, there, elsewhere } = watched;
    node.freeze();
    for (let i = 0; i < FAILURES; i++) {
      expect(tier.stats()).toMatchObject({ timeouts: i, brokenNodes: [] });
      expect(await lookUpBoth(watched, there[i] as string, elsewhere[i] as string)).toEqual([undefined, elsewhere[i]]);
    }
    const name = `${node.host}:${node.port}`;
    expect(tier.stats()).toMatchObject({ timeouts: FAILURES, breaker: "closed", brokenNodes: [name] });
    // The clock stands still: if one of these had to wait, it would wait for ever.
    for (const key of there) expect(await read(tier, key)).toBeUndefined();
    expect(await Promise.all(elsewhere.map((key) => read(tier, key)))).toEqual(elsewhere);
    await expect(tier.set(there[0] as string, entryOf("new"), {})).rejects.toThrow(
      `Redis was not asked to set: the circuit breaker of ${name} is open`,
    );
    expect(tier.stats()).toMatchObject({ timeouts: FAILURES, skipped: there.length + 1 });
    node.thaw();
    await until(async () => {
      clock.advance(PROBE_MS);
      await read(tier, there[0] as string);
      return tier.stats().brokenNodes?.length === 0;
    }, "the node is not used again");
    expect(await Promise.all(there.map((key) => read(tier, key)))).toEqual(there);
    const changes = told.events.flatMap((event) => (event.type === "breaker" ? [`${event.node} ${event.to}`] : []));
    expect(changes.slice(0, 2)).toEqual([`${name} open`, `${name} half-open`]);
    expect(changes.at(-1)).toBe(`${name} closed`);
  });

  test("costs all that is asked of it in one turn one time-out together", async () => {
    const { tier, clock, node, there, elsewhere } = await stored("b:");
    node.freeze();
    const looked = Promise.all(there.map((key) => read(tier, key)));
    expect(await read(tier, elsewhere[0] as string)).toBe(elsewhere[0]);
    clock.advance(TIMEOUT_MS);
    expect(await looked).toEqual(there.map(() => undefined));
    expect(tier.stats()).toMatchObject({ breaker: "closed", brokenNodes: [`${node.host}:${node.port}`] });
  });

  test("does not keep a process that starts meanwhile from using the others", async () => {
    const { node, elsewhere } = await stored("c:");
    node.freeze();
    const { tier, clock } = newClusterTier("c:", { connectTimeout: 200 });
    await until(async () => {
      const looked = read(tier, elsewhere[0] as string);
      await turn();
      await turn();
      clock.advance(TIMEOUT_MS / 10);
      return (await Promise.race([looked, turn()])) === elsewhere[0];
    }, "the other nodes are not used");
  });

  test("has the whole breaker opened if it has the version: without it nothing goes", async () => {
    const { tier, clock, stateNode, elsewhere, there } = await stored("d:");
    stateNode.freeze();
    for (let i = 0; i < FAILURES; i++) {
      const looked = read(tier, there[i] as string);
      await turn();
      clock.advance(TIMEOUT_MS);
      expect(await looked).toBeUndefined();
    }
    expect(tier.stats().breaker).toBe("open");
    for (const key of [...there, ...elsewhere]) expect(await read(tier, key)).toBeUndefined();
    stateNode.thaw();
    await until(async () => {
      clock.advance(PROBE_MS);
      return (await read(tier, there[0] as string)) === there[0];
    }, "the Cluster is not used again");
  });
});
