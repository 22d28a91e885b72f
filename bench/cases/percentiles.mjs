// How long single reads take, at the median and in the tail. The timer costs about as much as the fastest reads, so it
// is measured as a contestant of its own: what stands in the table includes it.
import { setImmediate as turn } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { createCache } from "../../dist/index.js";
import { fill, textOf } from "../lib/data.mjs";
import { quantile } from "../lib/quartiles.mjs";
import { randomNumbers, shuffle, uniform } from "../lib/random.mjs";

export const title = "single reads: p50, p95, p99, p99.9, each timed by itself";
export const scenarios = [
  { entries: 1000, what: "L0 on" },
  { entries: 100_000, what: "l0: false" },
];

const PLACES = 1 << 18;
const BATCH = 2000;

export async function run({ entries, what }, pace) {
  const cache = createCache({
    maxMemory: 64 * 2 ** 20 + entries * 256,
    ttl: "1h",
    ...(what === "L0 on" ? {} : { l0: false }),
  });
  const lru = new LRUCache({ max: entries, ttl: 3_600_000 });
  const map = new Map();
  const keys = fill([cache, lru, map], entries, textOf);
  const sequence = Array.from(uniform(PLACES, entries), (id) => keys[id]);
  const batches = pace.rounds * 5;
  const contestants = samplers({ cache, lru, map }, sequence, batches * BATCH);
  const checksum = await takeTurns(contestants, batches);
  return {
    nsPercentiles: Object.fromEntries(contestants.map(({ name, samples }) => [name, percentiles(samples)])),
    samplesEach: batches * BATCH,
    checksum,
  };
}

async function takeTurns(contestants, batches) {
  const next = randomNumbers(0x2545f491);
  let checksum = 0;
  for (const { sample } of contestants) {
    for (let warmUp = 0; warmUp < 10; warmUp += 1) {
      checksum += sample(0, 0);
    }
  }
  for (let batch = 0; batch < batches; batch += 1) {
    for (const [turnOf, { sample }] of shuffle([...contestants], next).entries()) {
      checksum += sample((batch * contestants.length + turnOf) * BATCH, batch * BATCH);
    }
    await turn();
  }
  return checksum;
}

/** Each `sample(place, to)` times BATCH reads from `place` of the sequence into its samples at `to`. */
function samplers({ cache, lru, map }, sequence, length) {
  const contestants = { "the timer alone": ofTimer, nearcache: ofCache, Map: ofMap, "lru-cache": ofLru };
  const stores = { nearcache: cache, Map: map, "lru-cache": lru };
  return Object.entries(contestants).map(([name, sampler]) => {
    const samples = new Float64Array(length);
    return { name, samples, sample: (place, to) => sampler(samples, sequence, stores[name], place, to) };
  });
}

function ofTimer(samples, sequence, _, place, to) {
  let sum = 0;
  for (let index = 0; index < BATCH; index += 1) {
    const key = sequence[(place + index) & (PLACES - 1)];
    const start = performance.now();
    const end = performance.now();
    samples[to + index] = end - start;
    sum += key.length;
  }
  return sum;
}

function ofCache(samples, sequence, cache, place, to) {
  let sum = 0;
  for (let index = 0; index < BATCH; index += 1) {
    const key = sequence[(place + index) & (PLACES - 1)];
    const start = performance.now();
    const value = cache.get(key);
    const end = performance.now();
    samples[to + index] = end - start;
    sum += value.length;
  }
  return sum;
}

function ofMap(samples, sequence, map, place, to) {
  let sum = 0;
  for (let index = 0; index < BATCH; index += 1) {
    const key = sequence[(place + index) & (PLACES - 1)];
    const start = performance.now();
    const value = map.get(key);
    const end = performance.now();
    samples[to + index] = end - start;
    sum += value.length;
  }
  return sum;
}

function ofLru(samples, sequence, lru, place, to) {
  let sum = 0;
  for (let index = 0; index < BATCH; index += 1) {
    const key = sequence[(place + index) & (PLACES - 1)];
    const start = performance.now();
    const value = lru.get(key);
    const end = performance.now();
    samples[to + index] = end - start;
    sum += value.length;
  }
  return sum;
}

function percentiles(milliseconds) {
  const ns = milliseconds.map((ms) => ms * 1e6).sort();
  const at = (share) => quantile(ns, share);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), p999: at(0.999), max: at(1) };
}
