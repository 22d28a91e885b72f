// `npm run bench:hitratio [-- options]`: the engine on real traces, beside the reference hit ratios of other policies.
// The traces are other people's and not part of this repository: NEARCACHE_TRACES or --traces names their folder.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fail, ROOT, run } from "../../scripts/lib/run.mjs";
import { describeRun } from "../lib/machine.mjs";
import { compareLibraries } from "./libraries.mjs";
import { svgOf } from "./plot.mjs";
import { bestOf, counts, ENTRIES_MIN, readReference } from "./reference.mjs";
import { summarise } from "./regret.mjs";
import { replay } from "./replay.mjs";
import { cellTable, librariesTables, seedsTable, summaryTable } from "./report.mjs";

const HELP = `npm run bench:hitratio [-- options]
  --traces DIR     the traces, with index.json and reference_open.csv; by default $NEARCACHE_TRACES or ../shared/traces
  --only A,B       these traces alone
  --policies A,B   what to replay beside nearcache (lru, fifo, sieve, ...), to check the simulators
  --seeds N        as often again with other seeds, 1 to N: how much of a result is chance
  --libraries      moka, quick_cache, lru-cache and Caffeine as well, at equal entries and at equal memory
  --program FILE   nearcache-replay, already built
  --out PREFIX     where results go, without ending; by default bench/results/<date>-hitratio
`;

const options = readOptions();
const cells = readReference(options.traces).filter(({ trace }) => !options.only || options.only.includes(trace));
if (cells.length === 0) {
  fail(`There is no trace of ${options.only} in ${options.traces}`, 2);
}
const started = Date.now();
const rows = await replay(options.program, cells, ["nearcache", ...options.policies], (done) => console.log(done));
const others = [];
for (let seed = 1; seed <= options.seeds; seed++) {
  others.push(await replay(options.program, cells, ["nearcache"], () => undefined, seed));
  console.log(`seed ${seed}`);
}
const counted = cells.filter((cell) => cell.mode === "object" && counts(cell, "hits"));
const libraries = options.libraries ? await compareLibraries(options.program, counted, console.log) : undefined;
report((Date.now() - started) / 1000);

function readOptions() {
  let values;
  try {
    const strings = ["traces", "only", "policies", "program", "out", "seeds"];
    const types = Object.fromEntries(strings.map((name) => [name, { type: "string" }]));
    ({ values } = parseArgs({
      options: { ...types, libraries: { type: "boolean" }, help: { type: "boolean", short: "h" } },
    }));
  } catch (error) {
    fail(`${error.message}\n\n${HELP}`, 2);
  }
  if (values.help) {
    console.log(HELP);
    process.exit(0);
  }
  const traces = values.traces ?? process.env.NEARCACHE_TRACES ?? join(ROOT, "../shared/traces");
  if (!existsSync(join(traces, "reference_open.csv"))) {
    fail(`${traces} has no reference_open.csv: name the folder of the traces with --traces or NEARCACHE_TRACES`, 2);
  }
  const seeds = Number(values.seeds ?? 0);
  if (!Number.isInteger(seeds) || seeds < 0) {
    fail(`--seeds ${values.seeds}: it is how many seeds to try, 0 or more`, 2);
  }
  return {
    traces,
    seeds,
    only: values.only?.split(","),
    policies: values.policies?.split(",") ?? [],
    libraries: values.libraries ?? false,
    program: values.program ?? build(),
    out: values.out ?? join(ROOT, "bench/results", `${new Date().toISOString().slice(0, 10)}-hitratio`),
  };
}

function build() {
  run("cargo", ["build", "--release", "--quiet", "--package", "nearcache-replay"]);
  return join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "release/nearcache-replay");
}

/** What was measured in a cell, in percent, by policy. */
function measured(cell, ratio, found = rows) {
  const field = ratio === "hits" ? "hit_ratio" : "byte_hit_ratio";
  return new Map([...found.get(cell)].map(([policy, row]) => [policy, row[field] * 100]));
}

