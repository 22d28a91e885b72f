// Without taking turns: several threads write and read at full speed. Once `set` has returned (and its thread has said so
// in shared memory), no read in any thread finds an older version, in L0 or out of it.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { uniqueName } from "../support/caches.js";

test("a read that begins after a set has returned never finds less", { timeout: 60_000 }, async () => {
  const threads = 4;
  const keys = 32;
  const published = new Int32Array(new SharedArrayBuffer(keys * 4));
  const name = uniqueName();
  const workers = Array.from({ length: threads }, (_, thread) => {
    const workerData = { name, thread, threads, keys, published, runMs: 3_000 };
    return new Worker(new URL("./published-worker.mjs", import.meta.url), { workerData });
  });
  await Promise.all(workers.map((worker) => once(worker, "message")));
  const answers = workers.map((worker) => once(worker, "message"));
  for (const worker of workers) worker.postMessage("go");
  for (const answer of answers) {
    const [{ reads, writes, l0Hits, ...wrong }] = (await answer) as [Record<string, number>];
    expect(wrong).toEqual({ stale: 0, missing: 0, backwards: 0 });
    expect(reads).toBeGreaterThan(10_000);
    expect(writes).toBeGreaterThan(100);
    expect(l0Hits).toBeGreaterThan(1_000);
  }
});
