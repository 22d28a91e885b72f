// The process of one case of run.mjs. Gets `{ scenario, pace, base, isBaseFirst }` as JSON in its argument and sends what
// compare() returns: this tree is the first contestant, `base` the second.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "../../scripts/lib/run.mjs";
import { batchOf as batchOfBase } from "../compare/loops.mjs?of=base";
import { batchOf as batchOfHead } from "../compare/loops.mjs?of=head";
import { dataFor, expectedOf, fill, storedKey, valueMaker } from "../compare/sequence.mjs";
import { compare } from "../lib/compare.mjs";

/** An 11-byte key, a 100-byte value, and about 60 bytes: as many entries as the case says when it is full. */
const FULL_ENTRY_BYTES = 171;
const ROOMY_ENTRY_BYTES = 256;

const { scenario, pace, base, isBaseFirst } = JSON.parse(process.argv[2]);
const { what, entries, l0 } = scenario;
const keys = Array.from({ length: entries }, (_, id) => storedKey(id));
const stores = {};
for (const [name, tree] of isBaseFirst
  ? [
      ["base", base],
      ["head", ROOT],
    ]
  : [
      ["head", ROOT],
      ["base", base],
    ]) {
  const { createCache } = await import(pathToFileURL(join(tree, "dist/index.js")).href);
  const maxMemory =
    what === "insert and evict" ? entries * FULL_ENTRY_BYTES : 64 * 2 ** 20 + entries * ROOMY_ENTRY_BYTES;
  const cache = createCache({ maxMemory, ttl: "1h", ...(l0 ? {} : { l0: false }) });
  stores[name] = { get: (key) => cache.get(key), set: (key, value) => cache.set(key, value) };
  await fill(stores[name], entries, (id) => keys[id], valueMaker(scenario));
}
const data = dataFor(scenario, { objects: keys });
const contestants = [
  { name: "head", batch: batchOfHead(what, stores.head, data) },
  { name: "base", batch: batchOfBase(what, stores.base, data) },
];
process.send(await compare(contestants, pace, expectedOf(scenario)));
process.disconnect();
