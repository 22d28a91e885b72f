// Runs nearcache-replay over the cells of a reference: one process per trace and mode, two at a time.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);
const PROCESSES = 2;

/**
 * Replays `policies` in all `cells`. Resolves to a Map from cell to a Map from policy to the row that the program
 * printed. `onDone` is called with the name of every trace that is finished. `seed`: other than the usual one.
 */
export async function replay(program, cells, policies, onDone, seed) {
  const jobs = jobsOf(cells);
  const rows = new Map();
  const work = async () => {
    for (let job = jobs.pop(); job !== undefined; job = jobs.pop()) {
      await replayOne(program, job, policies, rows, seed);
      onDone(`${job[0].trace} (${job[0].mode})`);
    }
  };
  await Promise.all(Array.from({ length: PROCESSES }, work));
  return rows;
}

/** The cells of each trace and mode together: a trace is read once for all of its sizes. */
function jobsOf(cells) {
  const jobs = new Map();
  for (const cell of cells) {
    const key = `${cell.file} ${cell.mode}`;
    jobs.set(key, [...(jobs.get(key) ?? []), cell]);
  }
  return [...jobs.values()];
}

async function replayOne(program, cells, policies, rows, seed) {
  const [{ file, mode }] = cells;
  const fractions = cells.map(({ fraction }) => fraction).join(",");
  const args = [file, "--mode", mode, "--fraction", fractions, "--policy", policies.join(","), "--json"];
  if (seed !== undefined) {
    args.push("--seed", String(seed));
  }
  const { stdout } = await run(program, args, { maxBuffer: 64 << 20 });
  for (const line of stdout.trim().split("\n")) {
    const row = JSON.parse(line);
    const cell = cells.find(({ fraction }) => fraction === row.fraction);
    if (row.capacity !== cell.capacity) {
      throw new Error(
        `${cell.trace} at ${cell.fraction}: capacity ${row.capacity}, the reference has ${cell.capacity}`,
      );
    }
    rows.set(cell, (rows.get(cell) ?? new Map()).set(row.policy, row));
  }
}
