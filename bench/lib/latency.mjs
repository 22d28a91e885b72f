// How long single reads take, at the median and in the tail: contestants take turns in batches, and each read is timed
// by itself. The timer costs about as much as the fastest reads, so it is a contestant of its own: what the others show
// includes it.
import { setImmediate as turn } from "node:timers/promises";
import { histogramOf } from "./histogram.mjs";
import { randomNumbers, shuffle } from "./random.mjs";

const WARM_UP_BATCHES = 10;
/** Between collections of V8's young generation that reads cause, so that none is in every batch. */
export const BATCH = 2000;
export const TIMER = "the timer alone";

/**
 * `contestants`: `{ name, get, isAsync, batch }`, where `batch` is how many reads are done at a time (default 2,000).
 * `sequence` has a power of two of keys. Resolves to `{ latency: { [name]: histogram }, checksum }`, the timer first.
 */
export async function timeEach(contestants, sequence, batches) {
  const runners = [];
  for (const { name, get, isAsync = false, batch = BATCH } of [{ name: TIMER }, ...contestants]) {
    const { readEach, awaitEach, timeNothing } = await import(`./each.mjs?of=${encodeURIComponent(name)}`);
    const each = get === undefined ? timeNothing : isAsync ? awaitEach : readEach;
    const samples = new Float64Array(batches * batch);
    runners.push({ name, batch, samples, sample: (place, to) => each(get, sequence, place, batch, samples, to) });
  }
  const checksum = await takeTurns(runners, batches);
  return {
    latency: Object.fromEntries(
      runners.map(({ name, samples }) => [name, histogramOf(samples.map((milliseconds) => milliseconds * 1e6))]),
    ),
    checksum,
  };
}

async function takeTurns(runners, batches) {
  const next = randomNumbers(0x2545f491);
  let checksum = 0;
  for (const { sample } of runners) {
    for (let warmUp = 0; warmUp < WARM_UP_BATCHES; warmUp += 1) {
      checksum += await sample(0, 0);
    }
  }
  for (let batch = 0; batch < batches; batch += 1) {
    for (const [turnOf, runner] of shuffle([...runners], next).entries()) {
      const place = (batch * runners.length + turnOf) * BATCH;
      const sum = runner.sample(place, batch * runner.batch);
      checksum += typeof sum === "number" ? sum : await sum;
    }
    await turn();
  }
  return checksum;
}
