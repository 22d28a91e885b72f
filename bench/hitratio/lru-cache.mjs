// Hit ratios of lru-cache on a trace, and what an entry of it takes; the same command line as bench/compare's `hitratio`.
//   node --expose-gc lru-cache.mjs (KEYS N,N,... | --bytes ENTRIES)
import { readFileSync } from "node:fs";
import { LRUCache } from "lru-cache";

const VALUE_BYTES = 100;
const [what, numbers] = process.argv.slice(2);

if (what === "--bytes") {
  measure(Number(numbers));
} else {
  replay(readKeys(what), numbers.split(",").map(Number));
}

/** Keys are dense, so that each is an exact number. */
function readKeys(file) {
  const bytes = readFileSync(file);
  return Array.from({ length: bytes.length / 8 }, (_, at) => Number(bytes.readBigUInt64LE(at * 8)));
}

function replay(keys, capacities) {
  for (const capacity of capacities) {
    const cache = new LRUCache({ max: capacity });
    let hits = 0;
    for (const key of keys) {
      if (cache.get(key) === undefined) {
        cache.set(key, true);
      } else {
        hits += 1;
      }
    }
    console.log(JSON.stringify({ capacity, requests: keys.length, hits }));
  }
}

function measure(entries) {
  const filler = "x".repeat(VALUE_BYTES - 10);
  globalThis.gc();
  const before = process.memoryUsage().rss;
  const cache = new LRUCache({ max: entries });
  for (let key = 0; key < entries; key += 1) {
    // Flat, as a value that came from the network would be.
    cache.set(key, Buffer.from(filler + String(key).padStart(10)).toString("latin1"));
  }
  globalThis.gc();
  const after = process.memoryUsage().rss;
  if (cache.size !== entries) {
    throw new Error(`${cache.size} left`);
  }
  console.log(((after - before) / entries).toFixed(1));
}
