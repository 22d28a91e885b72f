// Tags: an invalidation makes all that carries the tag unreachable, whatever its number, for every process and after losses.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Tier } from "../../ts/tier.js";
import { type RedisServer, startRedis } from "../support/redis.js";
import { entryOf, newTier, read } from "../support/tiers.js";

let server: RedisServer;
let prefixes = 0;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.close());

function processes(count: number): Tier[] {
  prefixes++;
  return Array.from({ length: count }, () => newTier({ url: server.url, prefix: `t${prefixes}:` }).tier);
}

async function commandCalls(command: string): Promise<number> {
  const stats = await server.client().info("commandstats");
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

test("an invalidation concerns what carries the tag, and only what was there before", async () => {
  const [one, other] = processes(2) as [Tier, Tier];
  await one.set("a", entryOf("a", { tags: ["x"] }), {});
  await one.set("b", entryOf("b", { tags: ["y"] }), {});
  await one.set("both", entryOf("both", { tags: ["x", "y"] }), {});
  await one.set("none", entryOf("none"), {});
  await other.invalidateTags(["x"]);
  await other.set("after", entryOf("after", { tags: ["x"] }), {});
  const keys = ["a", "b", "both", "none", "after"];
  expect(await Promise.all(keys.map((key) => read(one, key)))).toEqual([undefined, "b", undefined, "none", "after"]);
  await one.invalidateTags([]);
  await one.invalidateTags(["y", "unknown"]);
  expect(await Promise.all(keys.map((key) => read(other, key)))).toEqual([
    undefined,
    undefined,
    undefined,
    "none",
    "after",
  ]);
});

test("tags by the thousand, with any text", async () => {
  const [tier] = processes(1) as [Tier];
  const tags = Array.from({ length: 5_000 }, (_, i) => `tag ${i} {ü}:`);
  await tier.set("k", entryOf("many", { tags }), {});
  expect((await tier.get("k", { leaseMs: 0 })).entry?.tags).toEqual(tags);
  await tier.invalidateTags(["tag 4999 {ü}:"]);
  expect(await read(tier, "k")).toBeUndefined();
});

test("the tags of all that is looked up in one turn are asked for at once", async () => {
  const [tier] = processes(1) as [Tier];
  const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
  await Promise.all(keys.map((key, i) => tier.set(key, entryOf(key, { tags: [`t${i % 7}`, "all"] }), {})));
  const before = await commandCalls("mget");
  expect(await Promise.all(keys.map((key) => read(tier, key)))).toEqual(keys);
  expect((await commandCalls("mget")) - before).toBe(1);
});

test("a tag that Redis has lost counts as invalidated, and can be used again", async () => {
  const [one, other] = processes(2) as [Tier, Tier];
  const client = server.client();
  await one.set("k", entryOf("old", { tags: ["x"] }), {});
  await client.del(`t${prefixes}:tag:x`);
  expect(await read(one, "k")).toBeUndefined();
  await other.set("new", entryOf("new", { tags: ["x"] }), {});
  expect(await read(one, "new")).toBe("new");
  await one.invalidateTags(["x"]);
  await client.del(`t${prefixes}:tag:x`);
  await other.set("third", entryOf("third", { tags: ["x"] }), {});
  expect(await read(one, "new")).toBeUndefined();
});

test("a tag clock that Redis has lost makes nothing valid again", async () => {
  const [one] = processes(1) as [Tier];
  await one.set("k", entryOf("old", { tags: ["x"] }), {});
  for (let i = 0; i < 5; i++) await one.invalidateTags(["x"]);
  await server.client().del(`t${prefixes}:{state}:clock`, `t${prefixes}:tag:x`);
  expect(await read(one, "k")).toBeUndefined();
  await one.set("other", entryOf("x", { tags: ["x"] }), {});
  expect(await read(one, "k")).toBeUndefined();
  expect(await read(one, "other")).toBe("x");
});

test("a tag lives as long as what carries it, and not for ever where that ends", async () => {
  const [one] = processes(1) as [Tier];
  const client = server.client();
  const life = () => client.pttl(`t${prefixes}:tag:x`);
  await one.set("short", entryOf("x", { tags: ["x"], freshMs: 1_000, liveMs: 1_000 }), {});
  const shortest = await life();
  expect(shortest).toBeGreaterThan(60_000);
  await one.set("long", entryOf("x", { tags: ["x"], freshMs: 0, liveMs: 86_400_000 }), {});
  expect(await life()).toBeGreaterThan(86_000_000);
  await one.set("short", entryOf("x", { tags: ["x"], freshMs: 1_000, liveMs: 1_000 }), {});
  await one.invalidateTags(["x"]);
  expect(await life()).toBeGreaterThan(86_000_000);
  const forever = { freshMs: Number.POSITIVE_INFINITY, liveMs: Number.POSITIVE_INFINITY };
  await one.set("ever", entryOf("x", { tags: ["x"], ...forever }), {});
  await one.invalidateTags(["x"]);
  expect(await life()).toBe(-1);
});

test("something else under a tag's name makes what carries it unreachable, and refuses writes of it", async () => {
  const [one] = processes(1) as [Tier];
  await one.set("k", entryOf("old", { tags: ["x"] }), {});
  const client = server.client();
  await client.del(`t${prefixes}:tag:x`);
  await client.hset(`t${prefixes}:tag:x`, "a", "b");
  expect(await read(one, "k")).toBeUndefined();
  await expect(one.set("k", entryOf("new", { tags: ["x"] }), {})).rejects.toMatchObject({ code: "ERR_TIER" });
});
