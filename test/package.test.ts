// The built package: both module systems, types beside each, and a process that ends when its work is done.
import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as esm from "nearcache";
import { describe, expect, test } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const cjs = createRequire(import.meta.url)("nearcache") as typeof esm;
const options = { maxMemory: "16mb", ttl: "1m" } as const;

describe("the two module systems", () => {
  test("export the same names", () => {
    expect(Object.keys(cjs).sort()).toEqual(Object.keys(esm).sort());
  });

  test("share stores by name, and recognise each other's errors", () => {
    const name = `package-${process.pid}`;
    const [first, second] = [
      esm.createCache<object>({ name, ...options }),
      cjs.createCache<object>({ name, ...options }),
    ];
    for (let i = 0; i < 10; i++) {
      first.set("key", { i, list: [i] });
      expect(second.get("key")).toEqual({ i, list: [i] });
    }
    const thrown = (() => {
      try {
        return second.get(5 as never);
      } catch (error) {
        return error;
      }
    })();
    expect(thrown).not.toBeInstanceOf(esm.CacheClosedError);
    expect(thrown).toBeInstanceOf(esm.InvalidKeyError);
    expect(thrown).toBeInstanceOf(cjs.InvalidKeyError);
    first.close();
    second.close();
  });
});

describe("a process that leaves its caches open", () => {
  const USE = `
    const cache = createCache({ name: "open", maxMemory: "16mb", ttl: 50 });
    for (let i = 0; i < 100; i++) { cache.set("key", { i }); cache.get("key"); }
    cache.getOrLoad("never", () => new Promise(() => {}));
    process.stdout.write("used");
  `;

  test.each([
    ["module", `import { createCache } from "nearcache"; ${USE}`],
    ["commonjs", `const { createCache } = require("nearcache"); ${USE}`],
  ])("ends by itself (%s)", async (type, code) => {
    const { stdout, stderr } = await run(process.execPath, [`--input-type=${type}`, "--eval", code], {
      cwd: root,
      timeout: 20_000,
    });
    expect({ stdout, stderr }).toEqual({ stdout: "used", stderr: "" });
  });

  test("works where code from strings is forbidden", async () => {
    const code = `import { createCache } from "nearcache"; import assert from "node:assert";
      const cache = createCache({ maxMemory: "16mb", ttl: "1m", l0: false });
      for (let i = 0; i < 200; i++) { cache.set("key", { i, a: [1] }); assert.deepStrictEqual(cache.get("key"), { i, a: [1] }); }`;
    const flags = ["--disallow-code-generation-from-strings", "--input-type=module", "--eval", code];
    await run(process.execPath, flags, { cwd: root, timeout: 20_000 });
  });
});
