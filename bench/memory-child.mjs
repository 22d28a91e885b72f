// The process that cases/memory.mjs, the report and the gate start: fills one cache and prints, as JSON, by how much
// resident memory grew, how many entries are held, and what the cache itself says.
//
//   node --expose-gc --min-semi-space-size=16 bench/memory-child.mjs NAME ENTRIES
//
// NAME is nearcache, lru-cache, Map, or one of the others in bench/compare/stores.mjs, where they are installed.
import { LRUCache } from "lru-cache";
import { createCache } from "../dist/index.js";
import { keyOf, textOf } from "./lib/data.mjs";

const WARM_UP_ENTRIES = 20_000;
const WARM_UP_ROUNDS = 25;
/** Others take up to a hundred times as long for an entry, and as much more of V8's young generation. */
const WARM_UP_ROUNDS_OTHERS = 3;
/** How many `set`s are under way at a time where they return promises. */
const CHUNK = 1000;

const [name, count] = process.argv.slice(2);
const entries = Number(count);
const own = {
  nearcache: (max) => createCache({ maxMemory: 16 * 2 ** 20 + max * 240, ttl: "1h" }),
  "lru-cache": (max) => new LRUCache({ max, ttl: 3_600_000 }),
  Map: () => new Map(),
}[name];

// What is compiled or allocated once is there before we begin to count, and V8's young generation has been used in full.
const small = await open(WARM_UP_ENTRIES);
for (let round = 0; round < (own === undefined ? WARM_UP_ROUNDS_OTHERS : WARM_UP_ROUNDS); round += 1) {
  await fill(small, WARM_UP_ENTRIES);
}
const cache = await open(entries);
const before = residentBytes();
await fill(cache, entries);
const growth = residentBytes() - before;
const result = JSON.stringify({ growth, ...(await account(cache)) });
process.stdout.write(`${result}\n`, () => process.exit(0)); // some have timers

async function open(max) {
  if (own !== undefined) {
    return own(max);
  }
  const { STORES } = await import("./compare/stores.mjs");
  if (STORES[name] === undefined) {
    throw new Error(`there is no contestant ${name}`);
  }
  return STORES[name].open({ entries: max });
}

async function fill(target, max) {
  for (let first = 0; first < max; first += CHUNK) {
    const pending = [];
    for (let id = first; id < Math.min(max, first + CHUNK); id += 1) {
      const done = target.set(key(id), textOf(id)); // 21 and 100 bytes
      if (typeof done?.then === "function") {
        pending.push(done);
      }
    }
    if (pending.length > 0) {
      await Promise.all(pending);
    }
  }
}

function key(id) {
  return keyOf(10_000_000 + id, "user:session:");
}

function residentBytes() {
  for (let round = 0; round < 3; round += 1) {
    globalThis.gc();
  }
  return process.memoryUsage.rss();
}

async function account(target) {
  if (name === "nearcache") {
    const { entries: held, memory } = target.stats();
    return { held, reported: memory.used };
  }
  if (own !== undefined) {
    return { held: target.size };
  }
  // These don't all say how many they hold: the first and the last stand for all.
  const ends = [await target.get(key(0)), await target.get(key(entries - 1))];
  return { held: ends.includes(undefined) ? 0 : entries };
}
