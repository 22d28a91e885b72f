// What is measured: every case at three sizes, with key objects that are used again and with keys built in the loop.

import { STORES } from "./stores.mjs";

const SIZES = [1000, 100_000, 1_000_000];
const KEYS = ["same", "fresh"];

/** The cases: what they do, and who can't take part. */
export const CASES = {
  hit: { title: "get of an entry that is there, strings of 100 bytes" },
  "record-hit": { what: "record hit", title: "get of an entry that is there, records of 15 fields" },
  miss: { title: "get of a key that is not there" },
  overwrite: { title: "set of a key that is there, strings of 100 bytes" },
  evict: { what: "insert and evict", title: "set of a new key when full: those that evict", keys: ["fresh"] },
  mix: { title: "95 % get, 5 % set of a key that is there, strings of 100 bytes" },
  "threads-hit": { what: "hit", threads: 2, title: "get by two worker threads, strings of 100 bytes", keys: ["fresh"] },
  "threads-mix": { what: "mix", threads: 2, title: "95 % get, 5 % set by two worker threads", keys: ["fresh"] },
};

/** Those that take 5 to 15 s to fill with a million strings; the others take about 1 s. */
const SLOW_TO_FILL = ["cacheable (memory)", "cacheable", "keyv", "bentocache", "lmdb"];
/** The case in which they are measured at that size all the same, with the same key objects. */
const FILLED_ONCE = CASES.hit;

/** The scenarios of a case. */
export function scenariosOf(name) {
  const { what = name, threads = 1, keys = KEYS } = CASES[name];
  return SIZES.flatMap((entries) => keys.map((kind) => ({ case: name, what, threads, entries, keys: kind })));
}

/** What is said about the keys of a scenario. */
export function keysOf({ keys }) {
  return keys === "same" ? "same key objects" : "fresh keys";
}

/** Who does not take part in a scenario, and why: name to reason. */
export function leftOutOf(scenario) {
  const leftOut = {};
  for (const [name, { isBounded = false }] of Object.entries(STORES)) {
    if (scenario.what === "insert and evict" && !isBounded) {
      leftOut[name] = "evicts nothing when it is full";
    } else if (SLOW_TO_FILL.includes(name) && isTooLong(scenario)) {
      leftOut[name] = "takes 5 to 15 s to fill, so it is measured in one case only, get with the same key objects";
    }
  }
  return leftOut;
}

function isTooLong({ case: name, entries, keys }) {
  return entries === 1_000_000 && !(CASES[name] === FILLED_ONCE && keys === "same");
}