function report(seconds) {
  const of = (mode, isReal) => cells.filter((cell) => cell.mode === mode && (cell.isReal || !isReal));
  const parts = [
    ["Object count, real traces: hit ratio", of("object", true), "hits"],
    ["Object count, all traces: hit ratio", of("object", false), "hits"],
    ["Bytes, real traces: object hit ratio", of("byte", true), "hits"],
    ["Bytes, all traces: object hit ratio", of("byte", false), "hits"],
    ["Bytes, real traces: byte hit ratio", of("byte", true), "bytes"],
    ["Bytes, all traces: byte hit ratio", of("byte", false), "bytes"],
  ];
  const summaries = parts
    .map(([title, some, ratio]) => ({ title, summaries: summarise(some, ratio, (cell) => measured(cell, ratio)) }))
    .filter((part) => part.summaries.length > 0);
  const bySeed = summariesBySeed(of("object", true));
  const { node: _node, v8: _v8, ...machine } = describeRun();
  const tables = [
    ...summaries.flatMap((part) => summaryTable(part.title, part.summaries)),
    ...(others.length > 0 ? seedsTable(bySeed) : []),
    ...(libraries ? librariesTables(libraries) : []),
  ];
  writeFileSync(`${options.out}.md`, markdown(machine, seconds, tables));
  writeFileSync(`${options.out}.json`, json(machine, seconds, summaries, bySeed));
  writeFileSync(`${options.out}.svg`, svgOf(charts()));
  console.log(`\n${tables.join("\n")}`);
  console.log(`${options.out}.{md,json,svg} hold every cell; ${seconds.toFixed(0)} s`);
}

/** The summary of object counts, of each seed: the usual one first. */
function summariesBySeed(some) {
  return [rows, ...others].map((found, seed) => {
    const all = summarise(some, "hits", (cell) => measured(cell, "hits", found));
    return { seed, ...all.find(({ policy }) => policy === "nearcache") };
  });
}

function markdown(machine, seconds, tables) {
  const cellsOf = (mode, ratio) => {
    const some = cells.filter((cell) => cell.mode === mode);
    return some.length === 0 ? [] : cellTable(some, ratio, (cell) => measured(cell, ratio).get("nearcache"));
  };
  return [
    "# Hit ratios on real traces",
    "",
    `Commit ${machine.commit}${machine.isModified ? ", modified" : ""}, ${machine.date.slice(0, 10)}; ${seconds.toFixed(0)} s.`,
    "All numbers are percent or percentage points. Regret is the best online policy of the reference minus the policy;",
    `0 where it is better than all. Left out of the means: caches of fewer than ${ENTRIES_MIN} entries, and sizes at which`,
    "the online policies differ by less than half a point (their regret stands in brackets below).",
    "",
    ...tables,
    ...["## Cells, object count: hit ratio", "", ...cellsOf("object", "hits"), ""],
    ...["## Cells, bytes: object hit ratio", "", ...cellsOf("byte", "hits"), ""],
    ...["## Cells, bytes: byte hit ratio", "", ...cellsOf("byte", "bytes"), ""],
  ].join("\n");
}

function json(machine, seconds, summaries, bySeed) {
  const list = cells.map((cell) => ({
    ...{ trace: cell.trace, mode: cell.mode, fraction: cell.fraction, capacity: cell.capacity },
    best: Object.fromEntries(
      ["hits", "bytes"].filter((ratio) => cell.ratios[ratio].size > 0).map((ratio) => [ratio, bestOf(cell, ratio)]),
    ),
    measured: Object.fromEntries(
      [...rows.get(cell)].map(([policy, row]) => [policy, [row.hit_ratio, row.byte_hit_ratio]]),
    ),
  }));
  return `${JSON.stringify({ ...machine, seconds, summaries, bySeed, libraries, cells: list }, null, 1)}\n`;
}

function charts() {
  const traces = [...new Set(cells.map(({ trace, mode }) => `${trace} ${mode}`))];
  return traces.map((title) => {
    const some = cells.filter(({ trace, mode }) => `${trace} ${mode}` === title);
    const points = some.map((cell) => ({
      x: cell.fraction,
      y: {
        ...Object.fromEntries(cell.ratios.hits),
        "best online": bestOf(cell, "hits")[1],
        nearcache: measured(cell, "hits").get("nearcache"),
      },
    }));
    const shown = new Set(["LRU", "S3-FIFO", "Caffeine-HEAD", "best online", "nearcache"]);
    const kept = points.map(({ x, y }) => ({
      x,
      y: Object.fromEntries(Object.entries(y).filter(([name]) => shown.has(name))),
    }));
    return { title, points: kept.sort((a, b) => a.x - b.x) };
  });
}
