// The process that cases/gc-pause.mjs starts: fills one cache, then writes and reads at a steady rate, and prints, as JSON,
// how long garbage collection stopped it meanwhile. It goes on for WRITES_MIN writes, and then, for at most WRITES_MAX,
// until V8 has found a full collection necessary: how soon it does so depends on what a cache leaves on the heap.
//
//   node bench/gc-child.mjs nearcache|lru-cache|Map|"64 Maps"|"no cache" ENTRIES WRITES_MIN WRITES_MAX
//
// Every 5 ms it does what a busy service might do in that time: it overwrites 500 entries, inserts 500 new ones (as many
// old ones go), reads 200, parses 20 requests and forgets the 20 that came 200 requests earlier. Keys have 21
// characters, values 100; each write brings strings of its own.
import { monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { createCache } from "../dist/index.js";
import { keyOf, recordOf, textOf } from "./lib/data.mjs";
import { quantile } from "./lib/quartiles.mjs";
import { randomNumbers } from "./lib/random.mjs";

const TICK_MS = 5;
const OVERWRITES = 500;
const INSERTS = 500;
const READS = 200;
const REQUESTS = 20;
const OPEN_REQUESTS = 200;
const MAPS = 64;
/** What an entry takes in nearcache's store, everything counted. */
const ENTRY_BYTES = 192;
const FULL = "mark-compact";
const KINDS = {
  1: "scavenge",
  2: "minor mark-sweep",
  4: FULL,
  8: "incremental marking",
  16: "weak callbacks",
};

const [name, ...numbers] = process.argv.slice(2);
const [entries, writesMin, writesMax] = numbers.map(Number);
const next = randomNumbers(0x9e3779b9);

const store = openStore();
// Everything is written twice. By then the heap of those who keep entries there is about half-way to a full collection.
let written = 0;
for (let write = 0; write < 2 * entries; write += 1) {
  put(write % entries);
}
await sleep(500); // collections that the filling has begun

const pauses = [];
new PerformanceObserver((list) => {
  for (const { duration, detail } of list.getEntries()) {
    pauses.push({ ms: duration, kind: KINDS[detail.kind] ?? `kind ${detail.kind}` });
  }
}).observe({ entryTypes: ["gc"] });
const delay = monitorEventLoopDelay({ resolution: 1 });
const startMs = performance.now();
delay.enable();
const { writes, read } = await churn();
delay.disable();
const seconds = round((performance.now() - startMs) / 1000);
await sleep(100); // the observer's last entries

console.log(JSON.stringify(report()));
process.exit(0);

function openStore() {
  switch (name) {
    case "nearcache":
      return ofCache(createCache({ maxMemory: 16 * 2 ** 20 + entries * ENTRY_BYTES, ttl: "1h" }));
    case "lru-cache":
      return ofCache(new LRUCache({ max: entries, ttl: 3_600_000 }));
    case "Map":
      return ofMaps([new Map()]);
    case "64 Maps":
      return ofMaps(Array.from({ length: MAPS }, () => new Map()));
    case "no cache":
      return { get: () => undefined, set: () => undefined, pushOut: () => undefined, size: () => 0 };
    default:
      throw new Error(`there is no contestant ${name}`);
  }
}

/** A cache that bounds itself. */
function ofCache(cache) {
  return {
    get: (text) => cache.get(text),
    set: (text, value) => cache.set(text, value),
    pushOut: () => undefined,
    size: () => cache.size,
  };
}

/** Maps that are bounded from outside. */
function ofMaps(maps) {
  return {
    get: (text, id) => maps[id % maps.length].get(text),
    set: (text, value, id) => maps[id % maps.length].set(text, value),
    pushOut: (id) => maps[id % maps.length].delete(key(id)),
    size: () => maps.reduce((total, { size }) => total + size, 0),
  };
}

/** No two values are equal: lru-cache keeps the old string where the new one is the same. */
function put(id) {
  store.set(key(id), textOf(written), id);
  written += 1;
}

function key(id) {
  return keyOf(10_000_000 + id, "user:session:");
}

/** One tick each 5 ms, or at once where the last one took longer. */
async function churn() {
  const request = JSON.stringify(recordOf(1));
  const openRequests = [];
  let newest = entries;
  let writes = 0;
  let read = 0;
  for (let tick = 0; writes < writesMin || (writes < writesMax && !hasCollectedAll()); tick += 1) {
    newest = replaceEntries(newest);
    writes += INSERTS + OVERWRITES;
    read += readEntries(newest);
    for (let arrival = 0; arrival < REQUESTS; arrival += 1) {
      openRequests[(tick * REQUESTS + arrival) % OPEN_REQUESTS] = JSON.parse(request);
    }
    await sleep(Math.max(0, startMs + (tick + 1) * TICK_MS - performance.now()));
  }
  return { writes, read };
}

function hasCollectedAll() {
  return pauses.some(({ kind }) => kind === FULL);
}

/** The live entries are those from `newest - entries` up to `newest`, the oldest of which make room for new ones. */
function replaceEntries(newest) {
  for (let id = newest; id < newest + INSERTS; id += 1) {
    put(id);
    store.pushOut(id - entries);
  }
  for (let write = 0; write < OVERWRITES; write += 1) {
    const id = newest + INSERTS - 1 - next(entries);
    put(id);
  }
  return newest + INSERTS;
}

function readEntries(newest) {
  let characters = 0;
  for (let look = 0; look < READS; look += 1) {
    const id = newest - 1 - next(entries);
    characters += store.get(key(id), id)?.length ?? 0;
  }
  return characters;
}

function report() {
  const longest = pauses.reduce((a, b) => (b.ms > a.ms ? b : a), { ms: 0, kind: "none" });
  const times = Float64Array.from(pauses, ({ ms }) => ms).sort();
  return {
    longestMs: round(longest.ms),
    longestKind: longest.kind,
    p999Ms: times.length === 0 ? 0 : round(quantile(times, 0.999)),
    totalMs: round(times.reduce((total, ms) => total + ms, 0)),
    byKind: byKind(),
    loopDelayMaxMs: round(delay.max / 1e6),
    loopDelayP999Ms: round(delay.percentile(99.9) / 1e6),
    seconds,
    writes,
    held: store.size(),
    read,
  };
}

/** Per kind of pause how many there were and how long the longest was. */
function byKind() {
  const kinds = {};
  for (const { ms, kind } of pauses) {
    const { count = 0, longestMs = 0 } = kinds[kind] ?? {};
    kinds[kind] = { count: count + 1, longestMs: Math.max(longestMs, round(ms)) };
  }
  return kinds;
}

function round(ms) {
  return Number(ms.toFixed(2));
}
