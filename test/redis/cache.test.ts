// The whole cache on a real Redis: what happens when Redis dies, freezes, fills up or is full of junk while it is used; and
// one load among several processes. Nothing here counts milliseconds: see bench/ for what each costs.
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import type { Cache, CacheOptions } from "../../ts/index.js";
import { type RedisTierOptions, redisTier } from "../../ts/redis/index.js";
import { newCache } from "../support/caches.js";
import { FakeClock, turn } from "../support/fake-clock.js";
import { type RedisServer, startRedis } from "../support/redis.js";
import { until } from "../support/wait.js";

const servers: RedisServer[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function newServer(...args: string[]): Promise<RedisServer> {
  const server = await startRedis({ arguments: args });
  servers.push(server);
  return server;
}

const IMPATIENT = { commandTimeout: "2s", breaker: { failures: 3, probeAfter: 50 } } as const;

function cacheOn<T>(
  server: RedisServer,
  options: Partial<CacheOptions<T>> = {},
  tier: RedisTierOptions = {},
): Cache<T> {
  return newCache<T>({ l2: redisTier({ url: server.url, ...IMPATIENT, ...tier }), ...options });
}

/** Waits until a look-up reaches Redis. */
async function connected(cache: Cache<string>): Promise<void> {
  let probes = 0;
  await until(async () => {
    probes++;
    await cache.getOrLoad(`probe ${probes}`, () => "probe");
    await cache.flush();
    const { l2 } = cache.stats();
    return (l2?.writes ?? 0) > 0;
  }, "the tier does not reach Redis");
}

describe("while Redis is away", () => {
  test("a load of a key whose delete hangs costs one time-out, and not two", async () => {
    const server = await newServer();
    const clock = new FakeClock();
    const cache = cacheOn<string>(server, {}, { commandTimeout: 50, coherence: "ttl-only", clock });
    await connected(cache);
    server.freeze();
    cache.delete("key");
    const loaded = cache.getOrLoad("key", () => "loaded");
    await turn();
    clock.advance(50);
    expect(await loaded).toBe("loaded");
    server.thaw();
  });

  test.each(["killed", "frozen"] as const)("%s in the middle of traffic: not one request fails", async (how) => {
    const server = await newServer();
    const cache = cacheOn<string>(server, { l0: false, ttl: 20 }, { commandTimeout: 100 });
    await connected(cache);
    const states: string[] = [];
    cache.on("breaker", ({ to }) => states.push(to));
    let loads = 0;
    const request = (n: number) =>
      cache.getOrLoad(`key ${n % 200}`, async (key) => {
        loads += 1;
        return `value of ${key}`;
      });
    const traffic = async (batches: number): Promise<void> => {
      for (let batch = 0; batch < batches; batch++) {
        const values = await Promise.all(Array.from({ length: 50 }, (_, i) => request(batch * 50 + i)));
        for (const [i, value] of values.entries()) expect(value).toBe(`value of key ${(batch * 50 + i) % 200}`);
      }
    };
    await traffic(20);
    if (how === "killed") await server.kill();
    else server.freeze();
    await until(async () => {
      await traffic(4);
      return states.includes("open");
    }, "the breaker does not open");
    const { skipped } = cache.stats().l2 ?? { skipped: 0 };
    await until(async () => {
      await traffic(4);
      return (cache.stats().l2?.skipped ?? 0) > skipped;
    }, "nobody is spared Redis while the breaker is open");
    if (how === "killed") await server.start();
    else server.thaw();
    await until(async () => {
      await traffic(4);
      return cache.stats().l2?.breaker === "closed";
    }, "Redis is not used again");
    const before = cache.stats().l2?.writes ?? 0;
    await until(async () => {
      await traffic(4);
      await cache.flush();
      return (cache.stats().l2?.writes ?? 0) > before;
    }, "nothing is written to Redis any more");
    expect(loads).toBeGreaterThan(0);
  });

  test("with no Redis from the start, everything works and is counted", async () => {
    const server = await newServer();
    await server.kill();
    const cache = cacheOn<string>(server);
    cache.set("set", "value");
    expect(await cache.getOrLoad("key", () => "loaded")).toBe("loaded");
    expect([cache.get("set"), cache.get("key")]).toEqual(["value", "loaded"]);
    cache.delete("set");
    cache.invalidateTags("tag");
    await cache.flush();
    expect(cache.stats().loads.tierErrors).toBeGreaterThan(0);
  });
});

describe("what is wrong in Redis is a miss, and counted", () => {
  test("a full Redis, and keys of another type", async () => {
    const server = await newServer();
    const cache = cacheOn<string>(server);
    await connected(cache);
    const client = server.client();
    await client.config("SET", "maxmemory", "1");
    await client.config("SET", "maxmemory-policy", "noeviction");
    expect(await cache.getOrLoad("key", () => "loaded")).toBe("loaded");
    await cache.flush();
    expect(cache.stats().loads.tierErrors).toBeGreaterThan(0);
    expect(cache.get("key")).toBe("loaded");
  });
});

describe("two caches on one Redis", () => {
  test("hear of each other's writes", async () => {
    const server = await newServer();
    const [a, b] = [cacheOn<string>(server), cacheOn<string>(server)];
    await connected(a);
    await connected(b);
    await until(() => a.stats().l2?.coherence !== "ttl-only" && b.stats().l2?.coherence !== "ttl-only", "no coherence");
    a.set("key", "first");
    await a.flush();
    expect(await b.getOrLoad("key", () => "loaded")).toBe("first");
    a.set("key", "second", { tags: ["tag"] });
    await a.flush();
    await until(() => b.get("key") === undefined, "b still has the first");
    expect(await b.getOrLoad("key", () => "loaded")).toBe("second");
    a.invalidateTags("tag");
    await a.flush();
    await until(() => b.get("key") === undefined, "b still has the second");
    expect(await b.getOrLoad("key", () => "loaded")).toBe("loaded");
  });

  test("tags and versions hold after a restart of the processes", async () => {
    const server = await newServer();
    const first = cacheOn<string>(server);
    await connected(first);
    for (const key of ["a", "b"]) first.set(key, "old", { tags: [`tag ${key}`] });
    await first.flush();
    first.invalidateTags("tag a");
    await first.flush();
    first.close();
    const second = cacheOn<string>(server);
    await connected(second);
    expect(await second.getOrLoad("a", () => "loaded")).toBe("loaded");
    expect(await second.getOrLoad("b", () => "loaded")).toBe("old");
    second.bumpVersion();
    await second.flush();
    second.close();
    const third = cacheOn<string>(server);
    await connected(third);
    expect(await third.getOrLoad("b", () => "loaded")).toBe("loaded");
  });
});

describe("among four processes", () => {
  interface Said {
    ready: true;
    warm: true;
    asked: true;
    loading: true;
    got: unknown[];
  }

  /** A process of test/support/asking-process.mjs. */
  class Asker {
    readonly #child: ChildProcess;
    readonly #messages: Partial<Said>[] = [];
    loads = 0;

    constructor(url: string) {
      const script = fileURLToPath(new URL("../support/asking-process.mjs", import.meta.url));
      this.#child = fork(script, [JSON.stringify({ url, prefix: "flight:" })]);
      children.push(this.#child);
      this.#child.on("message", (message: Partial<Said>) => {
        this.loads += message.loading ? 1 : 0;
        this.#messages.push(message);
      });
    }

    tell(command: string, rest: object = {}): void {
      this.#child.send({ command, ...rest });
    }

    async next<K extends keyof Said>(what: K): Promise<Said[K]> {
      let found: Partial<Said> | undefined;
      await until(() => {
        const at = this.#messages.findIndex((message) => what in message);
        [found] = at === -1 ? [] : this.#messages.splice(at, 1);
        return found !== undefined;
      }, `no process says ${what}`);
      return found?.[what] as Said[K];
    }
  }

  async function start(server: RedisServer): Promise<Asker[]> {
    const all = Array.from({ length: 4 }, () => new Asker(server.url));
    await Promise.all(all.map((asker) => asker.next("ready")));
    return all;
  }

  const loadsOf = (all: readonly Asker[]): number => all.reduce((sum, { loads }) => sum + loads, 0);

  test("1,000 concurrent misses of one key run one loader", async () => {
    const server = await newServer();
    const all = await start(server);
    for (const asker of all) asker.tell("warmUp");
    await Promise.all(all.map((asker) => asker.next("warm")));
    for (const asker of all) asker.tell("ask", { key: "key", times: 250 });
    await Promise.all(all.map((asker) => asker.next("asked")));
    await until(() => loadsOf(all) > 0, "nobody loads");
    for (const asker of all) asker.tell("resolve", { value: "value" });
    for (const asker of all) expect(await asker.next("got")).toEqual(Array.from({ length: 250 }, () => "value"));
    expect(loadsOf(all)).toBe(1);
  });

  test("with Redis down, one each", async () => {
    const server = await newServer();
    await server.kill();
    const all = await start(server);
    for (const asker of all) asker.tell("ask", { key: "key", times: 250 });
    await Promise.all(all.map((asker) => asker.next("loading")));
    for (const asker of all) asker.tell("resolve", { value: "value" });
    for (const asker of all) expect(await asker.next("got")).toEqual(Array.from({ length: 250 }, () => "value"));
    expect(loadsOf(all)).toBe(4);
  });
});
