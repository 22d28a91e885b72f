// How long garbage collection stops a process that holds millions of entries, in a fresh process for each contestant.
//
// V8 marks most of the heap beside JavaScript, but ends each collection with JavaScript stopped, and copies what survives
// the young generation with JavaScript stopped. Both grow with what a cache keeps on the heap. Maps are there to tell the
// cost of the entries from the cost of one huge table: 64 small ones hold the same entries. "no cache" does the same
// work on no cache: what stays is the garbage of the work itself.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const title = "pauses for garbage collection, 21-byte keys, 100-byte values";
/** nearcache's longest pause as a share of the other's longest. */
export const scenarios = [{ entries: 3_000_000, what: "under churn", targets: { "lru-cache": 1 / 20 } }];
export const isSlow = true;

const CHILD = fileURLToPath(new URL("../gc-child.mjs", import.meta.url));
const CONTESTANTS = ["nearcache", "lru-cache", "64 Maps", "Map", "no cache"];
/** Writes per entry: at least, and at most if there has been no full collection (gc-child.mjs). */
const WRITES = { min: 1, max: 2 };
/** Ends before the full collection of those that have a large heap. */
const WRITES_QUICK = { min: 0.3, max: 0.3 };
/** The store's budget is given in bytes, so that nearcache may hold a little more or less than the others. */
const HELD_MIN = 0.97;

export function run({ entries }, pace) {
  const pauses = {};
  const { min, max } = pace.isQuick ? WRITES_QUICK : WRITES;
  for (const name of CONTESTANTS) {
    const args = [CHILD, name, String(entries), String(entries * min), String(entries * max)];
    pauses[name] = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
    if (name !== "no cache" && pauses[name].held < entries * HELD_MIN) {
      throw new Error(`${name} holds ${pauses[name].held} of ${entries} entries`);
    }
  }
  return { pauses };
}
