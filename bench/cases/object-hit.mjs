// A hit on a record of 15 fields. nearcache hands out its frozen, decoded object from L0; lru-cache hands out the very
// object that was stored, which every caller may change. With L0 off, every read decodes a new object.
import { LRUCache } from "lru-cache";
import { createCache } from "../../dist/index.js";
import { compare } from "../lib/compare.mjs";
import { fill, recordOf } from "../lib/data.mjs";
import { uniform } from "../lib/random.mjs";

export const title = "get, L0 hit, 1,000 records of 15 fields, same key objects";
export const scenarios = [{ entries: 1000, targets: { "lru-cache": 1.5 } }];

const PLACES = 1 << 14;

export async function run({ entries }, pace) {
  const cache = createCache({ maxMemory: "64mb", ttl: "1h" });
  const decoding = createCache({ maxMemory: "64mb", ttl: "1h", l0: false });
  const lru = new LRUCache({ max: entries, ttl: 3_600_000 });
  const keys = fill([cache, decoding, lru], entries, (id) => ({ ...recordOf(id), visits: 7 }));
  const sequence = Array.from(uniform(PLACES, entries), (id) => keys[id]);
  const contestants = [
    {
      name: "nearcache",
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += cache.get(sequence[place & (PLACES - 1)]).visits;
        }
        return sum;
      },
    },
    {
      name: "lru-cache",
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += lru.get(sequence[place & (PLACES - 1)]).visits;
        }
        return sum;
      },
    },
    {
      name: "nearcache l0: false",
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += decoding.get(sequence[place & (PLACES - 1)]).visits;
        }
        return sum;
      },
    },
  ];
  return compare(contestants, pace, (count) => count * 7);
}
