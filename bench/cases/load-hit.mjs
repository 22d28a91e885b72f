// A present key by way of getOrLoad, against `get` and a promise of it: 1,000 hot strings that were loaded, awaited.
import { createCache } from "../../dist/index.js";
import { compare } from "../lib/compare.mjs";
import { keyOf, textOf, VALUE_BYTES } from "../lib/data.mjs";
import { uniform } from "../lib/random.mjs";

export const title = "getOrLoad of a present key, 1,000 hot strings of 100 bytes, awaited";
export const scenarios = [
  { entries: 1000, l0: true, targets: { "get and a promise": 2.5 } },
  { entries: 1000, l0: false, targets: { "get and a promise": 2.5 } },
];

const PLACES = 1 << 14;

export async function run({ entries, l0 }, pace) {
  const cache = createCache({ maxMemory: "64mb", ttl: "1h", ...(l0 ? {} : { l0: false }) });
  const load = async (key) => textOf(keys.indexOf(key));
  const keys = Array.from({ length: entries }, (_, id) => keyOf(id));
  for (const key of keys) {
    await cache.getOrLoad(key, load);
  }
  const sequence = Array.from(uniform(PLACES, entries), (id) => keys[id]);
  const contestants = [
    {
      name: "nearcache",
      async batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += (await cache.getOrLoad(sequence[place & (PLACES - 1)], load)).length;
        }
        return sum;
      },
    },
    {
      name: "get and a promise",
      async batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += (await Promise.resolve(cache.get(sequence[place & (PLACES - 1)]))).length;
        }
        return sum;
      },
    },
    {
      name: "get ?? await",
      async batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          const key = sequence[place & (PLACES - 1)];
          sum += (cache.get(key) ?? (await cache.getOrLoad(key, load))).length;
        }
        return sum;
      },
    },
  ];
  return compare(contestants, pace, (count) => count * VALUE_BYTES);
}
