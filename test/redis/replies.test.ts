// What Redis may answer instead: errors of all kinds, and bytes under our keys that are none of ours, damaged or of another
// version. Look-ups count them and miss; writes reject with a TierError that says what Redis said.
import { createServer, type Server, type Socket } from "node:net";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type RedisServer, startRedis } from "../support/redis.js";
import { type AttachedTier, entryOf, newTier, read, textOf } from "../support/tiers.js";
import { until } from "../support/wait.js";

const BREAKER = { failures: 3, window: "1h", probeAfter: "1h" } as const;

let server: RedisServer;
let prefixes = 0;
const servers: { close(): unknown }[] = [];

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.close());
afterEach(async () => {
  await Promise.all(servers.splice(0).map((each) => each.close()));
});

async function newServer(...args: string[]): Promise<RedisServer> {
  const started = await startRedis({ arguments: args });
  servers.push(started);
  return started;
}

/** A tier with something under "k", and the name that it has in Redis. */
async function withEntry(): Promise<AttachedTier & { client: Redis; name: string }> {
  prefixes++;
  const attached = newTier({ url: server.url, prefix: `t${prefixes}:`, compress: { above: 1_000, with: "gzip" } });
  await attached.tier.set("k", entryOf("value"), {});
  const client = server.client();
  const [name] = await client.keys(`t${prefixes}:v*:k`);
  return { ...attached, client, name: name as string };
}

/** The bytes of a key after a change of them. */
async function edit(client: Redis, name: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  await client.set(name, change((await client.getBuffer(name)) as Buffer), "PX", 60_000);
}

const SPOILT: Record<string, (client: Redis, name: string) => Promise<unknown>> = {
  "of another type": async (client, name) => {
    await client.del(name);
    await client.hset(name, "field", "value");
  },
  "text that somebody else has written": (client, name) => client.set(name, '{"name":"somebody else"}'),
  "nothing at all": (client, name) => client.set(name, ""),
  "an entry without its end": (client, name) => edit(client, name, (bytes) => bytes.subarray(0, -1)),
  "half a header": (client, name) => edit(client, name, (bytes) => bytes.subarray(0, 40)),
  "an entry with more after its end": (client, name) =>
    edit(client, name, (bytes) => Buffer.concat([bytes, Buffer.from("x")])),
  "an entry of another version": (client, name) =>
    edit(client, name, (bytes) => {
      bytes[2] = 99;
      return bytes;
    }),
  "an entry that is compressed in an unknown way": (client, name) =>
    edit(client, name, (bytes) => {
      bytes[5] = 77;
      return bytes;
    }),
  "an entry that says it is compressed and is not": (client, name) =>
    edit(client, name, (bytes) => {
      bytes[5] = 1;
      return bytes;
    }),
  "tags that claim to be longer than they are": (client, name) =>
    edit(client, name, (bytes) => {
      const spoilt = Buffer.concat([bytes.subarray(0, 64), Buffer.alloc(12, 255), bytes.subarray(64)]);
      spoilt.writeUInt32BE(12, 56);
      return spoilt;
    }),
};

describe.each(Object.entries(SPOILT))("%s under a key", (_, spoil) => {
  test("is a miss and a counted error, and is told", async () => {
    const { tier, told, client, name } = await withEntry();
    await spoil(client, name);
    expect(await read(tier, "k")).toBeUndefined();
    expect(tier.stats()).toMatchObject({ misses: 1, undecodable: 1, errors: 1, breaker: "closed" });
    expect(told.events).toMatchObject([{ type: "error", operation: "get" }]);
    expect(String(told.events[0]?.type === "error" && told.events[0].error.message)).toContain('Redis has for "k"');
  });

  test("does not keep what is loaded from being stored, with a lease or without", async () => {
    const { tier, client, name } = await withEntry();
    for (const leaseMs of [60_000, 0]) {
      await spoil(client, name);
      const { lease, asOf } = await tier.get("k", { leaseMs });
      expect(await tier.set("k", entryOf("value"), { lease, asOf })).toBe(true);
      expect(await read(tier, "k")).toBe("value");
    }
  });

  test("can be deleted, expired and written over", async () => {
    const { tier, client, name } = await withEntry();
    await spoil(client, name);
    await tier.expire("k");
    await tier.delete(["k"]);
    expect(await client.exists(name)).toBe(0);
    await spoil(client, name).catch(() => undefined);
    await tier.set("k", entryOf("value"), {});
    expect(await read(tier, "k")).toBe("value");
  });
});

describe("a value that is too large", () => {
  test("is refused before it is sent, with both sizes", async () => {
    const { tier, told } = newTier({ url: server.url, maxValueSize: 10 });
    const written = tier.set("big", entryOf("more than ten"), {});
    await expect(written).rejects.toMatchObject({
      code: "ERR_TIER",
      operation: "set",
      key: "big",
      length: 13,
      max: 10,
    });
    await expect(written).rejects.toThrow("maxValueSize");
    expect(told.events).toEqual([]);
  });

  test("is a miss for a process that takes less, also where it would grow when it is decompressed", async () => {
    prefixes++;
    const settings = { url: server.url, prefix: `t${prefixes}:`, compress: { above: 0, with: "gzip" } } as const;
    const generous = newTier(settings).tier;
    const modest = newTier({ ...settings, maxValueSize: 1_000 }).tier;
    await generous.set("k", entryOf("x".repeat(100_000)), {});
    expect(await read(modest, "k")).toBeUndefined();
    expect(modest.stats().undecodable).toBe(1);
    expect(await read(generous, "k")).toHaveLength(100_000);
  });
});

