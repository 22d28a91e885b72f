// Ends in the given way while workers are busy; see exit-while-busy.test.ts. Also the workers' code.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { createCache } from "nearcache";

const WORKERS = 3;
const OPERATIONS_MIN = 2_000;
const cache = createCache({ name: "busy", maxMemory: "8mb", ttl: "1s" });

if (isMainThread) {
  await end(process.argv[2]);
} else {
  work();
}

async function end(way) {
  const operations = new Int32Array(new SharedArrayBuffer(4 * WORKERS));
  const workers = Array.from({ length: WORKERS }, (_, at) => {
    const endsAt = way === "process.exit in a worker" ? 3 * OPERATIONS_MIN : Number.POSITIVE_INFINITY;
    return new Worker(new URL(import.meta.url), { workerData: { at, operations, endsAt } });
  });
  const exits = workers.map((worker) => once(worker, "exit"));
  await Promise.all(workers.map((worker) => once(worker, "message")));
  for (const worker of workers) {
    worker.on("error", () => process.exit(99));
    // The end of the main thread is the end of the process.
    if (way === "the end of the main thread") worker.unref();
  }
  while (operations.some((count) => count < OPERATIONS_MIN)) {
    cache.set("main", { text: "x".repeat(500) });
    cache.get("key 1");
    await sleep(0);
  }
  if (way === "process.exit") process.exit(7);
  if (way === "an uncaught error") throw new Error("meant to be thrown");
  if (way === "process.exit in a worker") await Promise.all(exits);
}

function work() {
  const { at, operations, endsAt } = workerData;
  parentPort.postMessage("ready");
  for (let n = 0; ; n += 1) {
    const key = `key ${n % 500}`;
    if (n % 3 === 0) cache.set(key, { key, text: "x".repeat((n * 31) % 3_000) });
    const value = cache.get(key);
    if (value !== undefined && value.key !== key) throw new Error(`${key} has the value of ${value.key}`);
    if (n % 1_000 === at) cache.clear();
    if (Atomics.add(operations, at, 1) === endsAt) process.exit(0);
  }
}
