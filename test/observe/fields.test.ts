// The list of metrics: docs/metrics.md names each, and what is in the statistics is in the list.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FIELDS, prometheusName } from "../../ts/observe/fields.js";
import { MemoryStore, MemoryTier } from "../../ts/testing/memory-tier.js";
import { newCache } from "../support/caches.js";

test("each metric is in the docs, under both of its names", () => {
  const docs = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
  for (const field of FIELDS) {
    const row = `| \`${prometheusName(field, "nearcache_")}\` | \`nearcache.${field.name}\` |`;
    expect(docs).toContain(row);
  }
});

test("each figure of the statistics is a metric", async () => {
  const cache = newCache<number>({ l2: new MemoryTier(new MemoryStore()) });
  await cache.getOrLoad("key", () => 1);
  // One read in 256 is timed.
  for (let read = 0; read < 600; read++) cache.get("missing");
  const read = new Set<string>();
  const watch = (value: object, path: string): object =>
    new Proxy(value, {
      get(target, name) {
        const found = Reflect.get(target, name) as unknown;
        const at = `${path}${String(name)}`;
        read.add(at);
        return typeof found === "object" && found !== null ? watch(found, `${at}.`) : found;
      },
    });
  const stats = cache.stats();
  for (const field of FIELDS) field.read(watch(stats, "") as typeof stats);
  const leaves = (value: object, path: string): string[] =>
    Object.entries(value).flatMap(([name, found]) =>
      typeof found === "object" && found !== null ? leaves(found, `${path}${name}.`) : [`${path}${name}`],
    );
  const missing = leaves(stats, "").filter((path) => !read.has(path));
  // What can be computed from others.
  expect(missing.filter((path) => !/^hitRatio$|^latency\.\w+\.count$/.test(path))).toEqual([]);
});
