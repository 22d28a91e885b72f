// A thread of the soak: works on the shared cache until it is told to leave or is terminated.
//
// Every value says which key and version it is, and the rest of it follows from these, so another key's value or a torn one shows. Each key has one writer at a time (its number
// modulo the threads). `floors` says for each key the least version that may still be read: a writer
// raises it when its call has returned, so a superseded or deleted value shows, too, whether it came
// from the store or from an L0. `ends` says when a key's entry ends: raised before a call that may
// prolong it, lowered after one that has returned.
import { parentPort, workerData } from "node:worker_threads";
import { createCache as createRealCache } from "nearcache";

const { stub, thread, threads, keys, shared, seed, l0 } = workerData;
const { floors, ends, operations, hits } = shared;
const OPERATIONS_PER_TURN = 2_000;
/** The helper thread may be late on a machine that has other things to do. */
const LATE_MS_MAX = 10_000;
const PRIVATE_ONE_IN = 4_000;
const CLEAR_ONE_IN = 400_000;

const createCache = stub ? createStub : createRealCache;
const cache = createCache({ ...workerData.cache, l0: l0 && { maxEntries: 512 } });
let state = Math.imul(seed, 0x9e3779b1) | 1;
const random = (below) => {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
};

let leaving = false;
parentPort.on("message", () => {
  leaving = true;
});
turn();

function turn() {
  for (let n = 0; n < OPERATIONS_PER_TURN; n += 1) {
    operate();
  }
  Atomics.add(operations, thread, BigInt(OPERATIONS_PER_TURN));
  if (leaving) {
    // Every other one leaves its handle to the end of the thread.
    if (seed % 4 === 0) {
      cache.close();
    }
    parentPort.close();
  } else {
    setImmediate(turn);
  }
}

function operate() {
  const what = random(100);
  if (what < 70) read(random(keys));
  else if (what < 90) write(ownKey());
  else if (what < 95) remove(ownKey());
  else if (what < 98) living(ownKey(), 1 + random(30_000), (n, ttl) => cache.touch(name(n), ttl));
  else if (what < 99) cache.getMany(Array.from({ length: 8 }, () => name(random(keys))));
  else rarely();
}

function rarely() {
  if (random(CLEAR_ONE_IN / 100) === 0) {
    cache.clear();
  } else if (random(PRIVATE_ONE_IN / 100) === 0) {
    usePrivate();
  } else {
    for (const key of cache.keys({ prefix: `key ${random(100)}` })) {
      if (!key.startsWith("key ")) throw new Error(`there is no key "${key}"`);
    }
  }
}

/** A cache that nobody else knows; its memory must come back. */
function usePrivate() {
  const own = createCache({ maxMemory: "4mb", ttl: Number.POSITIVE_INFINITY });
  for (let n = 0; n < 200; n += 1) own.set(`own ${n}`, "x".repeat(random(20_000)));
  own.close();
}

function read(n) {
  const [floor, end, start] = [Atomics.load(floors, n), ends[n], now()];
  const value = cache.get(name(n));
  if (value !== undefined) {
    check(n, value, floor);
    const late = start - Math.max(end, ends[n]);
    if (late > LATE_MS_MAX) throw new Error(`key ${n} ended ${late} ms ago`);
    Atomics.add(hits, thread, 1n);
  }
}

function check(n, value, floor) {
  const [key, version, length] = typeof value === "string" ? value.split("|", 3).map(Number) : value.head;
  const text = typeof value === "string" ? value.slice(value.lastIndexOf("|") + 1) : value.text;
  if (key !== n) throw new Error(`key ${n} has the value of ${key}`);
  if (version < floor) throw new Error(`key ${n} has version ${version}, ${floor} is the least`);
  if (text !== filler(n, version, length)) throw new Error(`key ${n}, version ${version}: torn`);
}

function write(n) {
  const version = Atomics.load(floors, n) + 1;
  const length = size();
  const text = filler(n, version, length);
  const value = n % 2 === 0 ? `${n}|${version}|${length}|${text}` : { head: [n, version, length], text };
  living(n, [50, 1_000, 20_000, 60_000][random(4)], (_, ttl) => cache.set(name(n), value, { ttl }));
  Atomics.store(floors, n, version);
}

/** Does something that gives a key's entry so many milliseconds from now. */
function living(n, ttl, body) {
  ends[n] = Math.max(ends[n], now() + ttl + LATE_MS_MAX);
  body(n, ttl);
  ends[n] = now() + ttl;
}

function remove(n) {
  cache.delete(name(n));
  Atomics.add(floors, n, 1);
}

/** Mostly small; now and then a hundred kilobytes. */
function size() {
  const kind = random(100);
  if (kind < 80) return random(300);
  if (kind < 97) return random(5_000);
  return random(100_000);
}

function filler(n, version, length) {
  const unit = `${n}:${version};`;
  return unit.repeat(Math.ceil(length / unit.length)).slice(0, length);
}

function ownKey() {
  return random(Math.floor(keys / threads)) * threads + thread;
}

function name(n) {
  return `key ${n}`;
}

function now() {
  return performance.timeOrigin + performance.now();
}

/** A Map behind as much of a cache's face as is used here. */
function createStub() {
  const map = new Map();
  return {
    get: (key) => map.get(key),
    getMany: (wanted) => wanted.map((key) => map.get(key)),
    set: (key, value) => map.set(key, value),
    delete: (key) => map.delete(key),
    touch: (key) => map.has(key),
    clear: () => map.clear(),
    keys: () => [...map.keys()],
    close: () => map.clear(),
  };
}
