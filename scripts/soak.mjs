// `npm run soak -- --minutes 30`: hours in minutes for the whole stack. Worker threads that come and go
// share a cache (some with L0, some without), write objects and strings of many sizes with all kinds of
// lives, delete, clear, and check everything that they read; see soak/worker.mjs for what is checked.
//
//   --minutes N   how long, 30 unless told
//   --threads N   worker threads, 3 unless told
//   --limit N     largest slope of resident memory, in KiB per minute, 512 unless told
//
//   --stub        with a Map per thread instead of the cache: what Node itself does to the slope
//
// It works in rounds. After each all workers are gone and the heap is collected; what is resident then
// is a sample. (While workers run, their heaps move it by a hundred megabytes.) The slope is that of
// the least squares' line through the second half of the samples. The exit code says whether a value
// was wrong, a worker failed or the slope exceeds the limit. Not part of the CI: it takes long to say
// anything.
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { createCache } from "nearcache";

const KEYS = 6_000;
const ROUND_MS = 20_000;
const PRINT_EVERY = 3;
const LIFE_MS = 2_000;
/** So that V8's heaps reach their plateau in minutes. */
const WORKER_HEAP_MB = 48;
/** Less than is written, so that entries are evicted. */
const CACHE = { name: "soak", maxMemory: "8mb", ttl: "1m" };

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "30" },
    threads: { type: "string", default: "3" },
    limit: { type: "string", default: "512" },
    stub: { type: "boolean", default: false },
  },
});
const durationMs = Number(options.minutes) * 60_000;
const threads = Number(options.threads);
const limit = Number(options.limit);

// Per key the least version that may still be read, and when its entry ends; per thread operations and hits.
const shared = {
  floors: new Int32Array(new SharedArrayBuffer(KEYS * 4)),
  ends: new Float64Array(new SharedArrayBuffer(KEYS * 8)),
  operations: new BigInt64Array(new SharedArrayBuffer(threads * 8)),
  hits: new BigInt64Array(new SharedArrayBuffer(threads * 8)),
};
const errors = [];
let started = 0;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc");
const cache = createCache(CACHE);
const samples = [];
const startedAt = performance.now();
while (errors.length === 0 && performance.now() - startedAt < durationMs) {
  const endsAt = performance.now() + ROUND_MS;
  await Promise.all(Array.from({ length: threads }, (_, thread) => lane(thread, endsAt)));
  collectGarbage();
  samples.push({ minutes: (performance.now() - startedAt) / 60_000, kib: process.memoryUsage.rss() / 1_024 });
  if (samples.length % PRINT_EVERY === 0) {
    print(samples.at(-1));
  }
}
report();

/** One worker after the other in one place: some leave when they are asked, some are terminated in the middle. */
async function lane(thread, endsAt) {
  while (errors.length === 0 && performance.now() < endsAt) {
    started += 1;
    const worker = new Worker(new URL("./soak/worker.mjs", import.meta.url), {
      workerData: {
        ...{ cache: CACHE, stub: options.stub, thread, threads, keys: KEYS, shared },
        ...{ seed: started, l0: started % 3 !== 0 },
      },
      resourceLimits: { maxOldGenerationSizeMb: WORKER_HEAP_MB },
    });
    worker.on("error", (error) => errors.push(error));
    const exited = new Promise((resolve) => {
      worker.on("exit", resolve);
    });
    const leaves = started % 2 === 0;
    const life = Math.min(LIFE_MS * (1 + (started % 4)), Math.max(0, endsAt - performance.now()));
    await Promise.race([sleep(life), exited]);
    if (leaves) {
      worker.postMessage("leave");
    } else {
      await worker.terminate();
    }
    await exited;
  }
}

function print({ minutes, kib }) {
  const { memory, entries, evictions } = cache.stats();
  console.log(
    `${minutes.toFixed(1).padStart(6)} min  RSS ${(kib / 1_024).toFixed(1)} MiB  ${total(shared.operations)} operations  ` +
      `${entries} entries  ${evictions} evictions  ${(memory.used / 2 ** 20).toFixed(1)} MiB used  ${started} workers`,
  );
}

function report() {
  const second = samples.slice(samples.length >> 1);
  const slopeKib = slope(second);
  const sizes = samples.map(({ kib }) => kib / 1_024);
  console.log(`\noperations: ${total(shared.operations)}, hits: ${total(shared.hits)}, workers: ${started}`);
  console.log(`RSS: ${Math.min(...sizes).toFixed(1)} to ${Math.max(...sizes).toFixed(1)} MiB, ${sizes.length} samples`);
  console.log(`slope over the second half: ${slopeKib.toFixed(1)} KiB per minute (limit ${limit})`);
  console.log(`errors: ${errors.length}`);
  for (const error of errors) {
    console.error(error);
  }
  cache.close();
  process.exitCode = errors.length > 0 || slopeKib > limit ? 1 : 0;
}

/** The slope of the least squares' line, in KiB per minute. */
function slope(points) {
  const mean = (pick) => points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const [minutes, kib] = [mean((point) => point.minutes), mean((point) => point.kib)];
  const covariance = mean((point) => (point.minutes - minutes) * (point.kib - kib));
  return covariance / mean((point) => (point.minutes - minutes) ** 2);
}

function total(counters) {
  return counters.reduce((sum, count) => sum + count, 0n);
}
