// Where nearcache may find itself: beside another copy of itself, in a `vm` context, in a worker, on a file system that it
// can't write to, in a process without rights, and with an addon that is not the right one.
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Installed, PLATFORM_PACKAGE } from "./support/installed.js";

const OPTIONS = `{ name: "shared", maxMemory: "16mb", ttl: "1h" }`;
/** Prints what the first cache of a program ends in. */
const REFUSED = `
  import { createCache, NativeAddonError } from "nearcache";
  try {
    createCache(${OPTIONS});
  } catch (error) {
    const { code, reason, platform, message } = error;
    console.log(JSON.stringify({ typed: error instanceof NativeAddonError, code, reason, platform, message }));
  }`;
interface Refusal {
  typed: boolean;
  reason: string;
  message: string;
}
const isGlibc = PLATFORM_PACKAGE.endsWith("-gnu");
const permission = process.allowedNodeEnvironmentFlags.has("--permission")
  ? "--permission"
  : "--experimental-permission";

describe("two copies in one process", () => {
  const BOTH = `
    import * as first from "nearcache";
    import * as second from "other";
    const [a, b] = [first.createCache(${OPTIONS}), second.createCache(${OPTIONS})];
    a.set("key", { from: "the first" });
    const thrown = (call) => { try { call(); } catch (error) { return error; } };
    const error = thrown(() => b.get(5));
    const delivered = [];
    const behind = new first.WriteBehind(b, { delay: 0, onWriteFailed() {}, to: (items) => void delivered.push(...items) });
    const view = first.scoped(b, { part: "a" });
    await b.write("plain", 1, { to: behind });
    await second.write(view, "scoped", 2, { to: behind });
    await behind.close();
    console.log(JSON.stringify({
      seen: b.get("key") ?? null,
      sameClass: first.InvalidKeyError === second.InvalidKeyError,
      known: [first.InvalidKeyError, first.NearcacheError, second.InvalidKeyError].map((type) => error instanceof type),
      confused: error instanceof first.CacheClosedError,
      code: error.code,
      delivered: delivered.map(({ value }) => value),
      subclass: behind instanceof class extends first.WriteBehind {},
    }));`;

  test("of the same version, with one addon: one store, and each knows the other's errors and objects", async () => {
    const installed = new Installed().addPackage().addPackage("other").addAddon();
    expect(await installed.run("module", BOTH)).toMatchObject({
      seen: { from: "the first" },
      sameClass: false,
      known: [true, true, true],
      delivered: [1, 2],
      subclass: false,
      confused: false,
      code: "ERR_KEY_NOT_STRING",
    });
  });

  test("of two versions, each with its addon: separate stores, and each knows the other's errors", async () => {
    const installed = new Installed().addPackage().addAddon();
    installed.addPackage("other", "0.2.0").addAddonOf("0.2.0", "other");
    expect(await installed.run("module", BOTH)).toMatchObject({
      seen: null,
      known: [true, true, true],
      delivered: [1, 2],
      confused: false,
      code: "ERR_KEY_NOT_STRING",
    });
  });

  test("of two versions, with one addon: the newer says so", async () => {
    const installed = new Installed().addPackage("nearcache", "0.2.0").addAddon();
    const refusal = await installed.run<Refusal>("module", REFUSED);
    expect(refusal).toMatchObject({ typed: true, reason: "other-version" });
    expect(refusal.message).toContain("is 0.1.0, but nearcache is 0.2.0");
  });
});

describe("a vm context", () => {
  /** Loads nearcache the way that test runners do: its code in a context of its own, the addon from outside. */
  const IN_CONTEXT = `
    const vm = require("node:vm");
    const { readFileSync } = require("node:fs");
    const { createRequire } = require("node:module");
    const { dirname } = require("node:path");
    const file = require.resolve("nearcache");
    const { performance, setTimeout, clearTimeout, AbortController, AbortSignal, TextEncoder, TextDecoder, Buffer } = globalThis;
    const context = vm.createContext({ performance, setTimeout, clearTimeout, AbortController, AbortSignal, TextEncoder,
      TextDecoder, Buffer, process, options: ${OPTIONS} });
    const load = vm.runInContext("(function (exports, require, module, __filename, __dirname) {" + readFileSync(file, "utf8") +
      "\\n})", context, { filename: file });
    const module_ = { exports: {} };
    load(module_.exports, createRequire(file), module_, file, dirname(file));
    context.nearcache = module_.exports;
    const inside = vm.runInContext(\`
      const cache = nearcache.createCache(options);
      const values = { text: "text", object: { list: [1, { a: 1 }] }, map: new Map([[1, new Date(5)]]), bytes: new Uint8Array([1, 2]) };
      const same = Object.entries(values).map(([key, value]) => {
        cache.set(key, value);
        for (let i = 0; i < 20; i++) cache.get(key);
        const found = cache.get(key);
        return Object(found) === found ? Object.getPrototypeOf(found) === Object.getPrototypeOf(value) : found === value;
      });
      let error;
      try { cache.get(5); } catch (thrown) { error = thrown; }
      ({ same, typed: error instanceof nearcache.InvalidKeyError, native: error instanceof Error, message: error.message })\`, context);
    const outside = require("nearcache").createCache(${OPTIONS});
    const result = { ...inside, outside: outside.get("object") };`;
  const EXPECTED = {
    same: [true, true, true, true],
    typed: true,
    native: true,
    message: "the key must be a string; it is 5",
    outside: { list: [1, { a: 1 }] },
  };

  test("has values and errors of its own, and shares the store", async () => {
    const installed = new Installed().addPackage().addAddon();
    expect(await installed.run("commonjs", `${IN_CONTEXT} console.log(JSON.stringify(result));`)).toEqual(EXPECTED);
  });

  test("works in a worker, too", async () => {
    const installed = new Installed().addPackage().addAddon();
    const worker = `${IN_CONTEXT} require("node:worker_threads").parentPort.postMessage(result);`;
    writeFileSync(join(installed.folder, "worker.cjs"), worker);
    const main = `const worker = new (require("node:worker_threads").Worker)(__dirname + "/worker.cjs");
      worker.on("message", (result) => console.log(JSON.stringify(result)));`;
    expect(await installed.run("commonjs", main)).toEqual(EXPECTED);
  });
});

