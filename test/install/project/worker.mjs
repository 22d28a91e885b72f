import { parentPort, workerData } from "node:worker_threads";
import { createCache } from "nearcache";

const cache = createCache(workerData);
cache.set("worker", "module");
parentPort.postMessage({ user: cache.get("user"), loaded: cache.get("loaded") });
