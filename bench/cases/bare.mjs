// What nearcache adds to the cost of a native call, which no addon can avoid: `get` with L0 off against a bare call that
// reads the same key and returns the same string, `set` against one that reads key and value.
//
// The bare calls come from the addon that is built for benchmarks, nearcache from the one that is shipped: in the other
// one, each of nearcache's calls is counted, and it must not be slower here than where it is used. Both are compiled
// with the same flags, and the bare calls are counted in neither.
//
// "The least cache" (crates/node/src/floor.rs) is what no cache can go below that holds its values itself: a
// multiplication for a hash, one word of index, one record, written in place by the only thread, without expiry.
//
// All values have the content that the bare call returns, so that all make the very same string.
import { createCache } from "../../dist/index.js";
import { benchFunctions } from "../lib/addon.mjs";
import { compare } from "../lib/compare.mjs";
import { keyOf, VALUE_BYTES } from "../lib/data.mjs";
import { uniform } from "../lib/random.mjs";

export const title = "get (l0: false) and set of strings of 100 bytes against bare native calls with the same strings";

const BARE = "bare native call";
const LEAST = "the least cache";
export const scenarios = [
  { entries: 1000, what: "get, same key objects", targets: { [BARE]: 1.35 } },
  { entries: 1000, what: "get, fresh keys", targets: { [BARE]: 1.35 } },
  { entries: 1000, what: "set of an existing key", targets: { [BARE]: 2 } },
];

const PLACES = 1 << 14;

export function run({ entries, what }, pace) {
  const native = benchFunctions();
  const { benchBare, benchFloor, benchFloorSet } = native;
  const cache = createCache({ maxMemory: "64mb", ttl: "1h", l0: false });
  const keys = Array.from({ length: entries }, (_, id) => keyOf(id));
  const value = benchBare(keys[0]);
  native.benchFloorOpen(entries);
  for (const key of keys) {
    cache.set(key, value);
    benchFloorSet(key, value);
    const same = cache.get(key) === value && benchFloor(key) === value && benchBare(key) === value;
    if (!same || value.length !== VALUE_BYTES) {
      throw new Error(`nearcache, the least cache and the bare call don't return the same for ${key}`);
    }
  }
  const ids = uniform(PLACES, entries);
  const sequence = Array.from(ids, (id) => keys[id]);
  const contestants = {
    "get, same key objects": () => withSameKeys(cache, native, sequence),
    "get, fresh keys": () => withFreshKeys(cache, native, ids),
    "set of an existing key": () => setters(cache, native, sequence, value),
  };
  return compare(contestants[what](), pace, (count) => count * VALUE_BYTES);
}

function withSameKeys(cache, { benchBare, benchFloor }, sequence) {
  return [
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
      name: BARE,
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += benchBare(sequence[place & (PLACES - 1)]).length;
        }
        return sum;
      },
    },
    {
      name: LEAST,
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += benchFloor(sequence[place & (PLACES - 1)]).length;
        }
        return sum;
      },
    },
  ];
}

function withFreshKeys(cache, { benchBare, benchFloor }, ids) {
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
      name: BARE,
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += benchBare(`user:${ids[place & (PLACES - 1)]}`).length;
        }
        return sum;
      },
    },
    {
      name: LEAST,
      batch(start, count) {
        let sum = 0;
        for (let place = start; place < start + count; place += 1) {
          sum += benchFloor(`user:${ids[place & (PLACES - 1)]}`).length;
        }
        return sum;
      },
    },
  ];
}

function setters(cache, { benchBareSet, benchFloorSet }, sequence, value) {
  return [
    {
      name: "nearcache",
      batch(start, count) {
        for (let place = start; place < start + count; place += 1) {
          cache.set(sequence[place & (PLACES - 1)], value);
        }
        return count * VALUE_BYTES;
      },
    },
    {
      name: BARE,
      batch(start, count) {
        for (let place = start; place < start + count; place += 1) {
          benchBareSet(sequence[place & (PLACES - 1)], value);
        }
        return count * VALUE_BYTES;
      },
    },
    {
      name: LEAST,
      batch(start, count) {
        for (let place = start; place < start + count; place += 1) {
          benchFloorSet(sequence[place & (PLACES - 1)], value);
        }
        return count * VALUE_BYTES;
      },
    },
  ];
}
