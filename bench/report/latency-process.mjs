// The process of the report's JavaScript latencies: fills all contestants and times single reads of theirs.
// Gets `{ entries, batches, names }` as JSON in its argument and sends the result to its parent.
import { dataFor, fill, storedKey, valueMaker } from "../compare/sequence.mjs";
import { makeFolder, removeFolder, STORES } from "../compare/stores.mjs";
import { timeEach } from "../lib/latency.mjs";

/** Of those that take microseconds for one. */
const SLOW_BATCH = 200;
const SLOW = ["node-cache", "keyv", "cacheable", "bentocache", "lmdb"];

const { entries, batches, names } = JSON.parse(process.argv[2]);
const scenario = { what: "hit", entries, keys: "same" };
const folder = makeFolder();
try {
  const keys = Array.from({ length: entries }, (_, id) => storedKey(id));
  const contestants = [];
  for (const name of names) {
    const { open, isGetAsync: isAsync } = STORES[name];
    const store = await open({ entries, folder });
    await fill(store, entries, (id) => keys[id], valueMaker(scenario));
    contestants.push({ name, get: store.get, isAsync, ...(SLOW.includes(name) ? { batch: SLOW_BATCH } : {}) });
  }
  const { sequence } = dataFor(scenario, { objects: keys });
  process.send(await timeEach(contestants, sequence, batches));
} finally {
  removeFolder(folder);
}
process.exit(0); // some contestants have timers
