// Every entry point that package.json exports, by both module systems. The packages that some are for are installed beside.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { exports } = JSON.parse(readFileSync(require.resolve("nearcache/package.json"), "utf8"));
const entries = Object.keys(exports).filter((name) => name !== "./package.json");
for (const entry of entries) {
  const specifier = `nearcache${entry.slice(1)}`;
  const names = Object.keys(await import(specifier)).filter((name) => name !== "module.exports");
  assert.ok(names.length > 0, specifier);
  assert.deepEqual(Object.keys(require(specifier)).sort(), names.sort(), specifier);
}

const { createKeyv } = await import("nearcache/keyv");
const keyv = createKeyv({ maxMemory: "16mb", ttl: "1h" });
await keyv.set("key", { a: 1 });
assert.deepEqual(await keyv.get("key"), { a: 1 });
const { LRUCache } = require("nearcache/lru-cache");
const lru = new LRUCache({ max: 100, maxSize: 16_000_000 });
lru.set("key", "value");
assert.equal(lru.get("key"), "value");
console.log(entries.length);
