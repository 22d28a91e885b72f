// One contestant's process of a scenario with threads: starts the workers and tells them when to run.
// Gets `{ name, scenario, batchMs }` as JSON in its argument, answers each request `{ threads }` with `{ ns }`, the time
// per operation of all these threads together, and ends when its parent disconnects.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { COUNT_MIN } from "../lib/compare.mjs";
import { makeFolder, removeFolder, STORES } from "./stores.mjs";

const { name, scenario, batchMs } = JSON.parse(process.argv[2]);
const folder = makeFolder();
process.on("exit", () => removeFolder(folder));
process.on("disconnect", () => process.exit(0));

/** Where the workers wait for each other: see threads-worker.mjs. */
const gate = new Int32Array(new SharedArrayBuffer(8));
const workers = [];
for (let index = 0; index < scenario.threads; index += 1) {
  const workerData = { name, scenario, folder, gate, index };
  workers.push(new Worker(new URL("threads-worker.mjs", import.meta.url), { workerData }));
  await tell(workers[index], { do: "start" });
}

const before = await residentBytes();
const fillSeconds = Math.max(...(await fill()));
const megabytes = Number((((await residentBytes()) - before) / 1e6).toFixed(1));
let place = 0;
const count = await calibrate();
process.on("message", async ({ threads }) => process.send({ ns: await measure(threads, count) }));
process.send({ megabytes, fillSeconds });

/** A store that all share is filled once. */
function fill() {
  const fillers = STORES[name].isShared ? workers.slice(0, 1) : workers;
  return Promise.all(fillers.map((worker) => tell(worker, { do: "fill" })));
}

async function calibrate() {
  let operations = COUNT_MIN;
  await measure(1, operations); // what is loaded or compiled once must not pass for the time of a batch
  for (;;) {
    const took = (await measure(1, operations)) * operations;
    if (took >= batchMs * 1e6) {
      return operations;
    }
    operations = Math.ceil(operations * Math.min(4, Math.max(1.1, (batchMs * 1.05e6) / took)));
  }
}

/** Lets `threads` workers run at the same time. */
async function measure(threads, operations) {
  Atomics.store(gate, 0, 0);
  Atomics.store(gate, 1, threads);
  const running = workers.slice(0, threads);
  const times = await Promise.all(running.map((worker) => tell(worker, { do: "run", place, count: operations })));
  place += operations;
  const first = times.reduce((least, { start }) => (start < least ? start : least), times[0].start);
  const last = times.reduce((most, { end }) => (end > most ? end : most), times[0].end);
  return Number(last - first) / (operations * threads);
}

async function residentBytes() {
  for (const worker of workers) {
    await tell(worker, { do: "collect" });
  }
  return process.memoryUsage.rss();
}

async function tell(worker, message) {
  const answered = once(worker, "message");
  worker.postMessage(message);
  const [answer] = await answered;
  return answer;
}
