// The timing loop: contestants take turns in short batches within one process, so that whatever slows the machine for a
// while slows them all, and what counts is the ratio of two batches of the same round.
//
// A contestant is `{ name, batch(start, count) }`: `batch` does `count` operations, the first at place `start` of a
// prepared sequence, and returns a sum over what it read, or a promise of it. The sum is held against `expected(count)`
// where the case knows it, so that nothing can be optimised away and nobody wins by missing. Batches take about the same
// time, not the same number of operations: a library that is a hundred times slower does not shorten the others' batches.
//
// The loops of the cases look alike and are not shared: a call site that has met several caches is slower for all of
// them, so each contestant has a loop of its own.
import { setImmediate as turn } from "node:timers/promises";
import { medianInterval } from "./bootstrap.mjs";
import { quartiles } from "./quartiles.mjs";
import { randomNumbers, shuffle } from "./random.mjs";

/** Rounds that are not counted. */
const WARM_UP_ROUNDS = 4;
/** Operations in the smallest batch. A library that takes milliseconds for one takes longer than `batchMs` then. */
export const COUNT_MIN = 20;

/**
 * Lets the contestants take turns. `pace` is `{ rounds, batchMs }`: how many rounds, and how long a batch takes. Returns
 * per contestant the quartiles of ns per operation and, for all but the first, those of the first one's time divided by
 * its own. A second contestant with `isBase` is also divided by all others.
 */
export async function compare(contestants, pace, expected) {
  const runners = contestants.map((contestant) => ({ ...contestant, count: COUNT_MIN, ns: [], sum: 0 }));
  for (const runner of runners) {
    await calibrate(runner, pace.batchMs, expected);
  }
  const next = randomNumbers(0x2545f491);
  let place = 0;
  for (let round = -WARM_UP_ROUNDS; round < pace.rounds; round += 1) {
    for (const runner of shuffle([...runners], next)) {
      // Each batch has its own part of the sequence: none finds keys that another has just brought into the caches.
      const { ns, sum } = await time(runner, place, expected);
      place += runner.count;
      runner.sum += sum;
      if (round >= 0) {
        runner.ns.push(ns);
      }
    }
    await turn(); // lets timers and collections happen outside of the batches
  }
  return summary(runners);
}

/** Finds out how many operations the runner does in `batchMs`; its code is compiled and warm afterwards. */
async function calibrate(runner, batchMs, expected) {
  await time(runner, 0, expected); // what is loaded or compiled once must not pass for the time of a batch
  for (;;) {
    const took = (await time(runner, 0, expected)).ns * runner.count;
    if (took >= batchMs * 1e6) {
      return;
    }
    runner.count = Math.ceil(runner.count * Math.min(4, Math.max(1.1, (batchMs * 1.05e6) / took)));
  }
}

async function time(runner, place, expected) {
  const { name, batch, count } = runner;
  const start = process.hrtime.bigint();
  let sum = batch(place, count);
  if (typeof sum !== "number") {
    sum = await sum;
  }
  const ns = Number(process.hrtime.bigint() - start) / count;
  if (expected !== undefined && sum !== expected(count)) {
    throw new Error(`${name}: ${count} operations gave ${sum}, not ${expected(count)}`);
  }
  return { ns, sum };
}

function summary(runners) {
  return {
    operationsPerBatch: Object.fromEntries(runners.map(({ name, count }) => [name, count])),
    batches: runners[0].ns.length,
    ...timesOf(runners),
    checksum: runners.reduce((total, { sum }) => total + sum, 0),
  };
}

/** Quartiles of the times and of their ratios, and what the ratios' medians may be off by (bootstrap.mjs), from `{ name, ns, isBase }` with one time per round. */
export function timesOf(runners) {
  const [first, ...rest] = runners;
  const second = rest.find(({ isBase }) => isBase);
  return {
    nsPerOperation: Object.fromEntries(runners.map(({ name, ns }) => [name, quartiles(ns)])),
    ratioTo: ratios(first, rest),
    ...(second === undefined
      ? {}
      : {
          ratiosOf: {
            [second.name]: ratios(
              second,
              rest.filter((runner) => runner !== second),
            ),
          },
        }),
  };
}

function ratios(base, rivals) {
  return Object.fromEntries(
    rivals.map(({ name, ns }) => [name, withInterval(ns.map((time, round) => base.ns[round] / time))]),
  );
}

/** Quartiles, and the interval of the median. */
export function withInterval(numbers) {
  return { ...quartiles(numbers), ...medianInterval(numbers) };
}
