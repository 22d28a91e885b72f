// Hit ratios of lru-cache on a trace, and what a cache of it takes; the same command line as bench/compare's `hitratio`.
//   node --expose-gc lru-cache.mjs (KEYS | --bytes) N,N,...
import { readFileSync } from "node:fs";
import { LRUCache } from "lru-cache";

const FILLER = "x".repeat(90);
// As in bench/compare's `hitratio`.
const MEASURED_ENTRIES = 100_000;
const REQUESTS_PER_ENTRY = 6;
const KEYS_PER_ENTRY = 4;
const [what, numbers] = process.argv.slice(2);

if (what === "--bytes") {
  numbers.split(",").map(Number).forEach(measure);
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

/** Bytes of one cache that is full, and whose entries have been replaced for a while; small ones many at a time. */
function measure(capacity) {
  const caches = Array.from({ length: Math.max(1, Math.floor(MEASURED_ENTRIES / capacity)) });
  for (let at = 0; at < caches.length; at += 1) {
    caches[at] = full(capacity);
  }
  const withThem = usedBytes();
  caches.fill(undefined);
  const bytes = Math.round((withThem - usedBytes()) / caches.length);
  console.log(JSON.stringify({ capacity, bytes }));
}

function full(capacity) {
  const cache = new LRUCache({ max: capacity });
  let random = 1;
  for (let request = 0; request < REQUESTS_PER_ENTRY * capacity; request += 1) {
    // xorshift32
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    const key = (random >>> 0) % (KEYS_PER_ENTRY * capacity);
    if (cache.get(key) === undefined) {
      // Flat, as a value that came from the network would be.
      cache.set(key, Buffer.from(FILLER + String(key).padStart(10)).toString("latin1"));
    }
  }
  return cache;
}

/** What is reachable, and what typed arrays have beside the heap: not what the heap has taken from the system. */
function usedBytes() {
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