describe("a script cache that was emptied", () => {
  test("is filled again", async () => {
    const { tier, client } = await withEntry();
    await client.script("FLUSH");
    expect(await read(tier, "k")).toBe("value");
    await client.script("FLUSH");
    await tier.set("k", entryOf("other", { tags: ["x"] }), {});
    await client.script("FLUSH");
    await tier.invalidateTags(["x"]);
    expect(await read(tier, "k")).toBeUndefined();
    expect(tier.stats().errors).toBe(0);
  });
});

describe("a server whose memory is full", () => {
  test("refuses writes with a typed error, and is read on", async () => {
    const full = await newServer("--maxmemory", "3mb", "--maxmemory-policy", "noeviction");
    const { tier } = newTier({ url: full.url, breaker: BREAKER, compress: false });
    await tier.set("k", entryOf("value"), {});
    await full.client().config("SET", "maxmemory", "1");
    for (let i = 0; i < 5; i++) {
      const written = tier.set("k", entryOf("other"), {});
      await expect(written).rejects.toMatchObject({ code: "ERR_TIER", operation: "set", name: "TierError" });
      await expect(written).rejects.toThrow("OOM");
      expect(await read(tier, "k")).toBe("value");
    }
    expect(tier.stats()).toMatchObject({ errors: 5, breaker: "closed", hits: 5 });
    await tier.delete(["k"]);
    expect(await read(tier, "k")).toBeUndefined();
    expect(await tier.get("k", { leaseMs: 1_000 })).toMatchObject({ lease: undefined, isHeld: false });
  });

  test("gives no leases, and its stale entries all the same", async () => {
    const full = await newServer("--maxmemory-policy", "noeviction");
    const { tier } = newTier({ url: full.url, breaker: BREAKER });
    await tier.set("k", entryOf("old", { freshMs: 0 }), {});
    await full.client().config("SET", "maxmemory", "1");
    const answer = await tier.get("k", { leaseMs: 1_000 });
    expect(answer).toMatchObject({ lease: undefined, isHeld: false });
    expect(textOf(answer)).toBe("old");
    expect(tier.stats()).toMatchObject({ hits: 1, errors: 1, breaker: "closed" });
  });
});

describe("a replica that takes no writes", () => {
  test("refuses them with a typed error, and is read on", async () => {
    const replica = await newServer();
    const client = replica.client();
    const { tier } = newTier({ url: replica.url, breaker: BREAKER });
    await tier.set("k", entryOf("value"), {});
    await client.replicaof("127.0.0.1", 1);
    const written = tier.set("k", entryOf("other"), {});
    await expect(written).rejects.toMatchObject({ code: "ERR_TIER", operation: "set" });
    await expect(written).rejects.toThrow("READONLY");
    await until(async () => (await read(tier, "k")) === "value", "it is not read any more");
    await client.replicaof("NO", "ONE");
    await until(() => tier.set("k", entryOf("master"), {}), "it is not written any more");
    expect(await read(tier, "k")).toBe("master");
  });
});

describe("a server that answers everything with an error", () => {
  test.each([
    ["LOADING Redis is loading the dataset in memory", "open"],
    ["CLUSTERDOWN The cluster is down", "open"],
    ["MASTERDOWN Link with MASTER is down", "open"],
    ["NOAUTH Authentication required.", "open"],
    ["NOPERM this user has no permissions to run the 'evalsha' command", "closed"],
    ["ERR something of this command", "closed"],
  ])("%s: look-ups miss, writes reject, the breaker is %s", async (error, breaker) => {
    const port = await startRefusing(error);
    // The client of somebody who has switched off all that would ask first.
    const client = new Redis(port, { enableReadyCheck: false, protocol: 2, disableClientInfo: true });
    client.on("error", () => undefined);
    const { tier } = newTier({ client, breaker: BREAKER });
    await expect(tier.set("k", entryOf("x"), {})).rejects.toThrow(error.slice(0, 7));
    for (let i = 0; i < 4; i++) expect(await read(tier, "k")).toBeUndefined();
    expect(tier.stats().breaker).toBe(breaker);
    client.disconnect();
  });
});

/** A server that knows one answer. */
async function startRefusing(error: string): Promise<number> {
  const sockets = new Set<Socket>();
  const refusing: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      const commands = chunk.toString("latin1").match(/\*\d+\r\n/g) ?? [];
      socket.write(`-${error}\r\n`.repeat(commands.length));
    });
  });
  await new Promise<void>((resolve) => refusing.listen(0, "127.0.0.1", resolve));
  servers.push({
    close: () => {
      for (const socket of sockets) socket.destroy();
      refusing.close();
    },
  });
  const address = refusing.address();
  return typeof address === "object" && address ? address.port : 0;
}
