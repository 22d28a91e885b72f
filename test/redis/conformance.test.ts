// The tier in Redis keeps to what every second tier has to, in each way of coherence, on a Cluster, and on Valkey where the
// machine has it.
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, test } from "vitest";
import { findValkey } from "../../scripts/lib/redis.mjs";
import type { RedisTierOptions } from "../../ts/redis/index.js";
import { redisTier } from "../../ts/redis/index.js";
import { tierChecks } from "../../ts/testing/index.js";
import { type RedisServer, startRedis } from "../support/redis.js";
import { type RedisCluster, startCluster } from "../support/redis-cluster.js";

const valkey = findValkey();
const ONLY_WITH_VALKEY = "needs valkey-server on the PATH, or VALKEY_SERVER=/path/to/it";

let server: RedisServer;
let onValkey: RedisServer | undefined;
let cluster: RedisCluster;
let prefixes = 0;

beforeAll(async () => {
  [server, cluster] = await Promise.all([startRedis(), startCluster()]);
  onValkey = valkey ? await startRedis({ program: valkey }) : undefined;
});
afterAll(() => Promise.all([server.close(), cluster.close(), onValkey?.close()]));

const ways: [string, () => RedisTierOptions][] = [
  ["by tracking", () => ({ url: server.url, coherence: "tracking" })],
  ["by a stream", () => ({ url: server.url, coherence: "stream" })],
  ["on Valkey by tracking", () => ({ url: String(onValkey?.url), coherence: "tracking" })],
  ["on Valkey by a stream", () => ({ url: String(onValkey?.url), coherence: "stream" })],
  ["on a Cluster", () => ({ cluster: { nodes: cluster.startupNodes } })],
];

describe.each(ways)("a tier in Redis, %s", (way, options) => {
  const isSkipped = way.startsWith("on Valkey") && !valkey;
  const make = () => {
    prefixes++;
    const settings = { ...options(), prefix: `t${prefixes}:`, commandTimeout: "10s", connectTimeout: "10s" } as const;
    return Promise.resolve({
      first: redisTier(settings),
      second: redisTier(settings),
      // Redis has no clock of the test's: what is written with a life of 100 ms is gone 150 ms later.
      wait: (ms: number) => pause(ms),
      end: () => Promise.resolve(),
    });
  };
  for (const { name, run } of tierChecks) {
    test.skipIf(isSkipped)(isSkipped ? `${name} (${ONLY_WITH_VALKEY})` : name, () => run(make));
  }
});
