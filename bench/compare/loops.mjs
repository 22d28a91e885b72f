// The timed loops of libraries whose `get` and `set` return at once. Imported once per contestant, each time under
// another address (`loops.mjs?of=lru-cache`): V8 then compiles and optimises them for that contestant alone.
import { VALUE_BYTES } from "../lib/data.mjs";
import { nextKeys, PLACES, VALUES, WRITE_EVERY } from "./sequence.mjs";

/**
 * A function `batch(start, count)` that does the operation `what` and returns a sum over what it read.
 * `sequence` is keys to use again, or numbers to build fresh keys from with `prefix`.
 */
export function batchOf(what, { get, set }, { sequence, prefix, values }) {
  const keyAt = prefix === undefined ? keyFrom(sequence) : freshKeyFrom(sequence, prefix);
  return {
    hit: () => hit(get, keyAt),
    "record hit": () => recordHit(get, keyAt),
    miss: () => miss(get, keyAt),
    overwrite: () => overwrite(set, keyAt, values),
    mix: () => mix(get, set, keyAt, values),
    "insert and evict": () => insert(set, values),
  }[what]();
}

function keyFrom(sequence) {
  return (place) => sequence[place & (PLACES - 1)];
}

/** The loops know a prefix only as a variable, which is slower than a constant but the same for all. */
function freshKeyFrom(ids, prefix) {
  return (place) => `${prefix}${ids[place & (PLACES - 1)]}`;
}

function hit(get, keyAt) {
  return (start, count) => {
    let sum = 0;
    for (let place = start; place < start + count; place += 1) {
      sum += get(keyAt(place)).length;
    }
    return sum;
  };
}

function recordHit(get, keyAt) {
  return (start, count) => {
    let sum = 0;
    for (let place = start; place < start + count; place += 1) {
      sum += get(keyAt(place)).visits;
    }
    return sum;
  };
}

function miss(get, keyAt) {
  return (start, count) => {
    let misses = 0;
    for (let place = start; place < start + count; place += 1) {
      misses += get(keyAt(place)) === undefined ? 1 : 0;
    }
    return misses;
  };
}

function overwrite(set, keyAt, values) {
  return (start, count) => {
    for (let place = start; place < start + count; place += 1) {
      set(keyAt(place), values[place & (VALUES - 1)]);
    }
    return count;
  };
}

function mix(get, set, keyAt, values) {
  return (start, count) => {
    let sum = 0;
    for (let place = start; place < start + count; place += 1) {
      if (place % WRITE_EVERY === 0) {
        set(keyAt(place), values[place & (VALUES - 1)]);
        sum += VALUE_BYTES;
      } else {
        sum += get(keyAt(place)).length;
      }
    }
    return sum;
  };
}

function insert(set, values) {
  const next = nextKeys();
  return (start, count) => {
    for (let place = start; place < start + count; place += 1) {
      set(next(), values[place & (VALUES - 1)]);
    }
    return count;
  };
}
