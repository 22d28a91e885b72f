// Writes objects of many shapes into a shared cache and reads those of the other threads; see shapes.test.ts.
import { parentPort, workerData } from "node:worker_threads";
import { createCache } from "nearcache";

const { name, thread, threads, shapes, gate } = workerData;
const cache = createCache({ name, maxMemory: "64mb", ttl: "10m", l0: false });
const make = (shape, of) =>
  Object.fromEntries(
    [...Array(1 + (shape % 9)).keys()].map((i) => [`field${(shape * 31 + i * 7) % 97}_${i}`, { of, shape, i }]),
  );

parentPort.postMessage("ready");
Atomics.wait(gate, 0, 0);
let wrong = 0;
let read = 0;
for (let round = 0; round < 6; round++) {
  for (let shape = 0; shape < shapes; shape++) {
    cache.set(`${thread} ${shape}`, make(shape, thread));
    const other = (shape + round) % threads;
    const value = cache.get(`${other} ${shape}`);
    if (value !== undefined) {
      read += 1;
      if (JSON.stringify(value) !== JSON.stringify(make(shape, other))) wrong += 1;
    }
  }
}
parentPort.postMessage({ wrong, read });
cache.close();
