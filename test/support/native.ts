// The addon without ts/ around it, in this thread and in workers.
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach } from "vitest";
import type { NativeCache, NativeModule, NativeOptions } from "../../ts/native.js";

/** Where the addon is that is tested. */
export const addonPath = process.env["NEARCACHE_ADDON"] ?? findAddon();
/** It, loaded in this thread. */
export const addon = createRequire(import.meta.url)(addonPath) as NativeModule;

function findAddon(): string {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const file = readdirSync(root).find((name) => /^nearcache\..+\.node$/.test(name));
  return `${root}${file ?? "nearcache.node: not built, run npm run build:native"}`;
}

const opened: NativeCache[] = [];
afterEach(() => {
  for (const cache of opened.splice(0)) {
    cache.close();
  }
});

/** A handle for one test, closed after it. */
export function openNative(options: Partial<NativeOptions> = {}): NativeCache {
  const cache = addon.open({
    maxMemory: 16 * 2 ** 20,
    defaultTtlMs: Number.POSITIVE_INFINITY,
    fingerprint: "{}",
    scratch: new ArrayBuffer(64 * 1024),
    watch: false,
    ...options,
  });
  opened.push(cache);
  return cache;
}

/** A thread that runs `body`, with a handle on the store `name` as `cache`, `parentPort`, and `data`. */
export function startNativeWorker(name: string, body: string, data: unknown = {}): Worker {
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    const { addonPath, name, data } = workerData;
    const cache = require(addonPath).open({ name, maxMemory: 16 * 2 ** 20, defaultTtlMs: Infinity,
      fingerprint: "{}", scratch: new ArrayBuffer(65536), watch: false });
    ${body}`;
  return new Worker(code, { eval: true, workerData: { addonPath, name, data } });
}
