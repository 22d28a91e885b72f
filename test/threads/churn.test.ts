// Worker threads that are terminated in the middle of a burst of calls harm nobody: no crash, no lock left behind, no
// handle left open, and the values that the others read are whole.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { createCache } from "nearcache";
import { expect, test } from "vitest";
import { uniqueName } from "../support/caches.js";

const WORKERS = 200;
const AT_A_TIME = 8;

interface Entry {
  key: string;
  text: string;
}

test("200 workers started and terminated under load", { timeout: 180_000 }, async () => {
  const name = uniqueName();
  const cache = createCache<Entry>({ name, maxMemory: "16mb", ttl: "10s" });
  const errors: unknown[] = [];
  const url = new URL("./churn-worker.mjs", import.meta.url);

  const lifeOf = async (seed: number): Promise<void> => {
    const worker = new Worker(url, { workerData: { name, seed } });
    worker.on("error", (error) => errors.push(error));
    await once(worker, "message");
    await sleep(seed % 13);
    await worker.terminate();
  };
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < WORKERS) {
      next += 1;
      await lifeOf(next);
      // This thread works in between, and must never wait for what a dead thread left behind.
      for (let i = 0; i < 500; i++) {
        const key = `key ${(i * 7 + next) % 2_000}`;
        const value = cache.get(key);
        if (value !== undefined) expect(value.key).toBe(key);
        if (i % 5 === 0) cache.set(key, { key, text: "from the main thread" });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  expect(errors).toEqual([]);

  cache.clear();
  cache.set("after", { key: "after", text: "x" });
  expect(cache.get("after")).toEqual({ key: "after", text: "x" });
  expect(cache.size).toBe(1);
  const { memory } = cache.stats();
  expect(memory.used).toBeLessThanOrEqual(memory.max);
  cache.close();
  // The name is free: no handle of a dead thread holds the store.
  const other = createCache({ name, maxMemory: "32mb", ttl: "1m" });
  expect(other.size).toBe(0);
  other.close();
});
