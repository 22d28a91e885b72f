// `npm run bench:report`: measures nearcache beside others, in JavaScript, in Rust and beside Redis, and writes
// bench/results/<date>-report.json and, beside it, a page with plots (.html) and a short summary (.md). In less than ten
// minutes on two cores. docs/benchmarks.md says how to read it.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../scripts/lib/run.mjs";
import { countEverything } from "../gate/counts.mjs";
import { describeRun } from "../lib/machine.mjs";
import { readFlags } from "../lib/options.mjs";
import { engine } from "./engine.mjs";
import { hitRatios } from "./hit-ratios.mjs";
import { few, latency, memory, NAMES, threads, times } from "./javascript.mjs";
import { pageOf } from "./page.mjs";
import { PUBLISHED } from "./published.mjs";
import { redis } from "./redis.mjs";
import { summaryOf } from "./summary.mjs";

const PACES = {
  full: {
    javascript: { rounds: 30, batchMs: 12 },
    latencyBatches: 250,
    memoryEntries: 300_000,
    engineRounds: 25,
    engineRoundsLarge: 10,
    redis: { rounds: 30, batchMs: 25, latencyBatches: 800 },
  },
  quick: {
    javascript: { rounds: 5, batchMs: 3 },
    latencyBatches: 10,
    memoryEntries: 100_000,
    engineRounds: 2,
    engineRoundsLarge: 1,
    redis: { rounds: 4, batchMs: 5, latencyBatches: 20 },
  },
};

/** In the order in which they are measured; each is a part of the JSON. */
const PARTS = {
  hitRatios,
  counts: () => countEverything(),
  javascriptFew: few,
  javascriptTimes: times,
  javascriptLatency: latency,
  javascriptThreads: threads,
  javascriptMemory: memory,
  engine,
  redis,
};

const HELP = `Usage: npm run bench:report -- [options]

Measures for five to eight minutes and writes bench/results/<date>-report.{json,html,md}.

  --quick      rough figures in one to two minutes, to see whether everything works; written to quick-report.*
  --strict     fails when a part had to be left out
  --out NAME   the beginning of the files' names instead of bench/results/<date>-report
  --from FILE  measures nothing: makes the page and the summary of a report's JSON
`;

const options = readFlags(
  {
    quick: { type: "boolean", default: false },
    strict: { type: "boolean", default: false },
    out: { type: "string" },
    from: { type: "string" },
  },
  HELP,
);
const report = options.from === undefined ? await measure() : JSON.parse(readFileSync(options.from, "utf8"));
const name = options.from?.replace(/\.json$/, "") ?? options.out ?? join(ROOT, "bench/results", defaultName());
writeFileSync(`${name}.html`, await pageOf(report));
writeFileSync(`${name}.md`, summaryOf(report));
console.log(`${name}.{json,html,md}`);

async function measure() {
  const start = performance.now();
  const run = describeRun();
  console.log(
    `nearcache at ${run.commit}${run.isModified ? " (modified)" : ""}, Node ${run.node}, load ${run.loadAverage}`,
  );
  const pace = options.quick ? PACES.quick : PACES.full;
  const [parts, missing, secondsOf] = [{}, {}, {}];
  for (const [part, body] of Object.entries(PARTS)) {
    const from = performance.now();
    try {
      parts[part] = await body(pace);
    } catch (error) {
      // One rival that can't run here must not cost all the others.
      missing[part] = error.message;
      console.error(`${part} is left out: ${error.message}`);
    }
    secondsOf[part] = Math.round((performance.now() - from) / 1000);
    console.log(`${part}: ${secondsOf[part]} s`);
  }
  const seconds = Math.round((performance.now() - start) / 1000);
  const result = { ...run, isQuick: options.quick, seconds, secondsOf, versions: versions(), published: PUBLISHED };
  const all = { ...result, missing, ...parts };
  writeFileSync(`${options.out ?? join(ROOT, "bench/results", defaultName())}.json`, `${JSON.stringify(all)}\n`);
  if (Object.keys(missing).length > 0 && options.strict) {
    process.exitCode = 1;
  }
  console.log(`measured in ${seconds} s`);
  return all;
}

function defaultName() {
  return options.quick ? "quick-report" : `${new Date().toISOString().slice(0, 10)}-report`;
}

/** The exact versions of the rivals, as bench/compare pins them. */
function versions() {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, "bench/compare/package.json"), "utf8"));
  const lock = readFileSync(join(ROOT, "bench/compare/Cargo.lock"), "utf8");
  // Of several versions of a crate the last is the newest, and ours.
  const crates = ["moka", "quick_cache", "papaya", "dashmap", "hashbrown"].map((crate) => [
    `${crate} (crate)`,
    [...lock.matchAll(new RegExp(`name = "${crate}"\nversion = "([^"]+)"`, "g"))].at(-1)?.[1],
  ]);
  const shown = Object.entries(dependencies).filter(([name]) => NAMES.includes(name));
  return Object.fromEntries([...shown, ...crates]);
}
