// Writes large values until it is terminated; see terminate-large.test.ts.
import { parentPort, workerData } from "node:worker_threads";
import { createCache } from "nearcache";

const { name, keys, bytesMax, seed, written } = workerData;
const cache = createCache({ name, maxMemory: "32mb", ttl: "10m", maxValueSize: "4mb" });
parentPort.postMessage("ready");

let state = seed;
const random = (below) => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  return (state >>> 8) % below;
};
for (;;) {
  const key = random(keys);
  // All bytes are the same, but for one that says whose they are.
  const value = new Uint8Array(2 + random(bytesMax)).fill(random(256));
  value[1] = key;
  cache.set(`key ${key}`, value);
  Atomics.add(written, 0, 1);
}
