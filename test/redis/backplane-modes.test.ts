// Which way is in force: chosen by trying, told, and chosen anew where a server turns out not to have it. Clusters and
// sentinels, and servers that are none.
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { pathToFileURL } from "node:url";
import { Cluster, Redis } from "ioredis";
import { afterEach, describe, expect, test } from "vitest";
import { DEFAULT_SETTINGS } from "../../ts/redis/backplane/backplane.js";
import { nodesOf } from "../../ts/redis/backplane/nodes.js";
import { Backoff } from "../../ts/redis/backplane/retry.js";
import { entryName, newBackplane, PREFIX, startBackplane } from "../support/backplane.js";
import { bundle } from "../support/bundle.js";
import { type RedisServer, startRedis } from "../support/redis.js";
import { startCluster } from "../support/redis-cluster.js";
import { startSentinels } from "../support/redis-sentinel.js";
import { runScript } from "../support/scripts.js";
import { until } from "../support/wait.js";

const QUICK = { deadlineMs: 400 };
const clients: (Redis | Cluster)[] = [];
const servers: { server: Server; sockets: Set<Socket> }[] = [];

afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect();
  for (const { server, sockets } of servers.splice(0)) {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
});

/** Something that listens and is no Redis: answers what `answer` says to each piece that comes. */
async function startImpostor(answer: (text: string) => string) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("data", (bytes) => socket.write(answer(bytes.toString("latin1"))));
  });
  servers.push({ server, sockets });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { host: "127.0.0.1", port: (server.address() as { port: number }).port, sockets };
}

/** A user who may do all but the given command. */
async function addLimitedUser(server: RedisServer, without: string) {
  await server.client().call("ACL", "SETUSER", "limited", "on", ">pw", "~*", "&*", "+@all", without);
  return { host: server.host, port: server.port, username: "limited", password: "pw" };
}

describe("auto", () => {
  test("is tracking where the server has it", async () => {
    const server = await startRedis();
    const { backplane, host } = await startBackplane(server);
    expect(backplane.coherence).toBe("tracking");
    expect(host.errors).toEqual([]);
    expect(await server.client().exists(`${PREFIX}changes`)).toBe(0);
  });

  test("is the stream where tracking is not allowed", async () => {
    const server = await startRedis();
    const { backplane, host } = await startBackplane(server, {
      address: await addLimitedUser(server, "-client|tracking"),
    });
    expect(backplane.coherence).toBe("stream");
    expect(host.modes).toEqual(["ttl-only>stream"]);
    expect(host.errors[0]).toContain("a stream takes its place");
    expect(backplane.stats().gaps).toBe(0);
  });

  test("is the stream where the server speaks no RESP3", async () => {
    const server = await startRedis({ arguments: ["--rename-command", "HELLO", ""] });
    const { backplane, host } = await startBackplane(server);
    expect(backplane.coherence).toBe("stream");
    expect(host.errors[0]).toContain("unknown command");
  });

  test("is by TTL where there is neither, and says so once", async () => {
    const server = await startRedis();
    await server
      .client()
      .call("ACL", "SETUSER", "limited", "on", ">pw", "~*", "&*", "+@all", "-client|tracking", "-xread");
    const address = { host: server.host, port: server.port, username: "limited", password: "pw" };
    const { backplane, host } = newBackplane(server, { address });
    backplane.start(host);
    await until(() => host.errors.length === 2, "the trouble is not reported");
    expect(backplane.coherence).toBe("ttl-only");
    expect(host.modes).toEqual([]);
    await backplane.publish({ keys: ["key"] });
  });

  test("lets those that track and those that read the stream hear of each other", async () => {
    const server = await startRedis();
    const tracking = await startBackplane(server);
    const address = await addLimitedUser(server, "-client|tracking");
    const reading = await startBackplane(server, { address });
    // A write through the tier: Redis first, then the others.
    await server.client().set(entryName("from tracking"), "x");
    await tracking.backplane.publish({ keys: ["from tracking"], tags: ["tag 1"] });
    await server.client().set(entryName("from stream"), "x");
    await reading.backplane.publish({ keys: ["from stream"], tags: ["tag 2"], version: 3 });
    await until(() => reading.host.keys.includes("from tracking"), "the stream does not tell of those that track");
    await until(
      () => tracking.host.keys.includes("from stream"),
      "tracking does not tell of those that read the stream",
    );
    await until(() => tracking.host.versions[0] === 3, "the version is not told");
    await until(() => tracking.host.tags.includes("tag 2") && reading.host.tags.includes("tag 1"), "a tag is not told");
  });

  test("does not try for ever to write to a stream that it may not write to", async () => {
    const server = await startRedis();
    await server.client().call("ACL", "SETUSER", "limited", "on", ">pw", "~*", "&*", "+@all", "-xadd");
    const commands = server.client({ username: "limited", password: "pw" });
    const { backplane, host } = await startBackplane(server, { commands });
    await backplane.publish({ keys: ["key"] });
    await until(() => backplane.stats().unpublished === 0, "it is kept");
    expect(host.errors.length).toBe(1);
  });

  test("goes to the stream when the right to track is taken away, and stays coherent", async () => {
    const server = await startRedis();
    const address = await addLimitedUser(server, "+ping");
    const { backplane, host } = await startBackplane(server, { address });
    expect(backplane.coherence).toBe("tracking");
    await server.client().call("ACL", "SETUSER", "limited", "-client|tracking");
    await server.client().client("KILL", "USER", "limited");
    await until(() => backplane.coherence === "stream", "the stream does not come into force");
    expect(host.modes).toEqual(["ttl-only>tracking", "tracking>ttl-only", "ttl-only>stream"]);
  });
});

