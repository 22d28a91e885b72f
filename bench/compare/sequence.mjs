// What the loops run over: the same keys and values for all contestants.
import { keyOf, recordOf, textOf, VALUE_BYTES } from "../lib/data.mjs";
import { uniform } from "../lib/random.mjs";
import { STORES } from "./stores.mjs";

/** Length of the prepared sequence; places beyond it start again. */
export const PLACES = 1 << 20;
/** How many different values are written. */
export const VALUES = 1024;
/** Every 20th operation of the mix is a write. */
export const WRITE_EVERY = 20;
/** How many `set`s are under way at a time while a store is filled. */
const FILL_CHUNK = 1000;
/** What a record's `visits` is, so that the sum is known. */
const VISITS = 7;

/** The key of an entry, a new string at each call. Shorter than 13 characters, so that V8 builds fresh ones flat, too. */
export const storedKey = (id) => keyOf(id);

/** A function that makes the value of an entry. */
export function valueMaker({ what }) {
  return what === "record hit" ? (id) => ({ ...recordOf(id), visits: VISITS }) : textOf;
}

/**
 * What the loops need for a scenario. `objects` are the very keys that were stored; without them, or where nothing that
 * is stored is looked for, new ones are made.
 */
export function dataFor({ what, entries, keys }, { objects, seed } = {}) {
  const ids = uniform(PLACES, entries, seed);
  const prefix = what === "miss" ? "miss:" : "user:";
  const values = Array.from({ length: VALUES }, (_, id) => textOf(id));
  if (keys === "fresh") {
    return { sequence: ids, prefix, values };
  }
  const again = what === "miss" ? hashed(Array.from({ length: entries }, (_, id) => keyOf(id, prefix))) : objects;
  return { sequence: Array.from(ids, (id) => again[id]), values };
}

/** V8 keeps a string's hash in the string once somebody has asked for it, as it was with keys that are used again. */
function hashed(keys) {
  return [...new Set(keys)];
}

/** What `count` operations add up to. */
export function expectedOf({ what }) {
  const each = { hit: VALUE_BYTES, mix: VALUE_BYTES, "record hit": VISITS }[what] ?? 1;
  return (count) => count * each;
}

/** Puts all entries into a store, and returns how many seconds that took. */
export async function fill({ set }, entries, keyAt, valueAt) {
  const start = performance.now();
  for (let first = 0; first < entries; first += FILL_CHUNK) {
    const pending = [];
    for (let id = first; id < Math.min(entries, first + FILL_CHUNK); id += 1) {
      const done = set(keyAt(id), valueAt(id));
      if (typeof done?.then === "function") {
        pending.push(done);
      }
    }
    await Promise.all(pending);
  }
  return Number(((performance.now() - start) / 1000).toFixed(1));
}

/** Keys that never come again. */
export function nextKeys() {
  let next = 0;
  return () => {
    next += 1;
    return `item:${next}`;
  };
}

/** The loop of one contestant over its store, in a copy of the code that no other contestant runs. */
export async function batchFor(name, scenario, store, data) {
  const { isGetAsync = false, isSetAsync = false } = STORES[name];
  const isAsync = { overwrite: isSetAsync, "insert and evict": isSetAsync, mix: isGetAsync || isSetAsync };
  const file = (isAsync[scenario.what] ?? isGetAsync) ? "loops-async.mjs" : "loops.mjs";
  const { batchOf } = await import(`./${file}?of=${encodeURIComponent(name)}`);
  return batchOf(scenario.what, store, data, isGetAsync);
}
