// A process whose main thread never loads the addon; see load-unload.test.ts. Prints a report as JSON.
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";

const LIVES = 40;
const READERS = 2;
/** How a worker ends: its handles closed, left open, by `process.exit`, by an error, terminated in a loop. */
const ENDINGS = ["close", "leave", "exit", "throw", "terminate"];
const MIB = 2 ** 20;
const WAIT_MS_MAX = 20_000;

const besideReaders = process.argv[2] === "beside-readers";
const name = `load-unload-${process.pid}`;
const counts = new Int32Array(new SharedArrayBuffer(8));
const errors = [];
let regionsMost = 0;
const worker = (role, more) => {
  const started = new Worker(new URL("./load-unload-worker.mjs", import.meta.url), {
    workerData: { role, name, counts, ...more },
  });
  started.on("error", (error) => {
    if (error.message !== "meant to be thrown") errors.push(String(error.stack));
  });
  return started;
};

const threadsBefore = await threadsWithoutAddon();
const readers = besideReaders ? Array.from({ length: READERS }, () => worker("reader")) : [];
await Promise.all(readers.map((reader) => once(reader, "message")));
for (let life = 0; life < LIVES; life += 1) {
  const ending = ENDINGS[life % ENDINGS.length];
  const started = worker("writer", { life, ending });
  const ended = exitOf(started);
  await once(started, "message");
  regionsMost = Math.max(regionsMost, regions());
  if (ending === "terminate") await started.terminate();
  await ended;
}
const readersEnded = readers.map(exitOf);
for (const reader of readers) reader.postMessage("stop");
await Promise.all(readersEnded);

const last = worker("last");
const lastEnded = exitOf(last);
const [attachedToOld] = await once(last, "message");
await lastEnded;

console.log(
  JSON.stringify({
    lives: LIVES,
    reads: counts[0],
    errors,
    attachedToOld,
    regionsMost,
    regionsLeft: await settled(() => regions()),
    threadsMore: await settled(() => Math.max(0, threads() - threadsBefore)),
  }),
);

/** Unlike `once`, not rejected by the worker's error. */
function exitOf(thread) {
  return new Promise((resolve) => {
    thread.on("exit", resolve);
  });
}

/** Threads of this process once a worker has come and gone, which starts threads that Node keeps. */
async function threadsWithoutAddon() {
  const idle = new Worker("", { eval: true });
  await exitOf(idle);
  return threads();
}

function threads() {
  return existsSync("/proc/self/task") ? readdirSync("/proc/self/task").length : 0;
}

/** Writable anonymous mappings of about the size of the caches' regions. */
function regions() {
  if (!existsSync("/proc/self/maps")) return 0;
  const mappings = [...readFileSync("/proc/self/maps", "utf8").matchAll(/^(\w+)-(\w+) rw-p \S+ \S+ 0 *$/gm)];
  const sizes = mappings.map(([, from, to]) => (Number.parseInt(to, 16) - Number.parseInt(from, 16)) / MIB);
  return sizes.filter((size) => size > 36 && size < 48).length;
}

/** What `count` gives once it gives 0; after a while, what it gives then. */
async function settled(count) {
  const until = performance.now() + WAIT_MS_MAX;
  while (count() > 0 && performance.now() < until) await sleep(10);
  return count();
}
