// The shape table is shared by all threads: several that invent shapes at the same time agree on the numbers, and each
// reads what the others wrote.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { uniqueName } from "../support/caches.js";

test("four threads that make up 500 shapes at once read each other's objects", { timeout: 60_000 }, async () => {
  const threads = 4;
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const name = uniqueName();
  const workers = Array.from({ length: threads }, (_, thread) => {
    const workerData = { name, thread, threads, shapes: 500, gate };
    return new Worker(new URL("./shapes-worker.mjs", import.meta.url), { workerData });
  });
  await Promise.all(workers.map((worker) => once(worker, "message")));
  const answers = workers.map((worker) => once(worker, "message"));
  gate[0] = 1;
  Atomics.notify(gate, 0);
  for (const answer of answers) {
    const [{ wrong, read }] = (await answer) as [{ wrong: number; read: number }];
    expect(wrong).toBe(0);
    expect(read).toBeGreaterThan(100);
  }
});
