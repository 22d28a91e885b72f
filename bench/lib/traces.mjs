// Made-up traces of numbered keys for hit ratios: the same numbers on every machine and in every version of Node.js.
// Only whole numbers, sums and quotients are used, which IEEE 754 defines to the last bit.
import { randomNumbers, shuffle } from "./random.mjs";

/** So many that the counts below have settled, so few that a replay takes a moment. */
export const REQUESTS = 300_000;
const KEYS = 20_000;
/** Keys that a trace has for itself lie above those that its popular part draws from. */
const OTHERS_FROM = 1_000_000;
const SCAN_EVERY = 20_000;
const SCAN_LENGTH = 6_000;
const SHIFT_EVERY = 60_000;
const LOOP_LENGTH = 4_000;

/** Name to `{ about, keys }`; `keys()` makes the trace anew. */
export const TRACES = {
  popular: { about: "popularity by Zipf's law", keys: popular },
  scans: { about: "the same, with scans over keys that never come again", keys: scans },
  shifting: { about: "the same, but what is popular changes every 60,000 requests", keys: shifting },
  loop: { about: "every second request goes round a loop of 4,000 keys", keys: loop },
};

/** How many different keys a trace has. */
export function uniqueKeys(keys) {
  return new Set(keys).size;
}

/** A trace as the packed numbers that `nearcache-replay --format bin` and bench/compare's `hitratio` read. */
export function packed(keys) {
  const bytes = Buffer.alloc(keys.length * 8);
  keys.forEach((key, place) => {
    bytes.writeBigUInt64LE(BigInt(key), place * 8);
  });
  return bytes;
}

function popular() {
  const draw = zipf(0x1b873593);
  return Array.from({ length: REQUESTS }, draw);
}

function scans() {
  const draw = zipf(0xcc9e2d51);
  let fresh = OTHERS_FROM;
  return Array.from({ length: REQUESTS }, (_, place) => {
    if (place % SCAN_EVERY < SCAN_LENGTH) {
      fresh += 1;
      return fresh;
    }
    return draw();
  });
}

function shifting() {
  const draw = zipf(0x85ebca6b);
  return Array.from({ length: REQUESTS }, (_, place) => draw() + Math.floor(place / SHIFT_EVERY) * (KEYS / 2));
}

function loop() {
  const draw = zipf(0xc2b2ae35);
  return Array.from({ length: REQUESTS }, (_, place) =>
    place % 2 === 0 ? OTHERS_FROM + ((place / 2) % LOOP_LENGTH) : draw(),
  );
}

/** A function that draws keys below KEYS, with popularity by Zipf's law (exponent 1); the popular ones are scattered. */
function zipf(seed) {
  const next = randomNumbers(seed);
  const order = shuffle(
    Array.from({ length: KEYS }, (_, key) => key),
    next,
  );
  let sum = 0;
  const cumulative = Float64Array.from({ length: KEYS }, (_, rank) => {
    sum += 1 / (rank + 1);
    return sum;
  });
  const resolution = 2 ** 31;
  return () => order[firstAbove(cumulative, (next(resolution) / resolution) * sum)];
}

/** The first place of a sorted list with a number above `value`. */
function firstAbove(sorted, value) {
  let [low, high] = [0, sorted.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] > value) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}