describe("a process that can't write", () => {
  const USE = `
    import { writeFileSync } from "node:fs";
    import { createCache } from "nearcache";
    let refused;
    try { writeFileSync(new URL("written", import.meta.url), ""); } catch (error) { refused = error.code; }
    const cache = createCache(${OPTIONS});
    cache.set("key", { a: 1 });
    console.log(JSON.stringify({ refused, found: cache.get("key"), loaded: await cache.getOrLoad("other", async () => 1) }));`;

  // Only root can become somebody to whom the project belongs not.
  test.runIf(process.getuid?.() === 0)("because its file system is not its own", async () => {
    const installed = new Installed().addPackage().addAddon();
    const before = readdirSync(installed.folder, { recursive: true });
    const nobody = 65_534;
    expect(await installed.run("module", USE, { uid: nobody })).toEqual({
      refused: "EACCES",
      found: { a: 1 },
      loaded: 1,
    });
    expect(readdirSync(installed.folder, { recursive: true }).sort()).toEqual([...before, "program.mjs"].sort());
  });

  test("because Node allows it to read its own folder and to load addons, and nothing else", async () => {
    const installed = new Installed().addPackage().addAddon();
    const flags = [permission, "--allow-addons", `--allow-fs-read=${join(installed.folder, "*")}`, "--no-warnings"];
    expect(await installed.run("module", USE, { flags })).toEqual({
      refused: "ERR_ACCESS_DENIED",
      found: { a: 1 },
      loaded: 1,
    });
  });

  test("says so where it may load no addon either", async () => {
    const installed = new Installed().addPackage().addAddon();
    const flags = [permission, "--allow-fs-read=*", "--no-warnings"];
    const refusal = await installed.run<Refusal>("module", REFUSED, { flags });
    expect(refusal).toMatchObject({ typed: true, reason: "not-loadable" });
    expect(refusal.message).toContain("--allow-addons");
  });
});

describe("an addon that is not the right one", () => {
  test("is not there at all", async () => {
    const refusal = await new Installed().addPackage().run<Refusal>("module", REFUSED);
    expect(refusal).toMatchObject({ typed: true, reason: "missing-package" });
    expect(refusal.message).toContain(PLATFORM_PACKAGE);
  });

  test.runIf(isGlibc)("needs another C library", async () => {
    const changed = (addon: Buffer): Buffer => {
      const name = addon.indexOf("libc.so.6\0");
      addon.write("libc.musl", name, "latin1");
      return addon;
    };
    const installed = new Installed().addPackage().addAddon("", changed);
    const refusal = await installed.run<Refusal>("module", REFUSED);
    expect(refusal).toMatchObject({ typed: true, reason: "not-loadable" });
    expect(refusal.message).toContain("it was built for another C library than this Node's (libc.musl: ");
  });

  test.each([
    ["is cut off", (addon: Buffer) => addon.subarray(0, 40)],
    ["is a text", () => Buffer.from("<html>404</html>")],
  ])("%s", async (_, change) => {
    const refusal = await new Installed().addPackage().addAddon("", change).run<Refusal>("module", REFUSED);
    expect(refusal).toMatchObject({ typed: true, reason: "not-loadable" });
    expect(refusal.message).toContain(`${PLATFORM_PACKAGE} is installed, but its addon can't be loaded: `);
  });

  test("is of an older version", async () => {
    const refusal = await new Installed().addPackage().addAddonOf("0.0.9").run<Refusal>("module", REFUSED);
    expect(refusal).toMatchObject({ typed: true, reason: "other-version" });
    expect(refusal.message).toContain(`The addon ${PLATFORM_PACKAGE} is 0.0.9, but nearcache is 0.1.0.`);
  });
});
