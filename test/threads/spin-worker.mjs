// Spins on `get` until it sees each number that the other thread writes; see spin.test.ts.
import { parentPort, workerData } from "node:worker_threads";
import { createCache } from "nearcache";

const { name, rounds, timeoutMs } = workerData;
const cache = createCache({ name, maxMemory: "16mb", ttl: "10m" });

/** A loop with nothing in it but the read: what an optimising compiler might lift out, it would. */
function spin(wanted) {
  const until = performance.now() + timeoutMs;
  do {
    for (let i = 0; i < 1_000_000; i++) {
      if (cache.get("key") === wanted) return true;
    }
  } while (performance.now() < until);
  return false;
}

parentPort.postMessage("ready");
parentPort.on("message", (round) => {
  parentPort.postMessage({ started: round });
  parentPort.postMessage({ seen: spin(round), l0Hits: cache.stats().l0.hits });
  if (round === rounds) parentPort.close();
});
