// The built entry: both module systems, nothing of it in the core, and a process that ends when its work is done.
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as core from "nearcache";
import * as esm from "nearcache/redis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../../scripts/lib/ports.mjs";
import { thrownBy } from "../support/caches.js";
import { type RedisServer, startRedis } from "../support/redis.js";
import { type RedisCluster, startCluster } from "../support/redis-cluster.js";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const cjs = createRequire(import.meta.url)("nearcache/redis") as typeof esm;

/** What a program prints; it must end by itself. */
async function output(type: "module" | "commonjs", code: string): Promise<string> {
  const { stdout, stderr } = await run(process.execPath, [`--input-type=${type}`, "--eval", code], {
    cwd: root,
    timeout: 20_000,
  });
  return stdout + stderr;
}

describe("the two module systems", () => {
  test("export the same names", () => {
    expect(Object.keys(cjs)).toEqual(Object.keys(esm));
  });

  test.each([
    ["ES module", esm],
    ["CommonJS", cjs],
  ])("throw errors that the core knows (%s)", (_, { redisTier }) => {
    expect(thrownBy(() => redisTier({}))).toBeInstanceOf(core.InvalidOptionError);
  });
});

describe("the core", () => {
  test("loads no ioredis as CommonJS", async () => {
    const code = `require("nearcache"); console.log(Object.keys(require.cache).filter((name) => name.includes("ioredis")).length);`;
    expect(await output("commonjs", code)).toBe("0\n");
  });

  test("loads no ioredis as an ES module", async () => {
    const code = `import { createRequire } from "node:module"; import "nearcache";
      console.log(Object.keys(createRequire(import.meta.url).cache).filter((name) => name.includes("ioredis")).length);`;
    expect(await output("module", code)).toBe("0\n");
  });
});

describe("a process that leaves its tier open ends by itself", () => {
  let server: RedisServer;
  let cluster: RedisCluster;

  beforeAll(async () => {
    [server, cluster] = await Promise.all([startRedis(), startCluster()]);
  });
  afterAll(() => Promise.all([server.close(), cluster.close()]));

  const program = (options: string): string => `
    import { redisTier } from "nearcache/redis";
    const tier = redisTier({ commandTimeout: "5s", connectTimeout: "5s", ...${options} });
    tier.attach({ invalidate() {}, invalidateTags() {}, invalidateAll() {}, report() {} });
    const entry = { kind: 1, bytes: Buffer.from("x"), freshMs: 1e4, liveMs: 1e4, loadMs: 0, tags: [] };
    console.log(await tier.set("k", entry, {}).catch((error) => error.code));
    console.log((await tier.get("k", { leaseMs: 0 })).entry?.bytes.toString());
  `;

  test.each(["auto", "stream", "ttl-only"])("with Redis there, and coherence %s", async (coherence) => {
    const options = JSON.stringify({ url: server.url, coherence });
    expect(await output("module", program(options))).toBe("true\nx\n");
  });

  test("with a Cluster", async () => {
    const options = JSON.stringify({ cluster: { nodes: cluster.startupNodes } });
    expect(await output("module", program(options))).toBe("true\nx\n");
  });

  test("with Redis away", async () => {
    const options = JSON.stringify({ url: `redis://127.0.0.1:${await freePort()}`, commandTimeout: 50 });
    expect(await output("module", program(options))).toBe("ERR_TIER\nundefined\n");
  });
});
