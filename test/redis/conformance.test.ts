// The tier in Redis keeps to what every second tier has to, in each way of coherence and on a Cluster.
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { RedisTierOptions } from "../../ts/redis/index.js";
import { redisTier } from "../../ts/redis/index.js";
import { tierChecks } from "../../ts/testing/index.js";
import { type RedisServer, startRedis } from "../support/redis.js";
import { type RedisCluster, startCluster } from "../support/redis-cluster.js";

let server: RedisServer;
let cluster: RedisCluster;
let prefixes = 0;

beforeAll(async () => {
  [server, cluster] = await Promise.all([startRedis(), startCluster()]);
});
afterAll(() => Promise.all([server.close(), cluster.close()]));

const ways: [string, () => RedisTierOptions][] = [
  ["by tracking", () => ({ url: server.url, coherence: "tracking" })],
  ["by a stream", () => ({ url: server.url, coherence: "stream" })],
  ["on a Cluster", () => ({ cluster: { nodes: cluster.startupNodes } })],
];

describe.each(ways)("a tier in Redis, %s", (_, options) => {
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
    test(name, () => run(make));
  }
});
