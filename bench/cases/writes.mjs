// Writes and misses: an existing key set again, a new key that pushes another out, a look-up of what isn't there.
import { LRUCache } from "lru-cache";
import { createCache } from "../../dist/index.js";
import { compare } from "../lib/compare.mjs";
import { keyOf, textOf, VALUE_BYTES } from "../lib/data.mjs";
import { uniform } from "../lib/random.mjs";

export const title = "set of an existing key; set of a new key when full; get of a missing key (l0: false)";
export const scenarios = [
  { entries: 100_000, what: "overwrite" },
  { entries: 100_000, what: "insert and evict" },
  { entries: 100_000, what: "miss" },
];

const PLACES = 1 << 18;
/** What an entry of this case takes in the store: key, value and about 60 bytes. */
const ENTRY_BYTES = 11 + VALUE_BYTES + 60;

export function run({ entries, what }, pace) {
  const isFull = what === "insert and evict";
  const maxMemory = isFull ? entries * ENTRY_BYTES : 64 * 2 ** 20 + entries * 256;
  const caches = {
    cache: createCache({ maxMemory, ttl: "1h", l0: false }),
    lru: new LRUCache({ max: entries, ttl: 3_600_000 }),
    map: new Map(),
  };
  const keys = Array.from({ length: entries }, (_, id) => keyOf(id));
  for (const [id, key] of keys.entries()) {
    const value = textOf(id);
    caches.cache.set(key, value);
    caches.lru.set(key, value);
    caches.map.set(key, value);
  }
  const values = Array.from({ length: 1024 }, (_, id) => textOf(id));
  if (isFull) {
    return compare(evictors(caches, values), pace, (count) => count);
  }
  const order = uniform(PLACES, entries);
  const contestants =
    what === "miss"
      ? missers(
          caches,
          Array.from(order, (id) => keyOf(id, "nobody:")),
        )
      : setters(
          caches,
          Array.from(order, (id) => keys[id]),
          values,
        );
  return compare(contestants, pace, (count) => count);
}

function setters({ cache, lru, map }, sequence, values) {
  return [
    {
      name: "nearcache",
      batch(start, count) {
        for (let place = start; place < start + count; place += 1) {
          cache.set(sequence[place & (PLACES - 1)], values[place & 1023]);
        }
        return count;
      },
    },
    {
      name: "lru-cache",
      batch(start, count) {
        for (let place = start; place < start + count; place += 1) {
          lru.set(sequence[place & (PLACES - 1)], values[place & 1023]);
        }
        return count;
      },
    },
    {
      name: "Map",
      batch(start, count) {
        for (let place = start; place < start + count; place += 1) {
          map.set(sequence[place & (PLACES - 1)], values[place & 1023]);
        }
        return count;
      },
    },
  ];
}

/** Every key is new: its number never comes again. */
function evictors({ cache, lru }, values) {
  let forCache = 0;
  let forLru = 0;
  return [
    {
      name: "nearcache",
      batch(start, count) {
        for (let place = start; place < start + count; place += 1) {
          cache.set(`item:${forCache}`, values[place & 1023]);
          forCache += 1;
        }
        return count;
      },
    },
    {
      name: "lru-cache",
      batch(start, count) {
        for (let place = start; place < start + count; place += 1) {
          lru.set(`item:${forLru}`, values[place & 1023]);
          forLru += 1;
        }
        return count;
      },
    },
  ];
}

function missers({ cache, lru, map }, sequence) {
  return [
    {
      name: "nearcache",
      batch(start, count) {
        let misses = 0;
        for (let place = start; place < start + count; place += 1) {
          misses += cache.get(sequence[place & (PLACES - 1)]) === undefined ? 1 : 0;
        }
        return misses;
      },
    },
    {
      name: "lru-cache",
      batch(start, count) {
        let misses = 0;
        for (let place = start; place < start + count; place += 1) {
          misses += lru.get(sequence[place & (PLACES - 1)]) === undefined ? 1 : 0;
        }
        return misses;
      },
    },
    {
      name: "Map",
      batch(start, count) {
        let misses = 0;
        for (let place = start; place < start + count; place += 1) {
          misses += map.get(sequence[place & (PLACES - 1)]) === undefined ? 1 : 0;
        }
        return misses;
      },
    },
  ];
}
