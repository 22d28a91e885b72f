// nearcache/prometheus, with prom-client's own registry: names, values, and when they are read.
import { Counter, Registry, register } from "prom-client";
import { afterEach, describe, expect, test } from "vitest";
import { InvalidOptionError } from "../../ts/index.js";
import { metrics } from "../../ts/observe/prometheus.js";
import { MemoryStore, MemoryTier } from "../../ts/testing/memory-tier.js";
import { newCache, thrownBy } from "../support/caches.js";

afterEach(() => register.clear());

/** The samples of a scrape, as `name{labels} value`. */
async function scrape(registry: Registry): Promise<string[]> {
  return (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

describe("a scrape", () => {
  test("has the cache's figures as they are then, under Prometheus' names", async () => {
    const registry = new Registry();
    const cache = newCache<number>();
    metrics(cache, { name: "users", registry });
    for (let index = 0; index < 3; index++) cache.set(`key-${index}`, index);
    cache.get("key-0");
    cache.get("missing");
    await cache.getOrLoad("loaded", () => 1);
    await cache.getOrLoad("fails", () => Promise.reject(new Error("no"))).catch(() => undefined);
    const lines = await scrape(registry);
    expect(lines).toEqual(
      expect.arrayContaining([
        'nearcache_hits_total{cache="users"} 1',
        'nearcache_sets_total{cache="users"} 4',
        'nearcache_entries{cache="users"} 4',
        'nearcache_memory_limit_bytes{cache="users"} 16777216',
        'nearcache_loads_total{cache="users"} 1',
        'nearcache_load_failures_total{cache="users"} 1',
      ]),
    );
    expect(lines.filter((line) => line.includes('source="load"'))).toHaveLength(4);
    expect(lines.some((line) => line.includes("nearcache_l2"))).toBe(false);
    cache.delete("key-1");
    cache.get("key-0");
    const later = await scrape(registry);
    expect(later).toContain('nearcache_hits_total{cache="users"} 2');
    expect(later).toContain('nearcache_deletes_total{cache="users"} 1');
  });

  test("reads each cache once, and nothing is read between scrapes", async () => {
    const registry = new Registry();
    const cache = newCache();
    let reads = 0;
    const counted = Object.create(cache, {
      stats: {
        value: () => {
          reads += 1;
          return cache.stats();
        },
      },
    });
    metrics(counted, { name: "users", registry });
    await scrape(registry);
    await scrape(registry);
    expect(reads).toBe(2);
  });

  test("has the second tier with its state", async () => {
    const registry = new Registry();
    metrics(newCache({ l2: new MemoryTier(new MemoryStore()) }), { name: "users", registry });
    const lines = await scrape(registry);
    expect(lines.filter((line) => line.startsWith("nearcache_l2_breaker{")).map((line) => line.slice(-1))).toEqual([
      "1",
      "0",
      "0",
    ]);
    expect(lines.some((line) => /^nearcache_l2_hits_total\{cache="users",tier="\w+"\} 0$/.test(line))).toBe(true);
  });

  test("in prom-client's own registry is the default, beside the host's own metrics", async () => {
    new Counter({ name: "own_total", help: "x" }).inc();
    metrics(newCache(), { name: "users" });
    const lines = await scrape(register);
    expect(lines).toContain("own_total 1");
    expect(lines).toContain('nearcache_misses_total{cache="users"} 0');
  });

  test("has names and types that Prometheus' conventions ask for", async () => {
    const registry = new Registry();
    metrics(newCache({ l2: new MemoryTier(new MemoryStore()) }), { name: "users", registry });
    for (const { name, type, help } of await registry.getMetricsAsJSON()) {
      expect(name).toMatch(/^nearcache_[a-z0-9_]+$/);
      expect(name.endsWith("_total")).toBe(String(type) === "counter");
      expect(help).toMatch(/^[A-Z].*\.$/);
    }
  });
});

describe("several caches", () => {
  test("are told apart by their names; one that is closed is left out", async () => {
    const registry = new Registry();
    const [first, second] = [newCache(), newCache()];
    metrics(first, { name: "first", registry });
    metrics(second, { name: "second", registry });
    first.close();
    const entries = (await scrape(registry)).filter((line) => line.startsWith("nearcache_entries"));
    expect(entries).toEqual(['nearcache_entries{cache="second"} 0']);
  });

  test("can't have one name, until the other is closed or stopped", async () => {
    const registry = new Registry();
    const [first, second, third] = [newCache(), newCache(), newCache()];
    metrics(first, { name: "same", registry });
    metrics(first, { name: "same", registry });
    expect(thrownBy(() => metrics(second, { name: "same", registry }))).toBeInstanceOf(InvalidOptionError);
    first.close();
    const observation = metrics(second, { name: "same", registry });
    observation.stop();
    metrics(third, { name: "same", registry });
    observation.stop();
    expect((await scrape(registry)).filter((line) => line.startsWith("nearcache_entries"))).toHaveLength(1);
  });

  test("leave nothing behind when the last is stopped, and come back after the host has cleared its registry", async () => {
    const registry = new Registry();
    const cache = newCache();
    metrics(cache, { name: "users", registry })[Symbol.dispose]();
    expect(registry.getMetricsAsArray()).toEqual([]);
    metrics(cache, { name: "users", registry });
    registry.clear();
    metrics(cache, { name: "users", registry });
    expect(await scrape(registry)).toContain('nearcache_entries{cache="users"} 0');
  });
});

test.each([
  ["name", {}],
  ["name", { name: "" }],
  ["registry", { name: "x", registry: {} }],
  ["prefix", { name: "x", prefix: "y" }],
])("the option %s is checked: %j", (option, wrong) => {
  const error = thrownBy(() => metrics(newCache(), wrong as never));
  expect(error).toBeInstanceOf(InvalidOptionError);
  expect(error).toMatchObject({ option });
});
