// `npm run bench:compare`: nearcache's JavaScript API beside other caches for Node.js. Each scenario runs in a fresh
// process in which all contestants take turns; those with two threads in one process per contestant, which take turns.
// The results go to the terminal and, with quartiles, to bench/results/; table.mjs makes a page of them.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { runApart } from "../lib/apart.mjs";
import { describeRun } from "../lib/machine.mjs";
import { readOptions } from "../lib/options.mjs";
import { tableOf } from "../lib/report.mjs";
import { CASES, keysOf, leftOutOf, scenariosOf } from "./scenarios.mjs";
import { STORES } from "./stores.mjs";
import { runThreads } from "./threads.mjs";

/** A million entries of a dozen caches are more than V8 allows itself by default. */
const HEAP_MIB = 12_000;
/** A quick run leaves out what is larger: filling takes most of the time there. */
const QUICK_ENTRIES_MAX = 100_000;

const PACES = { full: { rounds: 20, batchMs: 10 }, quick: { rounds: 8, batchMs: 5 } };

const HELP = `Usage: npm run bench:compare -- [options] [case ...]

Measures nearcache beside other caches for Node.js, in turns. Without a case: all of them, in about ten minutes. Installs
the others into bench/compare/node_modules first.

  --quick         a rough answer in about two minutes, without a million entries
  --entries N     only the scenarios with N entries
  --rounds N      how many rounds (default ${PACES.full.rounds}; quick: ${PACES.quick.rounds})
  --out FILE      where the JSON goes (default bench/results/<date>-node<major>-compare.json; quick: quick-compare.json)
  --list          says which cases there are
`;

const options = readOptions(process.argv.slice(2), { cases: CASES, paces: PACES, help: HELP });
const run = describeRun();
console.log(`nearcache at ${run.commit}${run.isModified ? " (modified)" : ""}, Node ${run.node}`);
console.log(`${run.processors} x ${run.processor}, ${run.memoryGiB} GiB, ${run.system}, load ${run.loadAverage}\n`);

const results = [];
const start = performance.now();
for (const name of options.names) {
  console.log(`${name}: ${CASES[name].title}`);
  for (const scenario of scenariosOf(name).filter(isChosen)) {
    const leftOut = leftOutOf(scenario);
    const names = Object.keys(STORES).filter((store) => leftOut[store] === undefined);
    const result = await measure(scenario, names);
    console.log(tableOf({ entries: scenario.entries, what: keysOf(scenario) }, result).join("\n"));
    results.push({ ...scenario, ...result, leftOut });
  }
}
save();

function isChosen({ entries }) {
  return options.entries === undefined
    ? !(options.isQuick && entries > QUICK_ENTRIES_MAX)
    : options.entries === entries;
}

function measure(scenario, names) {
  const argument = { scenario, pace: options.pace, names };
  if (scenario.threads > 1) {
    return runThreads(argument);
  }
  const label = `${scenario.case}, ${scenario.entries} entries, ${keysOf(scenario)}`;
  return runApart(new URL("scenario.mjs", import.meta.url), argument, label, [`--max-old-space-size=${HEAP_MIB}`]);
}

function save() {
  const major = process.versions.node.split(".", 1)[0];
  const name = options.isQuick ? "quick-compare.json" : `${run.date.slice(0, 10)}-node${major}-compare.json`;
  const file = options.out ?? fileURLToPath(new URL(`../results/${name}`, import.meta.url));
  const seconds = Math.round((performance.now() - start) / 1000);
  const about = { ...run, isQuick: options.isQuick, seconds, versions: versions() };
  writeFileSync(file, `${JSON.stringify({ ...about, results }, null, 2)}\n`);
  console.log(`${seconds} s, written to ${file}`);
}

/** The exact versions of the rivals, as package.json pins them. */
function versions() {
  return JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8")).dependencies;
}
