// What operations cost that can be counted: calls into the addon, and allocations of Rust code in the thread that calls.
// Nothing is timed here, so a missed target is a fault and no bad day: it ends the run with exit code 1.
import { benchFunctions, counted } from "../lib/addon.mjs";
import { fill, keyOf, textOf } from "../lib/data.mjs";

export const title = "native calls and Rust allocations per operation, counted";
const ONE_CALL = { "native calls": 1, "Rust allocations": 0 };
export const scenarios = [
  { entries: 1000, operation: "get", what: "100,000 gets, l0: false", targets: ONE_CALL, isExact: true },
  { entries: 1000, operation: "get of a missing key", what: "100,000 misses", targets: ONE_CALL, isExact: true },
  { entries: 1000, operation: "set of an existing key", what: "100,000 sets", targets: ONE_CALL, isExact: true },
  {
    ...{ entries: 1000, operation: "get in L0", what: "100,000 gets, L0 on" },
    targets: { "native calls": 0, "Rust allocations": 0 },
    isExact: true,
  },
];

const OPERATIONS = 100_000;

export async function run({ entries, operation }) {
  const { createCache } = await counted();
  const { benchCalls, benchAllocations } = benchFunctions();
  const cache = createCache({ maxMemory: "64mb", ttl: "1h", ...(operation === "get in L0" ? {} : { l0: false }) });
  const stored = fill([cache], entries, textOf);
  const keys = operation === "get of a missing key" ? stored.map((_, id) => keyOf(id, "nobody:")) : stored;
  const work = operation.startsWith("set") ? write : read;
  const value = textOf(0);
  work(cache, keys, value); // what is allocated once is there before we begin to count
  const [calls, allocations] = [benchCalls(), benchAllocations()];
  const sum = work(cache, keys, value);
  const perGet = {
    "native calls": (benchCalls() - calls) / OPERATIONS,
    "Rust allocations": (benchAllocations() - allocations) / OPERATIONS,
  };
  const expected = operation === "get of a missing key" ? 0 : OPERATIONS * value.length;
  if (sum !== expected) {
    throw new Error(`${operation}: ${OPERATIONS} gave ${sum} characters, not ${expected}`);
  }
  return { perGet, checksum: sum };
}

function read(cache, keys) {
  let sum = 0;
  for (let place = 0; place < OPERATIONS; place += 1) {
    sum += cache.get(keys[place % keys.length])?.length ?? 0;
  }
  return sum;
}

function write(cache, keys, value) {
  let sum = 0;
  for (let place = 0; place < OPERATIONS; place += 1) {
    cache.set(keys[place % keys.length], value);
    sum += value.length;
  }
  return sum;
}
