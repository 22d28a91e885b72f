// A worker of threads-process.mjs: opens the store, fills it, and runs batches. A named nearcache and an lmdb folder are
// the same store in both workers; of everything else each worker has its own copy.
import { parentPort, workerData } from "node:worker_threads";
import { batchFor, dataFor, expectedOf, fill, storedKey, valueMaker } from "./sequence.mjs";
import { STORES } from "./stores.mjs";

const { name, scenario, folder, gate, index } = workerData;
const expected = expectedOf(scenario);
const store = await STORES[name].open({ entries: scenario.entries, folder, name: "compare" });
/** Each worker reads in an order of its own. */
const data = dataFor(scenario, { seed: 0x9e3779b9 + index });
const batch = await batchFor(name, scenario, store, data);

const ACTIONS = {
  start: () => undefined,
  /** Nobody but the store keeps what is stored: its memory is measured. */
  fill: () => fill(store, scenario.entries, storedKey, valueMaker(scenario)),
  collect() {
    for (let round = 0; round < 3; round += 1) {
      globalThis.gc();
    }
  },
  run,
};

parentPort.on("message", async (message) => {
  parentPort.postMessage(await ACTIONS[message.do](message));
});

/** Waits at the gate until all are there: no worker works while another is still being woken. */
async function run({ place, count }) {
  Atomics.add(gate, 0, 1);
  while (Atomics.load(gate, 0) < Atomics.load(gate, 1)) {
    // A turn of the loop takes nanoseconds, waking up microseconds.
  }
  const start = process.hrtime.bigint();
  const sum = await batch(place, count);
  const end = process.hrtime.bigint();
  if (sum !== expected(count)) {
    throw new Error(`${name}: ${count} operations gave ${sum}, not ${expected(count)}`);
  }
  return { start, end };
}
