// `npm run bench:redis-down`: 5,000 requests a second while Redis is killed and comes back. What each second costs (p50 and
// p99 of a request), how many requests fail, and the same traffic with no second tier for comparison. The loader answers
// after a millisecond; keys live for half a second, so that misses never stop.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHistogram } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { createCache } from "../dist/index.js";
import { redisTier } from "../dist/redis.js";
import { freePort } from "../scripts/lib/ports.mjs";
import { findRedis } from "../scripts/lib/redis.mjs";

const PER_SECOND = 5_000;
const KEYS = 2_000;
const TTL_MS = 500;
const LOAD_MS = 1;
const WINDOW_MS = 250;
/** In windows: how long each phase lasts. */
const PHASE = 12;

const folder = mkdtempSync(join(tmpdir(), "nearcache-bench-redis-"));
const port = await freePort();

function startRedis() {
  return spawn(findRedis(), ["--port", String(port), "--save", "", "--bind", "127.0.0.1", "--dir", folder], {
    stdio: "ignore",
  });
}

/** One window of paced traffic; resolves when all its requests have settled. */
async function traffic(cache, state) {
  const histogram = createHistogram();
  let failures = 0;
  const open = [];
  const started = performance.now();
  for (let sent = 0; sent < (PER_SECOND * WINDOW_MS) / 1_000; ) {
    const due = Math.min(((performance.now() - started) * PER_SECOND) / 1_000, (PER_SECOND * WINDOW_MS) / 1_000);
    for (; sent < due; sent += 1) {
      const start = performance.now();
      const key = `key:${(state.next * 7919) % KEYS}`;
      state.next += 1;
      const request = cache.getOrLoad(key, async () => {
        await sleep(LOAD_MS);
        return key;
      });
      open.push(
        request.then(
          (value) => {
            failures += value === key ? 0 : 1;
            histogram.record(Math.max(1, Math.round((performance.now() - start) * 1e3)));
          },
          () => {
            failures += 1;
          },
        ),
      );
    }
    await sleep(1);
  }
  await Promise.all(open);
  return { p50: histogram.percentile(50) / 1e3, p99: histogram.percentile(99) / 1e3, failures, requests: open.length };
}

async function run(label, cache, phases) {
  const state = { next: 0 };
  let failures = 0;
  let requests = 0;
  for (const [phase, begin] of phases) {
    const happened = begin?.();
    const windows = [];
    for (let i = 0; i < PHASE; i += 1) {
      const window = await traffic(cache, state);
      failures += window.failures;
      requests += window.requests;
      windows.push(window);
    }
    await happened;
    const l2 = cache.stats().l2;
    console.log(`${label}, ${phase}${l2 ? ` (breaker ${l2.breaker}, L2 hits ${l2.hits})` : ""}`);
    console.log(`  p50 ms per ${WINDOW_MS} ms: ${windows.map(({ p50 }) => p50.toFixed(2)).join("  ")}`);
    console.log(`  p99 ms per ${WINDOW_MS} ms: ${windows.map(({ p99 }) => p99.toFixed(2)).join("  ")}`);
  }
  console.log(`${label}: ${failures} of ${requests} requests failed\n`);
  return failures;
}

let failures = 0;
try {
  const options = { maxMemory: "64mb", ttl: TTL_MS };
  const alone = createCache(options);
  failures += await run("no second tier", alone, [["steady"]]);
  alone.close();

  let server = startRedis();
  await sleep(500);
  const l2 = redisTier({ url: `redis://127.0.0.1:${port}` });
  const cache = createCache({ ...options, l2 });
  failures += await run("with Redis", cache, [
    ["Redis is there"],
    ["Redis is killed", () => server.kill("SIGKILL")],
    [
      "Redis is back",
      () => {
        server = startRedis();
      },
    ],
    ["Redis is frozen", () => server.kill("SIGSTOP")],
    ["Redis is thawed", () => server.kill("SIGCONT")],
  ]);
  cache.close();
  server.kill("SIGKILL");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failures === 0 ? 0 : 1;
