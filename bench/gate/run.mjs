// `npm run bench:gate`: counts that don't drift (counts.mjs) against a baseline, baseline.json beside this file. Nothing
// is timed, so the outcome is the same on a busy machine. Exit code 1 when a figure is worse by more than a hundredth.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readFlags } from "../lib/options.mjs";
import { compareFigures, isFailure, TOLERANCE } from "./compare.mjs";
import { countEverything, environmentOf } from "./counts.mjs";
import { markdownTable, textTable } from "./table.mjs";

const BASELINE = fileURLToPath(new URL("baseline.json", import.meta.url));

const HELP = `Usage: npm run bench:gate -- [options]

Counts instructions, allocations, native calls, bytes per entry and hit ratios, and holds them against a baseline. Fails
when one is worse by more than ${TOLERANCE * 100} %. Takes about a minute once everything is built.

  --update         writes what was counted into the baseline
  --baseline FILE  another baseline than bench/gate/baseline.json
  --strict         fails as well when something could not be measured, or has no baseline on this kind of machine
  --out FILE       writes what was counted as JSON
  --from FILE      counts nothing: compares what an earlier run wrote with --out
  --markdown FILE  writes the table as Markdown as well
`;

const options = readFlags(
  {
    update: { type: "boolean", default: false },
    baseline: { type: "string", default: BASELINE },
    strict: { type: "boolean", default: false },
    out: { type: "string" },
    from: { type: "string" },
    markdown: { type: "string" },
  },
  HELP,
);
const { environment, ...counted } =
  options.from === undefined ? await count() : JSON.parse(readFileSync(options.from, "utf8"));
if (options.out !== undefined) {
  writeFileSync(options.out, `${JSON.stringify({ environment, ...counted }, null, 2)}\n`);
}
if (options.update) {
  update();
} else {
  compare();
}

async function count() {
  const figures = await countEverything((what) => console.log(`counting: ${what}`));
  return { environment: environmentOf(), ...figures };
}

function compare() {
  const { portable = {}, machines = {} } = readBaseline();
  const local = machines[environment.machine];
  const isComparable = local?.compiler === environment.compiler;
  const rows = [
    ...compareFigures(counted.portable, portable, counted.skipped),
    ...compareFigures(counted.local, isComparable ? local.figures : {}, counted.skipped),
  ];
  const notes = notesOf(local, isComparable);
  console.log(`\n${[...textTable(rows), "", ...notes].join("\n")}`);
  if (options.markdown !== undefined) {
    writeFileSync(options.markdown, `${[...markdownTable(rows), "", ...notes].join("\n")}\n`);
  }
  const failures = rows.filter(isFailure);
  if (failures.length > 0) {
    console.error(`\nbench:gate: ${failures.length} of ${rows.length} figures are worse than the baseline or missing.`);
    console.error("If that is meant, say why in the commit and run `npm run bench:gate -- --update`.");
    process.exitCode = 1;
  } else if (options.strict && notes.length > 0) {
    console.error("\nbench:gate: not everything could be held against a baseline (--strict).");
    process.exitCode = 1;
  } else {
    console.log(`\nbench:gate: none of ${rows.length} figures is worse`);
  }
}

function notesOf(local, isComparable) {
  const { machine, compiler } = environment;
  const notes = Object.entries(counted.skipped).map(
    ([name, reason]) => `Not measured: ${name.split(":")[0]}: ${reason}`,
  );
  if (!isComparable) {
    const there = local === undefined ? "has nothing" : `was taken with rustc ${local.compiler}`;
    notes.push(
      `No comparison of instructions and bytes: for ${machine} the baseline ${there}; this is rustc ${compiler}.`,
    );
  }
  return notes;
}

function update() {
  const values = (figures) => Object.fromEntries(Object.entries(figures).map(([name, { value }]) => [name, value]));
  const { machines = {} } = readBaseline();
  if (Object.keys(counted.skipped).length > 0 && options.baseline === BASELINE) {
    console.error(`The baseline stays as it is. Not measured: ${Object.values(counted.skipped).join("; ")}`);
    process.exitCode = 1;
    return;
  }
  machines[environment.machine] = { compiler: environment.compiler, figures: values(counted.local) };
  const baseline = { portable: values(counted.portable), machines };
  writeFileSync(options.baseline, `${JSON.stringify(baseline, null, 2)}\n`);
  console.log(`${options.baseline} holds ${environment.machine}, rustc ${environment.compiler}`);
}

function readBaseline() {
  try {
    return JSON.parse(readFileSync(options.baseline, "utf8"));
  } catch (error) {
    if (error.code === "ENOENT" && options.update) {
      return {};
    }
    throw new Error(`${options.baseline} can't be read; \`--update\` writes it`, { cause: error });
  }
}
