// The process of the report's part about Redis. Gets `{ pace }` as JSON in its argument and sends the result to its parent.
import { Redis } from "ioredis";
import { createCache } from "../../dist/index.js";
import { batchOf as directWithoutL0 } from "../compare/loops.mjs?of=l1";
import { batchOf as direct } from "../compare/loops.mjs?of=nearcache";
import { batchOf as awaited } from "../compare/loops-async.mjs";
import { batchOf as awaitedOverSocket } from "../compare/loops-async.mjs?of=socket";
import { dataFor, expectedOf, PLACES, storedKey } from "../compare/sequence.mjs";
import { compare } from "../lib/compare.mjs";
import { fill, textOf } from "../lib/data.mjs";
import { timeEach } from "../lib/latency.mjs";
import { startRedis } from "../lib/redis-server.mjs";

const ENTRIES = 1000;
const AT_ONCE = 100;
const LATENCY_BATCH = 100;
const SCENARIO = { what: "hit", entries: ENTRIES, keys: "same" };

const { pace } = JSON.parse(process.argv[2]);
const server = await startRedis();
const loopback = new Redis(server.port, "127.0.0.1", { enableAutoPipelining: true });
const socket = new Redis({ path: server.socket, enableAutoPipelining: true });
const cache = createCache({ maxMemory: "64mb", ttl: "1h" });
const withoutL0 = createCache({ maxMemory: "64mb", ttl: "1h", l0: false });
const keys = fill([cache, withoutL0], ENTRIES, textOf);
await Promise.all(keys.map((_, id) => loopback.set(storedKey(id), textOf(id))));

const data = dataFor(SCENARIO, { objects: keys });
const get = (store) => ({ get: (key) => store.get(key) });
const contestants = [
  { name: "nearcache", batch: direct("hit", get(cache), data) },
  { name: "nearcache l0: false", batch: directWithoutL0("hit", get(withoutL0), data), isBase: true },
  { name: "Redis, loopback", batch: awaited("hit", get(loopback), data) },
  { name: "Redis, Unix socket", batch: awaitedOverSocket("hit", get(socket), data) },
  { name: "Redis, loopback, 100 at once", batch: together(loopback) },
  { name: "Redis, Unix socket, 100 at once", batch: together(socket) },
];
const times = await compare(contestants, pace, expectedOf(SCENARIO));
const single = [
  { name: "nearcache", get: (key) => cache.get(key) },
  { name: "nearcache l0: false", get: (key) => withoutL0.get(key) },
  { name: "Redis, loopback", get: (key) => loopback.get(key), isAsync: true, batch: LATENCY_BATCH },
  { name: "Redis, Unix socket", get: (key) => socket.get(key), isAsync: true, batch: LATENCY_BATCH },
];
const { latency } = await timeEach(single, data.sequence, pace.latencyBatches);
const version = /redis_version:(\S+)/.exec(await loopback.info("server"))?.[1];
loopback.disconnect();
socket.disconnect();
await server.stop();
process.send({ version, entries: ENTRIES, times, latency });
process.disconnect();

/** As many look-ups on their way as a busy server has, so that they share packets. */
function together(client) {
  return async (start, count) => {
    let sum = 0;
    for (let place = start; place < start + count; place += AT_ONCE) {
      const length = Math.min(AT_ONCE, start + count - place);
      const found = await Promise.all(
        Array.from({ length }, (_, at) => client.get(data.sequence[(place + at) & (PLACES - 1)])),
      );
      sum += found.reduce((total, value) => total + value.length, 0);
    }
    return sum;
  };
}
