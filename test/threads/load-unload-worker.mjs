// A thread that loads the addon; see load-unload-main.mjs.
import { parentPort, workerData } from "node:worker_threads";

const { role, name, counts, life, ending } = workerData;
const KEYS = 400;
const { createCache } = await import("nearcache");

if (role === "last") {
  // Another size than the others': refused if anything still holds the store of that name.
  let attachedToOld = false;
  try {
    createCache({ name, maxMemory: "8mb", ttl: "1m" }).close();
  } catch (error) {
    attachedToOld = error.code;
  }
  parentPort.postMessage(attachedToOld);
} else {
  const cache = createCache({ name, maxMemory: "40mb", ttl: "10m" });
  parentPort.postMessage("ready");
  if (role === "reader") read(cache);
  else await write(cache);
}

function valueFor(n) {
  return { n, text: `${n}`.repeat(1 + ((n * 7) % 300)), list: [n, { n }] };
}

function read(cache) {
  let stopped = false;
  parentPort.once("message", () => {
    stopped = true;
  });
  const turn = () => {
    for (let n = 0; n < KEYS; n += 1) {
      const value = cache.get(`key ${n}`);
      if (value === undefined) continue;
      Atomics.add(counts, 0, 1);
      if (JSON.stringify(value) !== JSON.stringify(valueFor(n))) throw new Error(`key ${n} has another value`);
    }
    if (stopped) cache.close();
    else setImmediate(turn);
  };
  turn();
}

async function write(cache) {
  const own = createCache({ maxMemory: "40mb", ttl: "1s" });
  for (let n = 0; n < KEYS; n += 1) {
    cache.set(`key ${n}`, valueFor(n));
    own.set(`key ${n}`, valueFor(n + life));
  }
  const keys = cache.keys();
  keys.next();
  const loading = own.getOrLoad("never", () => new Promise(() => {}));
  if (ending === "close") {
    const closed = loading.catch((error) => error.code);
    cache.close();
    own.close();
    if ((await closed) !== "ERR_CACHE_CLOSED") throw new Error("the load went on");
  } else if (ending === "exit") {
    process.exit(0);
  } else if (ending === "throw") {
    throw new Error("meant to be thrown");
  } else if (ending === "terminate") {
    for (let n = 0; ; n = (n + 1) % KEYS) own.set(`key ${n}`, valueFor(n));
  }
}
