// A hit in the shared store, L0 off, uniform keys: every key is built in the timed loop, as a service does it.
// A fresh string has no hash yet, and a Map compares it with its own key character by character.
//
// Two shapes of key, because they behave differently. Up to 12 characters, V8 builds `user:${id}` as one flat string.
// From 13 on it makes a "cons string", a node that points to both parts: whoever looks at the characters first must put
// them together, a Map as well as nearcache, and a Map also has more of them to hash and compare.
import { LRUCache } from "lru-cache";
import { createCache } from "../../dist/index.js";
import { compare } from "../lib/compare.mjs";
import { keyOf, textOf, VALUE_BYTES } from "../lib/data.mjs";
import { uniform } from "../lib/random.mjs";

export const title = "get, L1 hit (l0: false), strings of 100 bytes, uniform, freshly built keys";

const SHORT = "short keys";
const LONG = "keys of 21 characters";
export const scenarios = [
  { entries: 1000, what: SHORT, targets: { Map: 0.95 } },
  { entries: 100_000, what: SHORT, targets: { Map: 0.8 } },
  { entries: 1_000_000, what: SHORT, targets: { Map: 0.65 }, isSlow: true },
  { entries: 1000, what: LONG, targets: { Map: 0.95 } },
  { entries: 100_000, what: LONG, targets: { Map: 0.8 } },
  { entries: 1_000_000, what: LONG, targets: { Map: 0.65 }, isSlow: true },
];

const PLACES = 1 << 20;
/** Long keys count from here, so that all have 21 characters. */
const LONG_FROM = 10_000_000;

export function run({ entries, what }, pace) {
  const stores = {
    cache: createCache({ maxMemory: 64 * 2 ** 20 + entries * 256, ttl: "1h", l0: false }),
    lru: new LRUCache({ max: entries, ttl: 3_600_000 }),
    map: new Map(),
  };
  const isLong = what === LONG;
  for (let id = 0; id < entries; id += 1) {
    const key = isLong ? keyOf(LONG_FROM + id, "user:session:") : keyOf(id);
    const value = textOf(id);
    stores.cache.set(key, value);
    stores.lru.set(key, value);
    stores.map.set(key, value);
  }
  const ids = uniform(PLACES, entries);
  const contestants = isLong
    ? withLongKeys(
        stores,
        ids.map((id) => LONG_FROM + id),
      )
    : withShortKeys(stores, ids);
  return compare(contestants, pace, (count) => count * VALUE_BYTES);
}

function withShortKeys({ cache, lru, map }, ids) {
  return [
    {
      name: "nearcache",
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += cache.get(`user:${ids[place & (PLACES - 1)]}`).length;
        }
        return sum;
      },
    },
    {
      name: "lru-cache",
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += lru.get(`user:${ids[place & (PLACES - 1)]}`).length;
        }
        return sum;
      },
    },
    {
      name: "Map",
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += map.get(`user:${ids[place & (PLACES - 1)]}`).length;
        }
        return sum;
      },
    },
  ];
}

function withLongKeys({ cache, lru, map }, ids) {
  return [
    {
      name: "nearcache",
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += cache.get(`user:session:${ids[place & (PLACES - 1)]}`).length;
        }
        return sum;
      },
    },
    {
      name: "lru-cache",
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += lru.get(`user:session:${ids[place & (PLACES - 1)]}`).length;
        }
        return sum;
      },
    },
    {
      name: "Map",
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += map.get(`user:session:${ids[place & (PLACES - 1)]}`).length;
        }
        return sum;
      },
    },
  ];
}
