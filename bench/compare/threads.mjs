// The scenarios with threads. Each contestant has a process of its own, so that its memory can be told apart, with as
// many worker threads; the processes take turns, and those that don't run wait without using a processor.
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { timesOf } from "../lib/compare.mjs";
import { quartiles } from "../lib/quartiles.mjs";
import { randomNumbers, shuffle } from "../lib/random.mjs";

const PROCESS = fileURLToPath(new URL("threads-process.mjs", import.meta.url));
const WARM_UP_ROUNDS = 3;

/**
 * Per contestant the time per operation of all threads together (`nsPerOperation`), of one thread alone (`oneThread`),
 * how much more all do than one (`scaling`), and by how much resident memory grew when the store was filled for all.
 * `byThreads` has the quartiles of the time per operation for 1, 2, 4, up to all threads.
 */
export async function runThreads({ scenario, pace, names }) {
  const runners = [];
  try {
    for (const name of names) {
      runners.push(await start(name, scenario, pace));
    }
    const next = randomNumbers(0x2545f491);
    for (let round = -WARM_UP_ROUNDS; round < pace.rounds; round += 1) {
      for (const runner of shuffle([...runners], next)) {
        for (const threads of threadCounts(scenario.threads)) {
          const { ns } = await ask(runner, { threads });
          if (round >= 0) {
            runner.taken[threads].push(ns);
          }
        }
      }
    }
    return summary(runners, scenario.threads);
  } finally {
    await Promise.all(runners.map(stop));
  }
}

/** 1, 2, 4, and so on; the last one is `most`. */
export function threadCounts(most) {
  const counts = [];
  for (let count = 1; count < most; count *= 2) {
    counts.push(count);
  }
  return [...counts, most];
}

async function start(name, scenario, pace) {
  const argument = JSON.stringify({ name, scenario, batchMs: pace.batchMs });
  const child = fork(PROCESS, [argument], { execArgv: ["--expose-gc", "--min-semi-space-size=16"] });
  const ended = once(child, "exit").then(([code, signal]) => {
    throw new Error(`${name}: its process ended with ${signal ?? `exit code ${code}`}`);
  });
  ended.catch(() => undefined); // only those who wait for an answer want to know
  const runner = { name, child, ended, isBase: name.startsWith("nearcache"), taken: {} };
  for (const threads of threadCounts(scenario.threads)) {
    runner.taken[threads] = [];
  }
  const ready = await answer(runner);
  return { ...runner, megabytes: ready.megabytes, fillSeconds: ready.fillSeconds };
}

function ask(runner, request) {
  const answered = answer(runner);
  runner.child.send(request);
  return answered;
}

/** The next message of the process; rejects if that ends instead. */
async function answer({ child, ended }) {
  const [message] = await Promise.race([once(child, "message"), ended]);
  return message;
}

async function stop({ child, ended }) {
  if (child.connected) {
    child.disconnect();
  }
  await ended.catch(() => undefined);
}

function summary(runners, most) {
  const byName = (value) => Object.fromEntries(runners.map((runner) => [runner.name, value(runner)]));
  const quartilesOf = ({ taken }) =>
    Object.fromEntries(Object.entries(taken).map(([threads, ns]) => [threads, quartiles(ns)]));
  return {
    batches: runners[0].taken[1].length,
    ...timesOf(runners.map((runner) => ({ ...runner, ns: runner.taken[most] }))),
    oneThread: byName(({ taken }) => quartiles(taken[1])),
    scaling: byName(({ taken }) => quartiles(taken[most].map((time, round) => taken[1][round] / time))),
    byThreads: byName(quartilesOf),
    megabytes: byName(({ megabytes }) => megabytes),
    fillSeconds: byName(({ fillSeconds }) => fillSeconds),
  };
}
