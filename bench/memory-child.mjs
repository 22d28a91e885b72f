// The process that cases/memory.mjs starts: fills one cache and prints, as JSON, by how much resident memory grew,
// how many entries are held, and what the cache itself says.
//
//   node --expose-gc --min-semi-space-size=16 bench/memory-child.mjs nearcache|lru-cache|Map ENTRIES
import { LRUCache } from "lru-cache";
import { createCache } from "../dist/index.js";
import { keyOf, textOf } from "./lib/data.mjs";

const WARM_UP_ENTRIES = 20_000;
const WARM_UP_ROUNDS = 25;

const [name, count] = process.argv.slice(2);
const entries = Number(count);

// What is compiled or allocated once is there before we begin to count, and V8's young generation has been used in full.
const small = open(WARM_UP_ENTRIES);
for (let round = 0; round < WARM_UP_ROUNDS; round += 1) {
  fill(small, WARM_UP_ENTRIES);
}
const cache = open(entries);
const before = residentBytes();
fill(cache, entries);
const growth = residentBytes() - before;
console.log(JSON.stringify({ growth, ...account(cache) }));

function open(max) {
  switch (name) {
    case "nearcache":
      return createCache({ maxMemory: 16 * 2 ** 20 + max * 240, ttl: "1h" });
    case "lru-cache":
      return new LRUCache({ max, ttl: 3_600_000 });
    case "Map":
      return new Map();
    default:
      throw new Error(`there is no contestant ${name}`);
  }
}

function fill(target, max) {
  for (let id = 0; id < max; id += 1) {
    target.set(keyOf(10_000_000 + id, "user:session:"), textOf(id)); // 21 and 100 bytes
  }
}

function residentBytes() {
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc();
  }
  return process.memoryUsage.rss();
}

function account(target) {
  if (name !== "nearcache") {
    return { held: target.size };
  }
  const { entries: held, memory } = target.stats();
  return { held, reported: memory.used };
}
