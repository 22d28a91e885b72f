// The installed package as an ES module, in this thread and in a worker that shares its store.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { createCache, InvalidKeyError, NearcacheError } from "nearcache";

const options = { name: "smoke", maxMemory: "16mb", ttl: "1h" };
const cache = createCache(options);
const user = { id: 42, joined: new Date(0), tags: ["a", "b"] };
cache.set("user", user);
for (let i = 0; i < 50; i++) assert.deepEqual(cache.get("user"), user);
assert.equal(await cache.getOrLoad("loaded", async () => "from the source"), "from the source");
assert.throws(() => cache.get(5), InvalidKeyError);
assert.throws(() => cache.get(5), NearcacheError);

for (const file of ["./worker.mjs", "./worker.cjs"]) {
  const worker = new Worker(new URL(file, import.meta.url), { workerData: options });
  const exited = once(worker, "exit");
  const [answer] = await once(worker, "message");
  assert.deepEqual(answer, { user, loaded: "from the source" });
  await exited;
  assert.equal(cache.get("worker"), file.endsWith(".mjs") ? "module" : "commonjs");
}
cache.close();
console.log("ok");
