// What a tier in Redis keeps and gives back: values, lifetimes, deletes, versions, patterns. One server, one prefix per test.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RedisServer, startRedis } from "../support/redis.js";
import { type AttachedTier, entryOf, newTier, read, textOf } from "../support/tiers.js";

let server: RedisServer;
let prefixes = 0;

beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.close());

/** Several tiers of one prefix stand for several processes. */
function newTiers(count: number): AttachedTier[] {
  prefixes++;
  return Array.from({ length: count }, () => newTier({ url: server.url, prefix: `t${prefixes}:` }));
}

function alone(): AttachedTier["tier"] {
  return (newTiers(1)[0] as AttachedTier).tier;
}

describe("an entry", () => {
  test("comes back as it was, in this process and in another", async () => {
    const [one, other] = newTiers(2) as [AttachedTier, AttachedTier];
    const entry = { kind: 9, bytes: Buffer.from([0, 255, 13, 10]), freshMs: 5_000, liveMs: 9_000, loadMs: 12.5 };
    await one.tier.set("k", { ...entry, tags: ["a", "ü"], etag: '"1"', lastModified: "yesterday" }, {});
    for (const { tier } of [one, other]) {
      const { entry: found } = await tier.get("k", { leaseMs: 0 });
      expect(found).toMatchObject({ kind: 9, loadMs: 12.5, tags: ["a", "ü"], etag: '"1"', lastModified: "yesterday" });
      expect([...(found?.bytes ?? [])]).toEqual([0, 255, 13, 10]);
    }
  });

  test("brings what is left of its life", async () => {
    const tier = alone();
    await tier.set("both", entryOf("x", { freshMs: 5_000, liveMs: 9_000 }), {});
    await tier.set("stale", entryOf("x", { freshMs: 0, liveMs: 9_000 }), {});
    await tier.set("fresh", entryOf("x", { freshMs: 5_000, liveMs: 5_000 }), {});
    await tier.set("ever", entryOf("x", { freshMs: Number.POSITIVE_INFINITY, liveMs: Number.POSITIVE_INFINITY }), {});
    await tier.set("kept", entryOf("x", { freshMs: 5_000, liveMs: Number.POSITIVE_INFINITY }), {});
    const lives = async (key: string): Promise<[number, number]> => {
      const { entry } = await tier.get(key, { leaseMs: 0 });
      return [entry?.freshMs ?? -1, entry?.liveMs ?? -1];
    };
    const [fresh, live] = await lives("both");
    expect(live - fresh).toBe(4_000);
    expect(fresh).toBeGreaterThan(1_000);
    expect(fresh).toBeLessThanOrEqual(5_000);
    expect((await lives("stale"))[0]).toBe(0);
    const [alike, same] = await lives("fresh");
    expect(alike).toBe(same);
    expect(await lives("ever")).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
    expect((await lives("kept"))[1]).toBe(Number.POSITIVE_INFINITY);
    expect((await lives("kept"))[0]).toBeLessThanOrEqual(5_000);
  });

  test("with no life left takes what was there away", async () => {
    const tier = alone();
    await tier.set("k", entryOf("x"), {});
    await tier.set("k", entryOf("y", { freshMs: 0, liveMs: 0 }), {});
    expect(await read(tier, "k")).toBeUndefined();
  });

  test("is told from those whose keys look like ours", async () => {
    const tier = alone();
    const keys = ["", "a", "a:b", "tag:a", "{state}:version", "v1:a", "}{", "{}a", "ключ", "🗝", "a\u0000b", "*"];
    await Promise.all(keys.map((key, index) => tier.set(key, entryOf(String(index)), {})));
    expect(await Promise.all(keys.map((key) => read(tier, key)))).toEqual(keys.map((_, index) => String(index)));
  });

  test("that is not there is a miss with nothing", async () => {
    const answer = await alone().get("k", { leaseMs: 0 });
    expect(answer).toMatchObject({ entry: undefined, lease: undefined, isHeld: false });
  });
});

describe("writes", () => {
  test("to one key are done in their order, and a look-up sees those before it", async () => {
    const tier = alone();
    const done = [];
    for (let i = 0; i < 100; i++) {
      done.push(tier.set("k", entryOf(String(i), i % 3 === 0 ? { tags: ["t"] } : {}), {}));
      if (i % 10 === 9) done.push(tier.delete(["k"]), tier.set("k", entryOf("last"), {}));
    }
    expect(await read(tier, "k")).toBe("last");
    expect(await Promise.all(done)).toHaveLength(120);
  });

  test("delete takes several keys away, and those only", async () => {
    const tier = alone();
    await Promise.all(["a", "b", "c"].map((key) => tier.set(key, entryOf(key), {})));
    await tier.delete(["a", "c", "none"]);
    expect(await Promise.all(["a", "b", "c"].map((key) => read(tier, key)))).toEqual([undefined, "b", undefined]);
    await tier.delete([]);
  });

  test("expire leaves the value, stale, for what is left of its life", async () => {
    const tier = alone();
    const forever = { freshMs: Number.POSITIVE_INFINITY, liveMs: Number.POSITIVE_INFINITY };
    await tier.set("k", entryOf("x", { freshMs: 50_000, liveMs: 90_000 }), {});
    await tier.set("ever", entryOf("x", forever), {});
    await Promise.all(["k", "ever", "none"].map((key) => tier.expire(key)));
    const { entry } = await tier.get("k", { leaseMs: 0 });
    expect(entry?.freshMs).toBe(0);
    expect(entry?.liveMs).toBeGreaterThan(50_000);
    expect((await tier.get("ever", { leaseMs: 0 })).entry).toMatchObject({ ...forever, freshMs: 0 });
    await tier.set("k", entryOf("x"), {});
    expect((await tier.get("k", { leaseMs: 0 })).entry?.freshMs).toBeGreaterThan(0);
  });
});

