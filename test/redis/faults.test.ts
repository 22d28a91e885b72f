// Redis frozen, killed, unreachable, slow, cut off: look-ups are misses that cost one time-out each at most until the breaker
// opens, and nothing after that; and Redis is used again when it is back. Time is the test's own, so that nothing but a
// deadline of the tier can end a wait.
import { Redis } from "ioredis";
import { afterEach, describe, expect, test } from "vitest";
import { freePort } from "../../scripts/lib/ports.mjs";
import type { RedisTierOptions, TierEvent } from "../../ts/redis/index.js";
import { FakeClock, turn } from "../support/fake-clock.js";
import { startProxy } from "../support/proxy.js";
import { type RedisServer, startRedis } from "../support/redis.js";
import { type AttachedTier, entryOf, newTier, read } from "../support/tiers.js";
import { until } from "../support/wait.js";

const FAILURES = 3;
const IMPATIENT = { commandTimeout: 50, breaker: { failures: FAILURES, window: "1h", probeAfter: "1s" } } as const;

const servers: RedisServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function newServer(...args: string[]): Promise<RedisServer> {
  const server = await startRedis({ arguments: args });
  servers.push(server);
  return server;
}

/** A tier on the test's own time, once it has stored "v" under "k". */
async function storedTier(options: RedisTierOptions): Promise<AttachedTier & { clock: FakeClock }> {
  const clock = new FakeClock();
  const attached = newTier({ ...IMPATIENT, ...options, clock });
  await attached.tier.set("k", entryOf("v"), {});
  return { ...attached, clock };
}

/** Looks up until the breaker opens; how many look-ups needed the time-out. */
async function openBreaker({ tier, clock }: AttachedTier & { clock: FakeClock }): Promise<number> {
  let timeouts = 0;
  while (tier.stats().breaker === "closed") {
    let isDone = false;
    const looked = read(tier, "k").then((text) => {
      isDone = true;
      return text;
    });
    for (let i = 0; i < 10 && !isDone; i++) await turn();
    if (!isDone) {
      timeouts++;
      clock.advance(IMPATIENT.commandTimeout);
    }
    expect(await looked).toBeUndefined();
  }
  return timeouts;
}

const breakerChanges = ({ told }: AttachedTier) =>
  told.events.flatMap((event) => (event.type === "breaker" ? [`${event.from} -> ${event.to}`] : []));

const isAboutConnecting = (event: TierEvent) => event.type === "error" && event.operation === "connect";

/** Until Redis is used again, by the probes that look-ups set off. */
async function recovers({ tier, clock }: AttachedTier & { clock: FakeClock }): Promise<void> {
  await until(async () => {
    clock.advance(1_000);
    await turn();
    await read(tier, "k");
    return tier.stats().breaker === "closed";
  }, "the breaker does not close");
}

describe("a frozen server", () => {
  test("costs one time-out per look-up until the breaker opens, then nothing, and no look-up is a probe", async () => {
    const server = await newServer();
    const attached = await storedTier({ url: server.url });
    server.freeze();
    expect(await openBreaker(attached)).toBe(FAILURES);
    attached.clock.advance(10_000);
    // The clock stands still: if one of these had to wait, it would wait for ever.
    for (let i = 0; i < 20; i++) expect(await read(attached.tier, "k")).toBeUndefined();
    await expect(attached.tier.set("k", entryOf("x"), {})).rejects.toThrow("the circuit breaker is half-open");
    expect(attached.tier.stats()).toMatchObject({ timeouts: FAILURES, breaker: "half-open" });
    server.thaw();
    await recovers(attached);
    expect(await read(attached.tier, "k")).toBe("v");
    expect(breakerChanges(attached).slice(0, 2)).toEqual(["closed -> open", "open -> half-open"]);
    expect(breakerChanges(attached).at(-1)).toBe("half-open -> closed");
  });

  test("costs all who look up at the same time one time-out together", async () => {
    const server = await newServer();
    const { tier, clock } = await storedTier({ url: server.url });
    server.freeze();
    const looked = Promise.all(Array.from({ length: 100 }, (_, i) => read(tier, `k${i}`)));
    await turn();
    clock.advance(50);
    expect((await looked).filter((text) => text !== undefined)).toEqual([]);
    expect(tier.stats()).toMatchObject({ timeouts: 1, breaker: "closed" });
    server.thaw();
  });

  test("is not asked for a lease, and nobody is told that there is one", async () => {
    const server = await newServer();
    const { tier, clock } = await storedTier({ url: server.url });
    server.freeze();
    const asked = tier.get("other", { leaseMs: 1_000 });
    await turn();
    clock.advance(50);
    expect(await asked).toEqual({ entry: undefined, lease: undefined, isHeld: false });
    server.thaw();
  });

  test("fails writes after one time-out, with an error that says so", async () => {
    const server = await newServer();
    const { tier, clock } = await storedTier({ url: server.url });
    server.freeze();
    const writes = [tier.set("a", entryOf("x"), {}), tier.delete(["b"]), tier.expire("c"), tier.deletePattern("*")];
    const failed = Promise.allSettled(writes);
    for (let i = 0; i < 4; i++) {
      await turn();
      clock.advance(50);
    }
    for (const outcome of await failed) {
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "ERR_TIER", name: "TierError" } });
    }
    server.thaw();
  });

  test("bounds what is under way: beyond maxInFlight nothing more is sent", async () => {
    const server = await newServer();
    const breaker = { failures: 1_000, window: "1h", probeAfter: "1s" } as const;
    const { tier, clock, told } = await storedTier({ url: server.url, maxInFlight: 4, breaker });
    server.freeze();
    for (let i = 0; i < 4; i++) {
      const looked = read(tier, "k");
      await turn();
      clock.advance(50);
      expect(await looked).toBeUndefined();
    }
    const messages = told.events.flatMap((event) => (event.type === "error" ? [event.error.message] : []));
    expect(messages.filter((message) => message.includes("maxInFlight"))).toHaveLength(2);
    server.thaw();
  });

  test("bounds the writes that wait", async () => {
    const server = await newServer();
    const { tier, clock } = await storedTier({ url: server.url, writeQueue: 2 });
    server.freeze();
    const writes = Promise.allSettled([1, 2, 3].map(() => tier.set("k", entryOf("x"), {})));
    await expect(tier.delete(["k"])).rejects.toThrow("2 writes are under way already (redisTier's writeQueue)");
    for (let i = 0; i < 2; i++) {
      await turn();
      clock.advance(50);
    }
    expect((await writes).map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    server.thaw();
  });
});

