// The timing loop: contestants take turns in short batches within one process, so that whatever slows the machine for a
// while slows them all, and what counts is the ratio of two batches of the same round.
//
// A contestant is `{ name, batch(start, count) }`: `batch` does `count` operations, the first at place `start` of a
// prepared sequence, and returns a sum over what it read. The sum is held against `expected(count)` where the case knows
// it, so that nothing can be optimised away and nobody wins by missing.
//
// The loops of the cases look alike and are not shared: a call site that has met several caches is slower for all of
// them, so each contestant has a loop of its own.
import { setImmediate as turn } from "node:timers/promises";
import { quartiles } from "./quartiles.mjs";
import { randomNumbers, shuffle } from "./random.mjs";

/** Places per round in the sequence are taken modulo its length by the contestants. */
const WARM_UP_ROUNDS = 4;

/**
 * Lets the contestants take turns. `pace` is `{ rounds, batchMs }`: how many rounds, and how long a batch of the slowest
 * contestant takes. Returns per contestant the quartiles of ns per operation and, for all but the first, those of the
 * first one's time divided by its own.
 */
export async function compare(contestants, pace, expected) {
  const runners = contestants.map(({ name, batch }) => ({ name, batch, ns: [], sum: 0 }));
  const count = calibrate(runners, pace.batchMs, expected);
  const next = randomNumbers(0x2545f491);
  let place = 0;
  for (let round = -WARM_UP_ROUNDS; round < pace.rounds; round += 1) {
    for (const runner of shuffle([...runners], next)) {
      // Each batch has its own part of the sequence: none finds keys that another has just brought into the caches.
      const { ns, sum } = time(runner, place, count, expected);
      place += count;
      runner.sum += sum;
      if (round >= 0) {
        runner.ns.push(ns);
      }
    }
    await turn(); // lets timers and collections happen outside of the batches
  }
  return summary(runners, count);
}

/** How many operations the slowest does in `batchMs`; everything is compiled and warm afterwards. */
function calibrate(runners, batchMs, expected) {
  let count = 500;
  for (;;) {
    const slowest = Math.max(...runners.map((runner) => time(runner, 0, count, expected).ns * count));
    if (slowest >= batchMs * 1e6) {
      return count;
    }
    count = Math.ceil(count * Math.min(4, Math.max(1.1, (batchMs * 1.05e6) / slowest)));
  }
}

function time(runner, place, count, expected) {
  const start = process.hrtime.bigint();
  const sum = runner.batch(place, count);
  const ns = Number(process.hrtime.bigint() - start) / count;
  if (expected !== undefined && sum !== expected(count)) {
    throw new Error(`${runner.name}: ${count} operations gave ${sum}, not ${expected(count)}`);
  }
  return { ns, sum };
}

function summary(runners, count) {
  const [first, ...rivals] = runners;
  return {
    operationsPerBatch: count,
    batches: first.ns.length,
    nsPerOperation: Object.fromEntries(runners.map(({ name, ns }) => [name, quartiles(ns)])),
    ratioTo: Object.fromEntries(
      rivals.map(({ name, ns }) => [name, quartiles(ns.map((time, round) => first.ns[round] / time))]),
    ),
    checksum: runners.reduce((total, { sum }) => total + sum, 0),
  };
}
