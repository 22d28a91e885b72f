// What loading leaves running: nothing. And which clock it goes by: not the one that people set.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test, vi } from "vitest";
import { newCache } from "../support/caches.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

afterEach(() => {
  vi.useRealTimers();
});

test("a process with loads, refreshes, time-outs and a second tier ends by itself", () => {
  const script = `
    import { createCache } from "nearcache";
    const nothing = { entry: undefined, lease: undefined, isHeld: false };
    const l2 = {
      name: "none", attach() {}, stats() {}, get: async () => nothing, set: async () => true, delete: async () => {},
      touch: async () => {}, release: async () => {}, close: async () => {},
    };
    const cache = createCache({ name: "ends", maxMemory: "1mb", ttl: "1h", hardTimeout: "1h", softTimeout: "1h", l2 });
    cache.refreshEvery(["rate"], "1m", () => 1, { jitter: 0 });
    await cache.getOrLoad("key", () => 2, { staleFor: "1h" });
    cache.getOrLoad("never", () => new Promise(() => {}));
    for (let i = 0; i < 1000; i++) cache.get("key");
    console.log(cache.get("key"));
  `;
  const ended = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    cwd: ROOT,
    encoding: "utf8",
    timeout: 20_000,
  });
  expect([ended.status, ended.stdout.trim(), ended.stderr]).toEqual([0, "2", ""]);
});

test("a wall clock that is set back or forth changes nothing", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const cache = newCache<number>({ staleFor: "1m" });
  await cache.getOrLoad("key", () => 1, "1h");
  const before = cache.ttl("key") ?? 0;
  for (const year of [1970, 2100]) {
    vi.setSystemTime(new Date(year, 0));
    expect(cache.get("key")).toBe(1);
    expect(await cache.getOrLoad("key", () => 2)).toBe(1);
    expect(Math.abs((cache.ttl("key") ?? 0) - before)).toBeLessThan(60_000);
  }
});
