// The loops of loops.mjs for libraries whose `get`, `set` or both return a promise: each is awaited before the next, as
// in the code of a request. Imported once per contestant, too.
import { VALUE_BYTES } from "../lib/data.mjs";
import { nextKeys, PLACES, VALUES, WRITE_EVERY } from "./sequence.mjs";

/** As in loops.mjs; `batch` returns a promise of the sum. */
export function batchOf(what, { get, set }, { sequence, prefix, values }, isGetAsync) {
  const keyAt = prefix === undefined ? keyFrom(sequence) : freshKeyFrom(sequence, prefix);
  return {
    hit: () => hit(get, keyAt),
    "record hit": () => recordHit(get, keyAt),
    miss: () => miss(get, keyAt),
    overwrite: () => overwrite(set, keyAt, values),
    mix: () => mix(get, set, keyAt, values, isGetAsync),
    "insert and evict": () => insert(set, values),
  }[what]();
}

function keyFrom(sequence) {
  return (place) => sequence[place & (PLACES - 1)];
}

function freshKeyFrom(ids, prefix) {
  return (place) => `${prefix}${ids[place & (PLACES - 1)]}`;
}

function hit(get, keyAt) {
  return async (start, count) => {
    let sum = 0;
    for (let place = start; place < start + count; place += 1) {
      sum += (await get(keyAt(place))).length;
    }
    return sum;
  };
}

function recordHit(get, keyAt) {
  return async (start, count) => {
    let sum = 0;
    for (let place = start; place < start + count; place += 1) {
      sum += (await get(keyAt(place))).visits;
    }
    return sum;
  };
}

function miss(get, keyAt) {
  return async (start, count) => {
    let misses = 0;
    for (let place = start; place < start + count; place += 1) {
      misses += (await get(keyAt(place))) === undefined ? 1 : 0;
    }
    return misses;
  };
}

function overwrite(set, keyAt, values) {
  return async (start, count) => {
    for (let place = start; place < start + count; place += 1) {
      await set(keyAt(place), values[place & (VALUES - 1)]);
    }
    return count;
  };
}

/** A `get` that is not asynchronous is not awaited. */
function mix(get, set, keyAt, values, isGetAsync) {
  return async (start, count) => {
    let sum = 0;
    for (let place = start; place < start + count; place += 1) {
      if (place % WRITE_EVERY === 0) {
        await set(keyAt(place), values[place & (VALUES - 1)]);
        sum += VALUE_BYTES;
      } else {
        const found = get(keyAt(place));
        sum += (isGetAsync ? await found : found).length;
      }
    }
    return sum;
  };
}

function insert(set, values) {
  const next = nextKeys();
  return async (start, count) => {
    for (let place = start; place < start + count; place += 1) {
      await set(next(), values[place & (VALUES - 1)]);
    }
    return count;
  };
}
