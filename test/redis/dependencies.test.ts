// What depends on other keys lives in Redis, too, and is gone as soon as one of them is no longer what it was before the load:
// written, deleted or expired by this process, another, or a foreign client, whether a process was there to hear of it
// or not.
import type { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Cache } from "../../ts/index.js";
import { redisTier } from "../../ts/redis/index.js";
import { newCache } from "../support/caches.js";
import { type RedisServer, startRedis } from "../support/redis.js";
import { until } from "../support/wait.js";

let server: RedisServer;
let client: Redis;
let prefix = "";
let tests = 0;
let loads = 0;

beforeAll(async () => {
  server = await startRedis();
  client = server.client();
});
afterAll(() => server.close());
beforeEach(() => {
  tests++;
  prefix = `test-${tests}:`;
  loads = 0;
});

/** A process' cache, as it is after a start: with nothing in memory. */
async function startProcess(): Promise<Cache<string>> {
  const tier = redisTier({ url: server.url, prefix, commandTimeout: "10s", coherence: "tracking" });
  const cache = newCache<string>({ ttl: "1h", jitter: 0, l2: tier });
  await until(() => cache.stats().l2?.coherence === "tracking", "changes are not told");
  return cache;
}

/** The page that is built from a product. */
function page(cache: Cache<string>): Promise<string | undefined> {
  const build = async (): Promise<string> => {
    loads++;
    return `page of ${(await cache.getOrLoad("product", () => undefined)) ?? "nothing"}`;
  };
  return cache.getOrLoad("page", build, { dependsOn: ["product"] });
}

async function stored(cache: Cache<string>, product: string): Promise<void> {
  cache.set("product", product);
  await cache.flush();
}

async function nameOf(key: string): Promise<string> {
  const [name] = await client.keys(`${prefix}v*:${key}`);
  return name as string;
}

test("another process, and one that was started later, finds it", async () => {
  const first = await startProcess();
  await stored(first, "kettle");
  expect(await page(first)).toBe("page of kettle");
  await first.flush();
  expect(await page(await startProcess())).toBe("page of kettle");
  first.close();
  expect(await page(await startProcess())).toBe("page of kettle");
  expect(loads).toBe(1);
});

test.each([
  ["written", (cache: Cache<string>) => stored(cache, "teapot")],
  ["written alike", (cache: Cache<string>) => stored(cache, "kettle")],
  ["deleted", async (cache: Cache<string>) => void cache.delete("product")],
  ["expired", async (cache: Cache<string>) => void cache.expire("product")],
  ["deleted by a foreign client", async () => void (await client.unlink(await nameOf("product")))],
  ["written by a foreign client", async () => void (await client.set(await nameOf("product"), "junk"))],
] as [string, (cache: Cache<string>) => Promise<void>][])(
  "what it depends on is %s while one process runs, another has yet to start",
  async (_, change) => {
    const [writer, reader] = [await startProcess(), await startProcess()];
    await stored(writer, "kettle");
    await page(writer);
    await writer.flush();
    await page(reader);
    expect(loads).toBe(1);
    await change(writer);
    await writer.flush();
    await until(() => reader.get("page") === undefined, "the other process is not told");
    await page(await startProcess());
    expect(loads).toBe(2);
  },
);

test("what is written in the middle of the load counts: the page is of the product before", async () => {
  const [slow, other] = [await startProcess(), await startProcess()];
  await stored(other, "kettle");
  const old = slow.getOrLoad(
    "page",
    async () => {
      const product = await slow.getOrLoad("product", () => undefined);
      await stored(other, "teapot");
      return `page of ${product}`;
    },
    { dependsOn: ["product"] },
  );
  expect(await old).toBe("page of kettle");
  await slow.flush();
  for (const cache of [slow, other, await startProcess()]) {
    await until(async () => (await page(cache)) === "page of teapot", "the old page is served");
  }
});

test("a change that is on its way to Redis is waited for", async () => {
  const cache = await startProcess();
  await stored(cache, "kettle");
  await page(cache);
  await cache.flush();
  cache.set("product", "teapot");
  expect(await page(cache)).toBe("page of teapot");
  cache.delete("product");
  expect(await page(cache)).toBe("page of nothing");
});

test("whoever asks without saying what it depends on is told of changes all the same", async () => {
  const [writer, reader] = [await startProcess(), await startProcess()];
  await stored(writer, "kettle");
  await page(writer);
  await writer.flush();
  await until(async () => {
    // The message of the writes may still be on its way: then what was read before it is not kept.
    expect(await reader.getOrLoad("page", () => "not found")).toBe("page of kettle");
    return reader.get("page") === "page of kettle";
  }, "it is not kept");
  await stored(writer, "teapot");
  await until(() => reader.get("page") === undefined, "it is not told");
  expect(await reader.getOrLoad("page", () => "not found")).toBe("not found");
});

test("what depends on something that Redis does not have, or says so too late, stays in the process", async () => {
  const [one, other] = [await startProcess(), await startProcess()];
  await one.getOrLoad("page", () => "of nothing", { dependsOn: ["absent"] });
  await stored(one, "kettle");
  await one.getOrLoad("late", (_, context) => {
    context.dependsOn("product");
    return "page";
  });
  one.set("set", "page", { dependsOn: ["product"] });
  await one.flush();
  expect(["page", "late", "set"].map((key) => one.get(key))).toEqual(["of nothing", "page", "page"]);
  for (const key of ["page", "late", "set"]) {
    expect(await other.getOrLoad(key, () => "not found")).toBe("not found");
  }
});
