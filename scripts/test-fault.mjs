// `npm run test:fault`: threads die at every point of every change, in the engine's own tests and in calls from
// JavaScript. Both are built with the feature `fault`, which needs debug assertions; the addon that the other tests use
// stays as it is.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { builtLibrary } from "./lib/addon.mjs";
import { ROOT, run } from "./lib/run.mjs";

const FEATURE = ["--profile", "checked", "--features", "fault"];

const TESTS = ["--lib", "--test", "repair", "--test", "refused_memory"];

run("cargo", ["test", "--package", "nearcache-engine", ...FEATURE, ...TESTS]);
testAddon(loadAddon());

function loadAddon() {
  const folder = join(ROOT, "target/fault");
  mkdirSync(folder, { recursive: true });
  const addon = join(folder, "nearcache.node");
  copyFileSync(builtLibrary(FEATURE), addon);
  return createRequire(import.meta.url)(addon);
}

/** Whatever call panics, at whatever point: it throws, and everything goes on. */
function testAddon(addon) {
  const cache = addon.open({
    maxMemory: 1 << 20,
    defaultTtlMs: Number.POSITIVE_INFINITY,
    fingerprint: "{}",
    scratch: new ArrayBuffer(1 << 16),
    watch: false,
  });
  const calls = [
    () => cache.set("new", "value"),
    () => cache.set("old", "another value", 60_000),
    () => cache.delete("old"),
    () => cache.touch("old", 1_000),
    () => cache.clear(),
  ];
  let panics = 0;
  for (const call of calls) {
    for (let nth = 1; panicsAt(addon, cache, call, nth); nth++) {
      panics++;
      cache.set("after", `panic ${panics}`);
      assert.equal(cache.get("after"), `panic ${panics}`);
    }
  }
  const { repairs } = cache.stats();
  console.log(`addon: ${panics} calls panicked, ${repairs} shards were repaired`);
  assert.ok(panics > 50 && repairs > 0 && repairs <= panics);
  cache.close();
}

/** Whether there was a point left at which to panic. */
function panicsAt(addon, cache, call, nth) {
  cache.delete("new");
  cache.set("old", "value");
  addon.panicAt(nth);
  try {
    call();
    return false;
  } catch (error) {
    assert.equal(error.code, "ERR_CACHE_POISONED");
    assert.match(error.message, /the cache goes on/);
    return true;
  } finally {
    addon.panicAt(0);
  }
}