// As docs/coherence.md says.
test.each([
  ["tracking", ["+hello", "+client", "+ping", "+set", "+unlink"]],
  ["stream", ["+client", "+xadd", "+xread", "+xrange", "+xlen", "+info", "+del"]],
] as const)("%s needs no other rights than %j", async (mode, rights) => {
  const server = await startRedis();
  await server.client().call("ACL", "SETUSER", "limited", "reset", "on", ">pw", `~${PREFIX}*`, ...rights);
  const address = { host: server.host, port: server.port, username: "limited", password: "pw" };
  const login = { username: "limited", password: "pw", enableReadyCheck: false };
  const first = await startBackplane(server, { mode, address, commands: server.client(login) });
  const second = await startBackplane(server, { mode, address, commands: server.client(login) });
  await first.backplane.publish({ tags: ["tag"], version: 3 });
  await until(() => second.host.tags.length > 0 && second.host.versions.length > 0, "the change is not told");
  expect([...first.host.errors, ...second.host.errors]).toEqual([]);
});

describe("ttl-only", () => {
  test("opens no connection and tells nobody", async () => {
    const server = await startRedis();
    const { backplane, host, client } = newBackplane(server, { mode: "ttl-only" });
    backplane.start(host);
    await until(() => client?.status === "ready", "no connection");
    await backplane.publish({ keys: ["key"], tags: ["tag"], all: true, version: 5 });
    expect(await server.client().dbsize()).toBe(0);
    expect(String(await server.client().client("LIST"))).not.toContain("nearcache-");
    expect(host).toMatchObject({ events: [], allCount: 0 });
  });
});

describe("a server that is none", () => {
  test.each([
    ["speaks HTTP", () => "HTTP/1.1 400 Bad Request\r\n\r\n"],
    ["sends junk", () => "\0\u00ff\u00fe junk \r\n"],
    ["replies too often", () => "+OK\r\n+OK\r\n"],
    ["never replies", () => ""],
    ["is loading", () => "-LOADING Redis is loading the dataset in memory\r\n"],
    ["has too many clients", () => "-ERR max number of clients reached\r\n"],
  ])("and %s is tried again, without going to the stream", async (_, answer) => {
    const server = await startRedis();
    const impostor = await startImpostor(answer);
    const { backplane, host } = newBackplane(server, { address: impostor, settings: QUICK });
    backplane.start(host);
    await until(() => impostor.sockets.size >= 3, "it is not tried again");
    expect(host.errors.length).toBe(1);
    expect(host.errors[0]).toContain("it will be tried again");
    expect(backplane.coherence).toBe("ttl-only");
    expect(host.allCount).toBe(0);
  });

  test("and says yes to all but pushes nothing is not believed", async () => {
    const server = await startRedis();
    const impostor = await startImpostor((text) => (text.includes("PING") ? "+PONG\r\n" : "+OK\r\n"));
    const settings = { deadlineMs: 100 };
    const { backplane, host } = newBackplane(server, { mode: "tracking", address: impostor, settings });
    backplane.start(host);
    await until(() => host.errors.length === 1, "it is believed");
    expect(host.errors[0]).toContain("no push arrives");
    expect(backplane.coherence).toBe("ttl-only");
  });
});

