// The package as others load it: by its name, as an ES module and as CommonJS, with what package.json promises.
// It needs the built dist/ and addon; `npm test` builds both first.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, "utf8"));
const require = createRequire(import.meta.url);

const USE = `const cache = createCache({ maxMemory: "8mb", ttl: "1m" });
  cache.set("key", { answer: [42] });
  console.log(JSON.stringify(cache.get("key")));
  cache.close();`;

function run(type: string, code: string): string {
  const args = [`--input-type=${type}`, "--eval", code];
  return execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" }).trim();
}

test("import and require by name both work", () => {
  expect(run("module", `import { createCache } from "nearcache"; ${USE}`)).toBe('{"answer":[42]}');
  expect(run("commonjs", `const { createCache } = require("nearcache"); ${USE}`)).toBe('{"answer":[42]}');
});

test("both builds export the same names, and no default", async () => {
  const asModule = Object.keys(await import(`${root}dist/index.js`)).sort();
  const asCommonJs = Object.keys(require(`${root}dist/index.cjs`)).sort();
  expect(asCommonJs).toEqual(asModule);
  expect(asModule).toContain("createCache");
  expect(asModule).not.toContain("default");
});

test("an error of one build is an instance of the other's class", async () => {
  const { NearcacheError, createCache } = await import(`${root}dist/index.js`);
  const commonJs = require(`${root}dist/index.cjs`);
  expect(() => commonJs.createCache({})).toThrow(NearcacheError);
  expect(() => createCache({})).toThrow(commonJs.NearcacheError);
});

test("every file that package.json names is there", () => {
  const named = Object.values(manifest.exports).flatMap(function paths(entry): string[] {
    return typeof entry === "string" ? [entry] : Object.values(entry as object).flatMap(paths);
  });
  expect(named.length).toBeGreaterThanOrEqual(4);
  expect([...named, manifest.main, manifest.types].filter((path) => !existsSync(root + path))).toEqual([]);
});

test("installing it runs no script", () => {
  const names = Object.keys(manifest.scripts);
  expect(names.filter((name) => /^(pre|post)?(install|prepare)$/.test(name))).toEqual([]);
});
