// How far a hit is from what no cache can go below that is called natively and keeps its values itself: `get` with L0 off
// against the least cache and against the same with what threads need (crates/node/src/floor.rs), which are as fast as
// it gets at that number of entries on this machine. lru-cache and Map stand beside them, so that it can be read off
// where their targets (l1-hit, l1-hit-fresh) are out of anybody's reach.
import { LRUCache } from "lru-cache";
import { createCache } from "../../dist/index.js";
import { benchFunctions } from "../lib/addon.mjs";
import { compare } from "../lib/compare.mjs";
import { fill, textOf, VALUE_BYTES } from "../lib/data.mjs";
import { uniform } from "../lib/random.mjs";

export const title = "get, L1 hit (l0: false), strings of 100 bytes, uniform, against the least that a cache could be";

export const scenarios = [1000, 100_000, 1_000_000].flatMap((entries) => [
  { entries, what: "same key objects" },
  { entries, what: "fresh keys" },
]);

export function run({ entries, what }, pace) {
  const { benchFloorOpen, benchFloor, benchFloorSet, benchShared, benchSharedSet } = benchFunctions();
  benchFloorOpen(entries);
  const cache = createCache({ maxMemory: 64 * 2 ** 20 + entries * 256, ttl: "1h", l0: false });
  const lru = new LRUCache({ max: entries, ttl: 3_600_000 });
  const map = new Map();
  const keys = fill([cache, lru, map, { set: benchFloorSet }, { set: benchSharedSet }], entries, textOf);
  for (const key of keys) {
    if (benchFloor(key) !== map.get(key) || benchShared(key) !== map.get(key)) {
      throw new Error(`the least cache has not the value of ${key}`);
    }
  }
  const places = entries === 1000 ? 1 << 14 : 1 << 20;
  const ids = uniform(places, entries);
  const stores = {
    nearcache: (key) => cache.get(key),
    "the least cache": benchFloor,
    "the least shared cache": benchShared,
    "lru-cache": (key) => lru.get(key),
    Map: (key) => map.get(key),
  };
  const contestants = Object.entries(stores).map(([name, get]) => ({
    name,
    batch: loopOf(name, what, get, ids, keys),
  }));
  return compare(contestants, pace, (count) => count * VALUE_BYTES);
}

/**
 * A loop of its own for each contestant: the name is part of the source, so that V8 compiles each for itself. Closures of
 * one source would share what V8 has learnt of the call in it.
 */
function loopOf(name, what, get, ids, keys) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it becomes source
  const key = what === "same key objects" ? "sequence[place & mask]" : "`user:${ids[place & mask]}`";
  const sequence = Array.from(ids, (id) => keys[id]);
  const source = `// ${name}
    return (start, count) => {
      let sum = 0;
      for (let place = start; place < start + count; place += 1) {
        sum += get(${key}).length;
      }
      return sum;
    };`;
  return new Function("get", "ids", "sequence", "mask", source)(get, ids, sequence, ids.length - 1);
}