describe("a cluster", () => {
  async function startClusterClient() {
    const cluster = await startCluster();
    const client = new Cluster([...cluster.startupNodes], { clusterRetryStrategy: () => 20 });
    client.on("error", () => undefined);
    clients.push(client);
    await until(() => client.nodes("master").length === 3, "the client does not see the cluster");
    return { ...cluster, client, options: { nodes: nodesOf(client), commands: client } };
  }

  test("is covered on every node, or not at all", async () => {
    const { nodes, client, options, close } = await startClusterClient();
    const [first] = nodes as [RedisServer];
    const { backplane, host } = await startBackplane(first, { ...options, settings: QUICK });
    expect(backplane.coherence).toBe("tracking");
    const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`);
    await Promise.all(keys.map((key) => client.set(entryName(key), "x")));
    await until(() => keys.every((key) => host.keys.includes(key)), "not all keys are named");
    const other = await startBackplane(first, { ...options, settings: QUICK });
    await other.backplane.publish({ tags: ["tag"], version: 2 });
    await until(() => host.tags.includes("tag") && host.versions.includes(2), "the tag or the version is not told");
    await nodes[1]?.kill();
    await until(() => backplane.coherence === "ttl-only", "the death of a node was not noticed");
    expect(backplane.stats().gaps).toBe(1);
    await close();
  });

  test("has its stream on one node, which is found", async () => {
    const { nodes, options, close } = await startClusterClient();
    const [first] = nodes as [RedisServer];
    const starts = nodes.map((node) => ({ host: node.host, port: node.port }));
    const readers = await Promise.all(
      starts.map((address) => startBackplane(first, { ...options, mode: "stream", nodes: { nodes: () => [address] } })),
    );
    await readers[0]?.backplane.publish({ keys: ["key"] });
    await until(() => readers.slice(1).every(({ host }) => host.keys.includes("key")), "not all are told");
    await close();
  });
});

test.each(["tracking", "stream"] as const)("after a failover the new master is followed (%s)", async (mode) => {
  const { name, master, replica, sentinels, masterPort, close } = await startSentinels();
  const addresses = sentinels.map(({ host, port }) => ({ host, port }));
  const client = new Redis({ sentinels: addresses, name, sentinelRetryStrategy: () => 20, retryStrategy: () => 20 });
  client.on("error", () => undefined);
  clients.push(client);
  const options = { mode, nodes: nodesOf(client), commands: client, settings: QUICK };
  const { backplane, host } = await startBackplane(master, options);
  master.freeze();
  await until(async () => (await masterPort()) === replica.port, "no failover");
  // It is a replica when it wakes, and says nothing of what the new master does before it has caught up.
  client.disconnect(true);
  await until(() => backplane.coherence === mode && backplane.stats().gaps > 0, "it does not follow");
  const writer = await startBackplane(replica, { mode });
  await replica.client().set(entryName("after"), "x");
  await writer.backplane.publish({ keys: ["after"] });
  await until(() => host.keys.includes("after"), "changes at the new master are not told");
  await close();
});

test("no connection and no timer keeps a process alive", async () => {
  const server = await startRedis();
  const script = await bundle(new URL("../support/backplane-main.ts", import.meta.url));
  const { code, output } = await runScript(pathToFileURL(script), [String(server.port)]);
  expect({ code, output }).toEqual({ code: 0, output: "tracking stream" });
});

test("pauses between attempts double up to the longest, with jitter", async () => {
  const pauses: number[] = [];
  const clock = {
    now: () => 0,
    setTimer: (callback: () => void, ms: number) => {
      pauses.push(ms);
      callback();
      return { cancel: () => undefined };
    },
  };
  const randoms = [0, 0.5, 0.999, 0, 0, 0];
  const context = { settings: { ...DEFAULT_SETTINGS, reconnectMsMax: 500 }, clock, random: () => randoms.shift() ?? 0 };
  const backoff = new Backoff(context);
  for (let attempt = 0; attempt < 5; attempt++) await backoff.pause();
  expect(pauses.map(Math.round)).toEqual([25, 75, 200, 200, 250]);
  backoff.reset();
  await backoff.pause();
  expect(pauses.at(-1)).toBe(25);
});
