// Writes its own keys and reads everybody's at full speed; see published.test.ts.
import { parentPort, workerData } from "node:worker_threads";
import { createCache } from "nearcache";

const { name, thread, threads, keys, published, runMs } = workerData;
const cache = createCache({ name, maxMemory: "32mb", ttl: "10m", l0: { maxEntries: 64 } });
let version = 0;
let state = 12_345 + thread;
const random = (below) => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  return (state >>> 8) % below;
};

const result = { reads: 0, stale: 0, missing: 0, backwards: 0, writes: 0, l0Hits: 0 };
const last = new Int32Array(keys);

function write() {
  const key = random(keys / threads) * threads + thread;
  version += 1;
  cache.set(`key ${key}`, { key, version });
  // From here on no read, in whatever thread, may find less.
  Atomics.store(published, key, version);
  result.writes += 1;
}

function read() {
  const key = random(keys);
  const least = Atomics.load(published, key);
  const value = cache.get(`key ${key}`);
  result.reads += 1;
  if (value === undefined) {
    result.missing += least > 0 ? 1 : 0;
    return;
  }
  if (value.key !== key || value.version < least) result.stale += 1;
  if (value.version < last[key]) result.backwards += 1;
  last[key] = value.version;
}

parentPort.postMessage("ready");
parentPort.once("message", () => {
  const until = performance.now() + runMs;
  do {
    for (let i = 0; i < 1_000; i++) {
      if (random(50) === 0) write();
      else read();
    }
  } while (performance.now() < until);
  result.l0Hits = cache.stats().l0.hits;
  parentPort.postMessage(result);
  cache.close();
  parentPort.close();
});
