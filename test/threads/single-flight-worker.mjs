// One of the threads that all miss the same key; see single-flight.test.ts. It is told what to do by messages.
import { parentPort, workerData } from "node:worker_threads";
import { createCache } from "nearcache";

const { name, counter } = workerData;
const cache = createCache({ name, maxMemory: "16mb", ttl: "10m" });
let finish = [];

/** Counts its calls, and settles when the test says so. */
const loader = () => {
  const call = Atomics.add(counter, 0, 1) + 1;
  parentPort.postMessage({ loading: call });
  return new Promise((resolve, reject) => finish.push({ resolve, reject }));
};

const COMMANDS = {
  async ask({ key, times, options }) {
    const waiting = Array.from({ length: times }, () => cache.getOrLoad(key, loader, options));
    parentPort.postMessage({ asked: true });
    const settled = await Promise.allSettled(waiting);
    parentPort.postMessage({ got: settled.map(({ value, reason }) => reason?.message ?? value) });
  },
  resolve({ value }) {
    for (const { resolve } of finish) resolve(value);
    finish = [];
  },
  reject({ message }) {
    for (const { reject } of finish) reject(new Error(message));
    finish = [];
  },
  delete({ key }) {
    cache.delete(key);
    parentPort.postMessage({ deleted: true });
  },
  close() {
    cache.close();
    parentPort.close();
  },
};

parentPort.on("message", ({ command, ...rest }) => COMMANDS[command](rest));
parentPort.postMessage({ ready: true });
