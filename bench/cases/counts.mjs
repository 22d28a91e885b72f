// What a hit costs that can be counted: calls into the addon, and allocations of Rust code in the thread that reads.
// Nothing is timed here, so a missed target is a fault and no bad day: it ends the run with exit code 1.
import { benchFunctions, counted } from "../lib/addon.mjs";
import { fill, textOf, VALUE_BYTES } from "../lib/data.mjs";

export const title = "native calls and Rust allocations per get, a hit with l0: false, counted";
export const scenarios = [
  { entries: 1000, what: "100,000 gets", targets: { "native calls": 1, "Rust allocations": 0 }, isExact: true },
];

const GETS = 100_000;

export async function run({ entries }) {
  const { createCache } = await counted();
  const { benchCalls, benchAllocations } = benchFunctions();
  const cache = createCache({ maxMemory: "64mb", ttl: "1h", l0: false });
  const keys = fill([cache], entries, textOf);
  read(cache, keys); // what is allocated once is there before we begin to count
  const [calls, allocations] = [benchCalls(), benchAllocations()];
  const sum = read(cache, keys);
  const perGet = {
    "native calls": (benchCalls() - calls) / GETS,
    "Rust allocations": (benchAllocations() - allocations) / GETS,
  };
  if (sum !== GETS * VALUE_BYTES) {
    throw new Error(`${GETS} gets read ${sum} characters, not ${GETS * VALUE_BYTES}`);
  }
  return { perGet, checksum: sum };
}

function read(cache, keys) {
  let sum = 0;
  for (let place = 0; place < GETS; place += 1) {
    sum += cache.get(keys[place % keys.length]).length;
  }
  return sum;
}
