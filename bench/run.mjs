// `npm run bench`: measures nearcache against Map and lru-cache and says which of the project's targets are met.
// Each scenario runs in a process of its own, in which the contestants take turns (lib/compare.mjs); the results go to
// the terminal and, with quartiles and the machine, to bench/results/. docs/benchmarks.md says how to read them.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runApart } from "./lib/apart.mjs";
import { describeRun } from "./lib/machine.mjs";
import { readOptions } from "./lib/options.mjs";
import { nameOf, tableOf, verdicts } from "./lib/report.mjs";

const NAMES = [
  "l0-hit",
  "l1-hit",
  "l1-hit-fresh",
  "object-hit",
  "bare",
  "floor",
  "counts",
  "memory",
  "writes",
  "load-hit",
  "percentiles",
  "gc-pause",
];

const PACES = { full: { rounds: 40, batchMs: 25 }, quick: { rounds: 12, batchMs: 10 } };

const HELP = `Usage: npm run bench -- [options] [case ...]

Measures nearcache against Map and lru-cache, in turns within one run. Without a case: all but the slow ones, in two to
three minutes. Ends with exit code 1 when a target that is counted, not timed, is missed.

  --quick         a rough answer in less than a minute
  --all           the slow cases too
  --entries N     only the scenarios with N entries
  --rounds N      how many rounds (default ${PACES.full.rounds}; quick: ${PACES.quick.rounds})
  --out FILE      where the JSON goes (default bench/results/<date>-node<major>.json; quick: quick.json)
  --list          says which cases there are
`;

const cases = Object.fromEntries(
  await Promise.all(NAMES.map(async (name) => [name, await import(`./cases/${name}.mjs`)])),
);
const options = readOptions(process.argv.slice(2), { cases, paces: PACES, help: HELP });
const run = describeRun();
console.log(`nearcache at ${run.commit}${run.isModified ? " (modified)" : ""}, Node ${run.node}`);
console.log(`${run.processors} x ${run.processor}, ${run.memoryGiB} GiB, ${run.system}, load ${run.loadAverage}\n`);

const results = [];
for (const name of options.names) {
  console.log(`${name}: ${cases[name].title}`);
  for (const scenario of chosen(cases[name].scenarios)) {
    const argument = { name, scenario, pace: options.pace };
    const result = await runApart(new URL("scenario.mjs", import.meta.url), argument, `${name}, ${nameOf(scenario)}`);
    console.log(tableOf(scenario, result).join("\n"));
    results.push({ case: name, ...scenario, ...result });
  }
}
summarise();
save();

function chosen(scenarios) {
  return scenarios.filter(({ entries, isSlow }) =>
    options.entries === undefined ? !(isSlow && options.isQuick) : options.entries === entries,
  );
}

function summarise() {
  const all = results.flatMap((result) => verdicts(result, result));
  const missed = all.filter(({ isMet }) => !isMet);
  if (all.length > 0) {
    console.log(`${all.length - missed.length} of ${all.length} targets met`);
  }
  // What was counted is right or wrong. What was timed depends on the machine and its day, and is only reported.
  if (missed.some(({ isExact }) => isExact)) {
    process.exitCode = 1;
  }
  const checksum = results.reduce((total, result) => total + (result.checksum ?? 0), 0);
  console.log(`checksum ${checksum}`);
}

function save() {
  const major = process.versions.node.split(".", 1)[0];
  const name = options.isQuick ? "quick.json" : `${run.date.slice(0, 10)}-node${major}.json`;
  const file = options.out ?? fileURLToPath(new URL(`results/${name}`, import.meta.url));
  writeFileSync(file, `${JSON.stringify({ ...run, isQuick: options.isQuick, results }, null, 2)}\n`);
  console.log(`written to ${file}`);
}