describe("a killed server", () => {
  test("costs nothing, opens the breaker, and is used again after its restart", async () => {
    const server = await newServer();
    const attached = await storedTier({ url: server.url });
    await server.kill();
    await until(() => attached.told.events.some(isAboutConnecting), "the loss of the connection is not noticed");
    expect(await openBreaker(attached)).toBe(0);
    await server.start();
    await recovers(attached);
    expect(await read(attached.tier, "k")).toBeUndefined();
    await attached.tier.set("k", entryOf("after"), {});
    expect(await read(attached.tier, "k")).toBe("after");
  });

  test("is used again as soon as the connection is back, without waiting for a look-up to probe", async () => {
    const server = await newServer();
    const attached = await storedTier({ url: server.url });
    await server.kill();
    await openBreaker(attached);
    await server.start();
    await until(() => attached.tier.stats().breaker === "closed", "nobody probes");
  });

  test("fails what was on its way, and sends nothing a second time", async () => {
    const server = await newServer();
    const proxy = await startProxy(server.port);
    const { tier } = await storedTier({ url: `redis://127.0.0.1:${proxy.port}` });
    proxy.blackhole();
    const outcomes = Promise.allSettled([tier.set("k", entryOf("lost"), {}), read(tier, "other")]);
    await turn();
    proxy.cut();
    const [written, looked] = await outcomes;
    expect(written).toMatchObject({ status: "rejected", reason: { code: "ERR_TIER", operation: "set" } });
    expect(looked).toEqual({ status: "fulfilled", value: undefined });
    proxy.heal();
    await until(async () => (await read(tier, "k")) === "v", "the tier does not come back");
    expect(await read(tier, "k")).toBe("v");
  });
});

describe("a server that can't be reached", () => {
  test("from the start costs one time-out per look-up until the breaker opens", async () => {
    const clock = new FakeClock();
    const attached = newTier({ ...IMPATIENT, url: `redis://127.0.0.1:${await freePort()}`, clock });
    expect(await openBreaker({ ...attached, clock })).toBe(FAILURES);
  });

  test("because nothing gets through costs one time-out per look-up", async () => {
    const server = await newServer();
    const proxy = await startProxy(server.port);
    const attached = await storedTier({ url: `redis://127.0.0.1:${proxy.port}` });
    proxy.blackhole();
    expect(await openBreaker(attached)).toBe(FAILURES);
    proxy.heal();
    await recovers(attached);
    expect(await read(attached.tier, "k")).toBe("v");
  });

  test("in time is too slow: its late answers change nothing", async () => {
    const server = await newServer();
    const proxy = await startProxy(server.port);
    const attached = await storedTier({ url: `redis://127.0.0.1:${proxy.port}` });
    proxy.delay(300);
    expect(await openBreaker(attached)).toBe(FAILURES);
    expect(attached.tier.stats().hits).toBe(0);
    proxy.heal();
    await recovers(attached);
    expect(await read(attached.tier, "k")).toBe("v");
  });
});

describe("a client that was given", () => {
  test("with ioredis' defaults queues nothing of ours while Redis is away, and is left open", async () => {
    const server = await newServer();
    const client = new Redis(server.port, { retryStrategy: () => 10 });
    client.on("error", () => undefined);
    const attached = await storedTier({ client });
    await server.kill();
    await until(() => client.status !== "ready", "the loss of the connection is not noticed");
    expect(await openBreaker(attached)).toBe(0);
    expect((client as unknown as { offlineQueue: { length: number } }).offlineQueue.length).toBe(0);
    await server.start();
    await recovers(attached);
    await attached.tier.close();
    expect(await client.ping()).toBe("PONG");
    client.disconnect();
  });

  test("with no command time-out costs one of ours when the server is frozen", async () => {
    const server = await newServer();
    const client = new Redis(server.port);
    client.on("error", () => undefined);
    const attached = await storedTier({ client });
    server.freeze();
    expect(await openBreaker(attached)).toBe(FAILURES);
    server.thaw();
    await recovers(attached);
    client.disconnect();
  });

  test("that has not connected yet is connected", async () => {
    const server = await newServer();
    const client = new Redis(server.port, { lazyConnect: true });
    const { tier } = newTier({ client });
    await tier.set("k", entryOf("v"), {});
    expect(await read(tier, "k")).toBe("v");
    client.disconnect();
  });
});
