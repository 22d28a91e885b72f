// `node bench/hitratio/changes.mjs [PROGRAM [ENTRIES…]]`: how soon is the cache useful again after the working set has changed at
// once? Eight made-up changes; before, 50 turns of the cache; after, keys that were never asked for. What is said are hits
// in percent, of nearcache and of LRU, in each of the first four turns, and over the first three.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../../scripts/lib/run.mjs";
import { randomNumbers } from "../lib/random.mjs";
import { table } from "./report.mjs";

const execute = promisify(execFile);
const TURNS_BEFORE = 50;
/** The trace is replayed up to here, in turns after the change: the differences are what lies between. */
const MARKS = [0, 1, 2, 3, 4];
const SEEDS = { 300: 3, 1000: 3, 3000: 1, 10000: 1 };
const CHANGED_KEYS = 2 ** 40;
const PROCESSES = 2;

/** Keys of traffic of each kind for a cache of so many entries. */
const KINDS = {
  popular: (next, count, entries) => fill(count, () => next(next(2 * entries) + 1)),
  even: (next, count, entries) => fill(count, () => next(Math.floor(entries * 0.8))),
  loop: (_, count, entries) => fill(count, (at) => at % Math.floor(entries * 1.25)),
  zipf: (next, count, entries) => fill(count, () => Math.floor((4 * entries) ** (next(2 ** 30) / 2 ** 30)) - 1),
  // Every key three times within a turn, then never again.
  recent: (next, count, entries) =>
    fill(count, (at) => entries + Math.floor(at / 3) - next([1, entries * 0.2, entries * 0.6][at % 3])),
};
const CHANGES = ["popular", "even", "loop", "recent"].map((before) => [before, "popular"]);
CHANGES.push(["popular", "even"], ["even", "even"], ["popular", "recent"], ["zipf", "zipf"]);

const [program = join(ROOT, "target/release/nearcache-replay"), ...only] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "nearcache-changes-"));
try {
  for (const [entries, seeds] of Object.entries(SEEDS)) {
    if (only.length > 0 && !only.includes(entries)) {
      continue;
    }
    const rows = await measureAll(Number(entries), seeds);
    const spans = ["turn 1", "turn 2", "turn 3", "turns 1 to 3", "turn 4"];
    const head = ["change", ...spans.flatMap((span) => [span, "LRU"])];
    console.log(`${entries} entries\n${table(head, rows).join("\n")}\n`);
  }
} finally {
  rmSync(folder, { recursive: true });
}

function fill(count, key) {
  return Array.from({ length: count }, (_, at) => key(at));
}

async function measureAll(entries, seeds) {
  const results = new Map();
  const jobs = CHANGES.flatMap((change) => fill(seeds, (seed) => ({ change, seed })));
  const work = async () => {
    for (let job = jobs.pop(); job !== undefined; job = jobs.pop()) {
      const measured = await measure(entries, job.change, job.seed);
      results.set(job.change, [...(results.get(job.change) ?? []), measured]);
    }
  };
  await Promise.all(fill(PROCESSES, work));
  const rows = CHANGES.map((change) => [change.join(", then "), averages(results.get(change))]);
  const all = ["mean", averages([...results.values()].flat())];
  return [...rows, all].map(([name, numbers]) => [name, ...numbers.map((number) => number.toFixed(1))]);
}

function averages(rows) {
  return rows[0].map((_, at) => rows.reduce((sum, row) => sum + row[at], 0) / rows.length);
}

/** Hits in percent: per span of turns nearcache's and LRU's. */
async function measure(entries, [before, after], seed) {
  const next = randomNumbers(seed * 1_000 + entries + 1);
  const old = KINDS[before](next, TURNS_BEFORE * entries, entries);
  const changed = KINDS[after](next, Math.max(...MARKS) * entries, entries).map((key) => key + CHANGED_KEYS);
  const hits = {};
  for (const mark of MARKS) {
    const file = join(folder, `${before}-${after}-${seed}.k.bin`);
    const keys = BigUint64Array.from([...old, ...changed.slice(0, mark * entries)], BigInt);
    writeFileSync(file, Buffer.from(keys.buffer));
    const args = [file, "--entries", String(entries), "--policy", "nearcache,lru", "--json"];
    const { stdout } = await execute(program, args);
    hits[mark] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).hits);
  }
  const between = (from, to) => hits[to].map((all, at) => ((all - hits[from][at]) * 100) / ((to - from) * entries));
  return [...between(0, 1), ...between(1, 2), ...between(2, 3), ...between(0, 3), ...between(3, 4)];
}
