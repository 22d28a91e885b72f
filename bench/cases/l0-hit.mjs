// A hit in L0: 1,000 hot string values, the key objects used again and again, against `Map.get`.
import { LRUCache } from "lru-cache";
import { createCache } from "../../dist/index.js";
import { compare } from "../lib/compare.mjs";
import { fill, textOf, VALUE_BYTES } from "../lib/data.mjs";
import { uniform } from "../lib/random.mjs";

export const title = "get, L0 hit, 1,000 hot strings of 100 bytes, same key objects";
export const scenarios = [{ entries: 1000, targets: { Map: 1.4 } }];

const PLACES = 1 << 14;

export async function run({ entries }, pace) {
  const cache = createCache({ maxMemory: "64mb", ttl: "1h" });
  const map = new Map();
  const lru = new LRUCache({ max: entries, ttl: 3_600_000 });
  const keys = fill([cache, map, lru], entries, textOf);
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
      name: "Map",
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += map.get(sequence[place & (PLACES - 1)]).length;
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
  ];
  const result = await compare(contestants, pace, (count) => count * VALUE_BYTES);
  const { hits, l0 } = cache.stats();
  return { ...result, l0Share: Number((l0.hits / hits).toFixed(4)) };
}
