// The installed package as CommonJS; it shares its stores and its error classes with the ES module.
const assert = require("node:assert/strict");
const { createCache, InvalidKeyError } = require("nearcache");

const cache = createCache({ name: "smoke", maxMemory: "16mb", ttl: "1h" });
cache.set("map", new Map([["a", 1n]]));
assert.deepEqual(cache.get("map"), new Map([["a", 1n]]));

import("nearcache").then((module) => {
  const same = module.createCache({ name: "smoke", maxMemory: "16mb", ttl: "1h" });
  assert.deepEqual(same.get("map"), new Map([["a", 1n]]));
  assert.throws(() => same.get(5), InvalidKeyError);
  // What the core loads is its own: a Redis client is for who imports nearcache/redis.
  assert.deepEqual(
    Object.keys(require.cache).filter((path) => path.includes("ioredis")),
    [],
  );
  console.log("ok");
});
