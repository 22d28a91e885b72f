// What the other tests lean on does what it says: servers that start, freeze, die and come back, a cluster, sentinels, TLS,
// and a proxy that breaks connections.
import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { Cluster, Redis } from "ioredis";
import { afterEach, describe, expect, test } from "vitest";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";
import { startCluster } from "../support/redis-cluster.js";
import { startSentinels } from "../support/redis-sentinel.js";
import { until } from "../support/wait.js";

describe("a server", () => {
  test("answers, freezes, thaws, and comes back empty on the same port after it was killed", async () => {
    const server = await startRedis();
    const client = server.client();
    await client.set("key", "value");
    server.freeze();
    const frozen = client.get("key");
    server.thaw();
    expect(await frozen).toBe("value");
    const first = server.pid;
    await server.restart();
    expect(server.pid).not.toBe(first);
    expect(await client.get("key")).toBeNull();
    await server.close();
    expect(existsSync(server.folder)).toBe(false);
  });

  test("can be ended while it is frozen", async () => {
    const server = await startRedis();
    server.freeze();
    await server.stop();
    expect(() => process.kill(server.pid, 0)).toThrow();
  });

  test("speaks TLS, which needs its certificate", async () => {
    const server = await startRedis({ isTls: true });
    expect(server.url).toMatch(/^rediss:/);
    expect(await server.client().ping()).toBe("PONG");
    const stranger = new Redis({ port: server.port, tls: {}, lazyConnect: true, retryStrategy: null });
    stranger.on("error", () => undefined);
    await expect(stranger.connect()).rejects.toThrow();
  });
});

describe("several servers", () => {
  test("a cluster takes keys of all slots", async () => {
    const { startupNodes, close } = await startCluster();
    const cluster = new Cluster([...startupNodes]);
    for (let i = 0; i < 30; i++) await cluster.set(`key ${i}`, i);
    const sizes = await Promise.all(cluster.nodes("master").map((node) => node.dbsize()));
    expect(sizes.length).toBe(3);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    cluster.disconnect();
    await close();
  });

  test("sentinels make the replica the master when the master dies", async () => {
    const { name, master, replica, sentinels, masterPort, close } = await startSentinels();
    const addresses = sentinels.map(({ host, port }) => ({ host, port }));
    const client = new Redis({ sentinels: addresses, name, maxRetriesPerRequest: null });
    client.on("error", () => undefined);
    await client.set("key", "value");
    await client.wait(1, 5_000);
    expect(await masterPort()).toBe(master.port);
    await master.kill();
    await until(async () => (await masterPort()) === replica.port, "no failover");
    expect(await client.get("key")).toBe("value");
    client.disconnect();
    await close();
  });
});

describe("the proxy", () => {
  const opened: { server: Server; sockets: Socket[] }[] = [];

  afterEach(() => {
    for (const { server, sockets } of opened.splice(0)) {
      server.close();
      for (const socket of sockets) socket.destroy();
    }
  });

  /** A server that sends back what it gets, behind a proxy, and a connection to it that was used. */
  async function connected() {
    const sockets: Socket[] = [];
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket);
      socket.on("error", () => undefined).pipe(socket);
    });
    opened.push({ server, sockets });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const proxy = await startProxy((server.address() as { port: number }).port);
    const client = connect({ port: proxy.port, host: proxy.host, allowHalfOpen: true });
    sockets.push(client);
    const seen = { text: "", isEnded: false, isReset: false };
    client.on("data", (bytes) => {
      seen.text += bytes;
    });
    client.on("end", () => {
      seen.isEnded = true;
    });
    client.on("error", () => {
      seen.isReset = true;
    });
    client.write("a");
    await until(() => seen.text === "a", "no echo");
    return { proxy, client, seen };
  }

  test("holds everything back, and lets it through in order when it heals", async () => {
    const { proxy, client, seen } = await connected();
    proxy.blackhole();
    for (const letter of "bcdef") client.write(letter);
    const late = connect({ port: proxy.port, host: proxy.host });
    late.write("x");
    await once(late, "connect");
    await until(() => proxy.connections.length === 2, "the second connection was not accepted");
    expect(seen.text).toBe("a");
    proxy.heal();
    await until(() => seen.text === "abcdef", "what was held back did not come");
    late.destroy();
  });

  test("delays and keeps the order", async () => {
    const { proxy, client, seen } = await connected();
    proxy.delay(20);
    const started = performance.now();
    for (const letter of "bcd") client.write(letter);
    await until(() => seen.text === "abcd", "nothing came");
    expect(performance.now() - started).toBeGreaterThanOrEqual(38);
  });

  test("resets connections, and refuses new ones until it heals", async () => {
    const { proxy, seen } = await connected();
    proxy.cut();
    await until(() => seen.isReset, "the connection was not reset");
    proxy.refuse();
    const refused = connect({ port: proxy.port, host: proxy.host });
    const isReset = await once(refused, "data").catch((error: NodeJS.ErrnoException) => error.code === "ECONNRESET");
    expect(isReset).toBe(true);
    proxy.heal();
    const healed = connect({ port: proxy.port, host: proxy.host });
    healed.write("z");
    expect(String(await once(healed, "data"))).toBe("z");
    healed.destroy();
  });

  test("closes one half of a connection, and the other goes on", async () => {
    const { proxy, client, seen } = await connected();
    const [connection] = proxy.connections;
    connection?.halfClose("toClient");
    await until(() => seen.isEnded, "the client did not see the end");
    expect(client.writable).toBe(true);
    expect(proxy.connections.length).toBe(1);
  });
});
