// The JavaScript part: nearcache beside the caches that bench/compare installs, by the harness that it has.
import { availableParallelism } from "node:os";
import { runThreads, threadCounts } from "../compare/threads.mjs";
import { runApart } from "../lib/apart.mjs";
import { bytesPerEntryOf } from "../lib/memory.mjs";

/** Those of bench/compare/stores.mjs that stand in the report. */
export const NAMES = [
  "nearcache",
  "nearcache l0: false",
  "Map",
  "lru-cache",
  "node-cache",
  "keyv",
  "cacheable",
  "bentocache",
  "lmdb",
];
/** Worker threads either share a store or have a copy each. */
const NAMES_OF_THREADS = ["nearcache", "nearcache l0: false", "Map", "lru-cache", "lmdb"];
/** lmdb's pages belong to a file, not to the process. */
const NAMES_OF_MEMORY = NAMES.filter((name) => name !== "lmdb" && name !== "nearcache l0: false");
const THREADS_MAX = 16;
const MEMORY_RUNS = 3;

const scenario = (what, entries, keys) => ({ case: what, what, threads: 1, entries, keys });
/** Few and popular, as L0 is for; and more than the processor's nearest caches hold, with keys as a request brings them. */
const SCENARIOS = [
  scenario("hit", 1000, "same"),
  scenario("hit", 100_000, "fresh"),
  scenario("record hit", 1000, "same"),
  scenario("miss", 100_000, "fresh"),
  scenario("overwrite", 100_000, "same"),
];

/** The cases of `npm run bench` that stand in the report, at sizes that are filled at once. */
const FEW = ["l0-hit", "object-hit", "l1-hit", "l1-hit-fresh", "writes"];
const FEW_ENTRIES_MAX = 100_000;

/** nearcache beside Map and lru-cache alone, three or four in a process. */
export async function few(pace) {
  const results = [];
  for (const name of FEW) {
    const { title, scenarios } = await import(`../cases/${name}.mjs`);
    for (const one of scenarios.filter(({ entries }) => entries <= FEW_ENTRIES_MAX)) {
      const argument = { name, scenario: one, pace: pace.javascript };
      const result = await runApart(new URL("../scenario.mjs", import.meta.url), argument, title);
      results.push({ case: name, title, entries: one.entries, what: one.what, ...result });
    }
  }
  return results;
}

/** ns per operation, and nearcache's time as a part of each rival's. */
export async function times(pace) {
  const results = [];
  for (const one of SCENARIOS) {
    const argument = { scenario: one, pace: pace.javascript, names: NAMES };
    const result = await runApart(new URL("../compare/scenario.mjs", import.meta.url), argument, one.what);
    results.push({ ...one, ...result });
  }
  return results;
}

/** Single reads, each timed by itself. */
export async function latency(pace) {
  const results = [];
  for (const entries of [1000, 100_000]) {
    const argument = { entries, batches: pace.latencyBatches, names: NAMES };
    const label = `latency, ${entries} entries`;
    results.push({ entries, ...(await runApart(new URL("latency-process.mjs", import.meta.url), argument, label)) });
  }
  return results;
}

/** Reads by 1, 2, 4 and more worker threads. */
export function threads(pace) {
  const most = Math.max(2, Math.min(THREADS_MAX, availableParallelism()));
  const one = { ...scenario("hit", 1000, "fresh"), threads: most };
  return runThreads({ scenario: one, pace: pace.javascript, names: NAMES_OF_THREADS }).then((result) => ({
    ...one,
    counts: threadCounts(most),
    ...result,
  }));
}

/** Bytes per entry. */
export function memory(pace) {
  return {
    entries: pace.memoryEntries,
    bytesPerEntry: bytesPerEntryOf(NAMES_OF_MEMORY, pace.memoryEntries, MEMORY_RUNS),
  };
}
