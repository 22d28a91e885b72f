// Wall-clock time of this working tree beside that of another one, such as a pull request's base: fresh processes, in
// each of which the two take turns (process.mjs). Both need to be built. Nothing fails here, whatever the times are.
//
//   node bench/against/run.mjs OTHER_TREE [--quick] [--markdown FILE]
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { runApart } from "../lib/apart.mjs";
import { medianInterval } from "../lib/bootstrap.mjs";
import { describeRun } from "../lib/machine.mjs";
import { quartiles } from "../lib/quartiles.mjs";

/** Where a process has its code and data decides about some per cent: hence several, of which the ratios are taken. */
const PROCESSES = 8;
const PACE = { rounds: 12, batchMs: 10 };
const QUICK = { processes: 2, pace: { rounds: 4, batchMs: 3 } };
/** `l0` and `keys` as in bench/compare/scenarios.mjs. */
const CASES = [
  { title: "L0 hit, 1,000 strings", what: "hit", entries: 1000, keys: "same", l0: true },
  { title: "L1 hit, 1,000 strings", what: "hit", entries: 1000, keys: "same", l0: false },
  { title: "L1 hit, 100,000 strings, keys built anew", what: "hit", entries: 100_000, keys: "fresh", l0: false },
  { title: "miss, 100,000 entries", what: "miss", entries: 100_000, keys: "fresh", l0: false },
  { title: "set of an existing key, 100,000 entries", what: "overwrite", entries: 100_000, keys: "same", l0: false },
  {
    title: "set of a new key when full, 100,000 entries",
    what: "insert and evict",
    entries: 100_000,
    keys: "fresh",
    l0: false,
  },
];

const { values, positionals } = parseArgs({
  options: { quick: { type: "boolean", default: false }, markdown: { type: "string" } },
  allowPositionals: true,
});
if (positionals.length !== 1) {
  console.error("Usage: node bench/against/run.mjs OTHER_TREE [--quick] [--markdown FILE]");
  process.exit(2);
}
const { processes, pace } = values.quick ? QUICK : { processes: PROCESSES, pace: PACE };
const base = resolve(positionals[0]);
const rows = [];
for (const { title, ...scenario } of CASES) {
  const ratios = [];
  for (let turn = 0; turn < processes; turn += 1) {
    const argument = { scenario, pace, base, isBaseFirst: turn % 2 === 0 };
    const { ratioTo } = await runApart(new URL("process.mjs", import.meta.url), argument, title);
    ratios.push(ratioTo.base.median);
  }
  const { low, high } = medianInterval(ratios);
  rows.push([title, quartiles(ratios).median, low, high]);
  console.log(`${title}: ${rows.at(-1).slice(1).map(digits).join(", ")}`);
}
if (values.markdown !== undefined) {
  writeFileSync(values.markdown, `${page().join("\n")}\n`);
}

function page() {
  const { processors, processor, system, node } = describeRun();
  return [
    `**Time of this change divided by its base's**, ${processors} x ${processor}, ${system}, Node.js ${node}: below 1, this change is faster.`,
    `Median of ${processes} processes in which both take turns, and the interval that holds it in 95 of 100 cases. For information: no figure here fails anything.`,
    "",
    "| | head / base | interval |",
    "| --- | ---: | ---: |",
    ...rows.map(([title, median, low, high]) => `| ${title} | ${digits(median)} | ${digits(low)} to ${digits(high)} |`),
  ];
}

function digits(number) {
  return number.toFixed(3);
}
