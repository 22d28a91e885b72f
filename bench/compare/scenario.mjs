// The process of one scenario with one thread: fills all contestants and lets them take turns.
// Gets `{ scenario, pace, names }` as JSON in its argument and sends the result to its parent.
import { compare } from "../lib/compare.mjs";
import { batchFor, dataFor, expectedOf, fill, storedKey, valueMaker } from "./sequence.mjs";
import { makeFolder, removeFolder, STORES } from "./stores.mjs";

const { scenario, pace, names } = JSON.parse(process.argv[2]);
const folder = makeFolder();
try {
  process.send(await run());
} finally {
  removeFolder(folder);
}
process.exit(0); // some contestants have timers

async function run() {
  const { entries, what } = scenario;
  const options = { entries, isFull: what === "insert and evict", folder };
  const keys = Array.from({ length: entries }, (_, id) => storedKey(id));
  const values = Array.from(keys, (_, id) => valueMaker(scenario)(id));
  const stores = [];
  const fillSeconds = {};
  for (const name of names) {
    const store = await STORES[name].open(options);
    fillSeconds[name] = await fill(
      store,
      entries,
      (id) => keys[id],
      (id) => values[id],
    );
    stores.push({ name, store });
  }
  const data = dataFor(scenario, { objects: keys });
  const contestants = [];
  for (const { name, store } of stores) {
    contestants.push({
      name,
      batch: await batchFor(name, scenario, store, data),
      isBase: name.startsWith("nearcache"),
    });
  }
  return { ...(await compare(contestants, pace, expectedOf(scenario))), fillSeconds };
}