describe("look-ups of one turn", () => {
  test("go out as one script", async () => {
    const tier = alone();
    const monitor = server.client();
    const calls = async (): Promise<number> => {
      const stats = await monitor.info("commandstats");
      return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    };
    await tier.set("k0", entryOf("v"), {});
    await read(tier, "k0");
    const before = await calls();
    const found = await Promise.all(Array.from({ length: 200 }, (_, i) => read(tier, `k${i % 4}`)));
    expect(found.filter((text) => text === "v")).toHaveLength(50);
    expect((await calls()) - before).toBe(2);
  });
});

describe("the version", () => {
  test("leaves everything older unreachable, everywhere, and others are told once", async () => {
    const [one, other] = newTiers(2) as [AttachedTier, AttachedTier];
    await one.tier.set("k", entryOf("old"), {});
    expect(await read(other.tier, "k")).toBe("old");
    const before = await other.tier.get("k", { leaseMs: 0 });
    await one.tier.bumpVersion();
    expect(await read(one.tier, "k")).toBeUndefined();
    expect(await read(other.tier, "k")).toBeUndefined();
    expect([one.told.all, other.told.all]).toEqual([0, 1]);
    expect(await other.tier.set("k", entryOf("loaded before"), { asOf: before.asOf })).toBe(false);
    await other.tier.set("k", entryOf("new"), {});
    expect(await read(one.tier, "k")).toBe("new");
  });

  test("is followed by a process that writes before it looks", async () => {
    const [one, other] = newTiers(2) as [AttachedTier, AttachedTier];
    await other.tier.set("k", entryOf("x"), {});
    await one.tier.bumpVersion();
    await other.tier.set("k", entryOf("y"), {});
    expect(await read(one.tier, "k")).toBe("y");
    await one.tier.bumpVersion();
    await one.tier.set("k", entryOf("z"), {});
    await other.tier.delete(["k"]);
    expect(await read(one.tier, "k")).toBeUndefined();
  });

  test("that Redis has lost makes everything older unreachable", async () => {
    const [one] = newTiers(1) as [AttachedTier];
    const client = server.client();
    await one.tier.set("k", entryOf("old"), {});
    await client.del(...(await client.keys(`t${prefixes}:{state}:version`)));
    expect(await read(one.tier, "k")).toBeUndefined();
    expect(one.told.all).toBe(1);
  });
});

describe("deletePattern", () => {
  test("deletes what fits, tells how many, and takes nothing but * for special", async () => {
    const tier = alone();
    const keys = ["user:1:profile", "user:2:profile", "user:2:posts", "a[b]c", "abc", "a?c", "a\\c", "user:3:profil"];
    await Promise.all(keys.map((key) => tier.set(key, entryOf(key), {})));
    const left = async (): Promise<string[]> => {
      const found = await Promise.all(keys.map((key) => read(tier, key)));
      return found.filter((text) => text !== undefined);
    };
    expect(await tier.deletePattern("user:*:profile")).toBe(2);
    expect(await left()).toEqual(["user:2:posts", "a[b]c", "abc", "a?c", "a\\c", "user:3:profil"]);
    expect(await tier.deletePattern("a[b]c")).toBe(1);
    expect(await tier.deletePattern("a?c")).toBe(1);
    expect(await tier.deletePattern("a\\*")).toBe(1);
    expect(await tier.deletePattern("none*")).toBe(0);
    expect(await left()).toEqual(["user:2:posts", "abc", "user:3:profil"]);
    expect(await tier.deletePattern("*")).toBe(3);
  });

  test("walks more keys than one step shows, and leaves other prefixes alone", async () => {
    const [one] = newTiers(1) as [AttachedTier];
    const [other] = newTiers(1) as [AttachedTier];
    const names = Array.from({ length: 3_000 }, (_, i) => `n${i}`);
    await Promise.all(names.map((key) => one.tier.set(key, entryOf("x"), {})));
    await other.tier.set("n1", entryOf("mine"), {});
    expect(await one.tier.deletePattern("n*")).toBe(3_000);
    expect(await read(other.tier, "n1")).toBe("mine");
  });

  test("uses neither KEYS nor FLUSH", async () => {
    const stats = await server.client().info("commandstats");
    expect(stats).not.toMatch(/cmdstat_flush(db|all)/);
  });
});

describe("touch", () => {
  test("counts as use at Redis", async () => {
    const [{ tier }] = newTiers(1) as [AttachedTier];
    await tier.set("k", entryOf("x"), {});
    const touches = async (): Promise<string | undefined> =>
      /cmdstat_touch:calls=(\d+)/.exec(await server.client().info("commandstats"))?.[1];
    await Promise.all([tier.touch(["k"]), tier.touch(["k", "none"]), tier.touch([])]);
    await tier.touch(["k"]);
    expect(await touches()).toBe("2");
  });
});

describe("a tier that is closed", () => {
  test("finishes what was asked for, then finds nothing and refuses writes", async () => {
    const [one, other] = newTiers(2) as [AttachedTier, AttachedTier];
    const write = one.tier.set("k", entryOf("x"), {});
    await one.tier.close();
    await write;
    expect(await read(other.tier, "k")).toBe("x");
    expect(textOf(await one.tier.get("k", { leaseMs: 0 }))).toBeUndefined();
    await expect(one.tier.set("k", entryOf("x"), {})).rejects.toMatchObject({ code: "ERR_TIER", operation: "set" });
    await one.tier.close();
  });
});
