// A hit in the shared store, L0 off, uniform keys: same key objects.
import { LRUCache } from "lru-cache";
import { createCache } from "../../dist/index.js";
import { compare } from "../lib/compare.mjs";
import { fill, textOf, VALUE_BYTES } from "../lib/data.mjs";
import { uniform } from "../lib/random.mjs";

export const title = "get, L1 hit (l0: false), strings of 100 bytes, uniform, same key objects";
export const scenarios = [
  { entries: 1000 },
  { entries: 100_000, targets: { "lru-cache": 0.9 } },
  { entries: 1_000_000, targets: { "lru-cache": 0.75 } },
];

const PLACES = 1 << 20;

export async function run({ entries }, pace) {
  const cache = createCache({ maxMemory: 64 * 2 ** 20 + entries * 256, ttl: "1h", l0: false });
  const lru = new LRUCache({ max: entries, ttl: 3_600_000 });
  const map = new Map();
  const keys = fill([cache, lru, map], entries, textOf);
  const sequence = Array.from(uniform(PLACES, entries), (id) => keys[id]);
  const contestants = [
    {
      name: "nearcache",
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += cache.get(sequence[place & (PLACES - 1)]).length;
        }
        return sum;
      },
    },
    {
      name: "lru-cache",
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += lru.get(sequence[place & (PLACES - 1)]).length;
        }
        return sum;
      },
    },
    {
      name: "Map",
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += map.get(sequence[place & (PLACES - 1)]).length;
        }
        return sum;
      },
    },
  ];
  return compare(contestants, pace, (count) => count * VALUE_BYTES);
}
