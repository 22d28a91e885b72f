// The check of a hit is a plain load. A reader that spins on `get` must see another thread's write all the same: no
// compiler may lift the load out of the loop. (This is the test that tells when a Node version needs Atomics.load.)
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { createCache } from "nearcache";
import { expect, test } from "vitest";
import { uniqueName } from "../support/caches.js";

test("a reader that spins on get sees every write of another thread", { timeout: 60_000 }, async () => {
  const name = uniqueName();
  const rounds = 20;
  const cache = createCache<number>({ name, maxMemory: "16mb", ttl: "10m" });
  cache.set("key", 0);
  const worker = new Worker(new URL("./spin-worker.mjs", import.meta.url), {
    workerData: { name, rounds, timeoutMs: 10_000 },
  });
  // Asked for before its last message, with which it may come.
  const exited = once(worker, "exit");
  await once(worker, "message");
  for (let round = 1; round <= rounds; round++) {
    const started = once(worker, "message");
    worker.postMessage(round);
    await started;
    // Long enough for the loop to be compiled with the value in L0.
    await sleep(60);
    const answer = once(worker, "message");
    cache.set("key", round);
    const [{ seen, l0Hits }] = (await answer) as [{ seen: boolean; l0Hits: number }];
    expect(seen, `round ${round}`).toBe(true);
    expect(l0Hits).toBeGreaterThan(1_000 * round);
  }
  await exited;
  cache.close();
});
