// Works on a shared cache as hard as it can until it is terminated; see churn.test.ts.
import { parentPort, workerData } from "node:worker_threads";
import { createCache } from "nearcache";

const { name, seed } = workerData;
const cache = createCache({ name, maxMemory: "16mb", ttl: "10s" });
parentPort.postMessage("ready");

let state = seed;
const random = (below) => {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  return (state >>> 8) % below;
};

for (;;) {
  const key = `key ${random(2_000)}`;
  const what = random(100);
  if (what < 60) {
    const value = cache.get(key);
    if (value !== undefined && value.key !== key) throw new Error(`${key} has the value of ${value.key}`);
  } else if (what < 90) {
    cache.set(key, { key, text: "x".repeat(random(2_000)), list: [1, 2, 3], at: new Date(random(1_000)) });
  } else if (what < 97) {
    cache.delete(key);
  } else if (what < 99) {
    for (const found of cache.keys({ prefix: "key 1" })) if (found === "key 1999") break;
  } else {
    cache.touch(key);
    cache.stats();
  }
}
