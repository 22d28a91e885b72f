// Workers that are terminated in the middle of writing large values leave nothing behind: the values that others read
// are whole, the locks are free, and all memory can be used again.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { createCache } from "nearcache";
import { expect, test } from "vitest";
import { uniqueName } from "../support/caches.js";

const LIVES = 60;
const KEYS = 12;
const BYTES_MAX = 3 * 2 ** 20;

/** As terminate-large-worker.mjs makes them. */
function isWhole(key: number, value: Uint8Array): boolean {
  const first = value[0];
  return value[1] === key && value.every((byte, at) => at === 1 || byte === first);
}

test("workers terminated while they write large values", { timeout: 180_000 }, async () => {
  const name = uniqueName();
  const cache = createCache<Uint8Array>({ name, maxMemory: "32mb", ttl: "10m", maxValueSize: "4mb" });
  const empty = cache.stats().memory.used;
  const errors: unknown[] = [];
  let checked = 0;
  let random = 7;
  for (let life = 1; life <= LIVES; life++) {
    const written = new Int32Array(new SharedArrayBuffer(4));
    const workerData = { name, keys: KEYS, bytesMax: BYTES_MAX, seed: life, written };
    const worker = new Worker(new URL("./terminate-large-worker.mjs", import.meta.url), { workerData });
    worker.on("error", (error) => errors.push(error));
    await once(worker, "message");
    // At a random moment of a random write.
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) | 0;
    const enough = (random >>> 16) % 12;
    while (Atomics.load(written, 0) < enough) {
      checked += 1;
      const key = checked % KEYS;
      const value = cache.get(`key ${key}`);
      if (value !== undefined) expect(isWhole(key, value)).toBe(true);
      await sleep(0);
    }
    await worker.terminate();
  }
  expect(errors).toEqual([]);
  expect(checked).toBeGreaterThan(0);

  // All memory comes back, and a cache full of large values fits again.
  cache.clear();
  await expect.poll(() => cache.stats().memory.used, { timeout: 20_000 }).toBeLessThanOrEqual(empty);
  for (let key = 0; key < KEYS; key++) cache.set(`key ${key}`, new Uint8Array(2 ** 21).fill(key));
  const found = Array.from({ length: KEYS }, (_, key) => cache.get(`key ${key}`));
  expect(found.every((value, key) => value !== undefined && isWhole(key, value))).toBe(true);
  cache.close();
});
