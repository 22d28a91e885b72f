// How long single reads take, at the median and in the tail (lib/latency.mjs).
import { LRUCache } from "lru-cache";
import { createCache } from "../../dist/index.js";
import { fill, textOf } from "../lib/data.mjs";
import { BATCH, timeEach } from "../lib/latency.mjs";
import { uniform } from "../lib/random.mjs";

export const title = "single reads: p50, p95, p99, p99.9, each timed by itself";
export const scenarios = [
  { entries: 1000, what: "L0 on" },
  { entries: 100_000, what: "l0: false" },
];

const PLACES = 1 << 18;

export async function run({ entries, what }, pace) {
  const cache = createCache({
    maxMemory: 64 * 2 ** 20 + entries * 256,
    ttl: "1h",
    ...(what === "L0 on" ? {} : { l0: false }),
  });
  const lru = new LRUCache({ max: entries, ttl: 3_600_000 });
  const map = new Map();
  const keys = fill([cache, lru, map], entries, textOf);
  const sequence = Array.from(uniform(PLACES, entries), (id) => keys[id]);
  const batches = pace.rounds * 5;
  const contestants = [
    { name: "nearcache", get: (key) => cache.get(key) },
    { name: "Map", get: (key) => map.get(key) },
    { name: "lru-cache", get: (key) => lru.get(key) },
  ];
  const { latency, checksum } = await timeEach(contestants, sequence, batches);
  const nsPercentiles = Object.fromEntries(
    Object.entries(latency).map(([name, { p50, p95, p99, p999, max }]) => [name, { p50, p95, p99, p999, max }]),
  );
  return { nsPercentiles, samplesEach: batches * BATCH, checksum };
}
