const { parentPort, workerData } = require("node:worker_threads");
const { createCache } = require("nearcache");

const cache = createCache(workerData);
cache.set("worker", "commonjs");
parentPort.postMessage({ user: cache.get("user"), loaded: cache.get("loaded") });
