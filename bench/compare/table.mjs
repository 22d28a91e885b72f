// Makes Markdown tables of a comparison's results, for docs/benchmarks.md.
//
//   node bench/compare/table.mjs bench/results/2026-11-24-node20-compare.json > tables.md
//
// A cell has the median of ns per operation and, in brackets, nearcache's time as a multiple of it, with L0 and with
// `l0: false`: below 1, nearcache is faster.
import { readFileSync } from "node:fs";
import { CASES, keysOf } from "./scenarios.mjs";
import { STORES } from "./stores.mjs";

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error("Usage: node bench/compare/table.mjs RESULTS.json");
  process.exit(2);
}
const { results, ...run } = JSON.parse(readFileSync(file, "utf8"));
console.log([about(run), ...Object.keys(CASES).flatMap(sectionOf)].join("\n\n"));

function about({ date, commit, node, processors, processor, memoryGiB, versions }) {
  const rivals = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${date.slice(0, 10)}, commit ${commit}, Node.js ${node.slice(1)}, ${processors} x ${processor}, ${memoryGiB} GiB; ${rivals.join(", ")}.`;
}

function sectionOf(name) {
  const scenarios = results.filter((result) => result.case === name);
  if (scenarios.length === 0) {
    return [];
  }
  const table = scenarios[0].scaling === undefined ? timesTable(scenarios) : threadsTable(scenarios);
  return [`**${CASES[name].title}**, ns (nearcache / it, with L0, without)`, table, ...notes(scenarios)];
}

function timesTable(scenarios) {
  const head = ["", ...scenarios.map((one) => `${one.entries.toLocaleString("en")}, ${keysOf(one)}`)];
  return markdown(head, (name) => scenarios.map((one) => timeOf(one, name)));
}

function threadsTable(scenarios) {
  const head = ["", ...scenarios.flatMap(({ entries }) => [`${entries.toLocaleString("en")}`, "2 against 1", "MB"])];
  return markdown(head, (name) =>
    scenarios.flatMap((one) =>
      one.scaling[name] === undefined
        ? ["-", "-", "-"]
        : [timeOf(one, name), `${one.scaling[name].median.toFixed(2)}x`, one.megabytes[name].toFixed(0)],
    ),
  );
}

function timeOf({ nsPerOperation, ratioTo, ratiosOf }, name) {
  const ns = nsPerOperation[name];
  if (ns === undefined) {
    return "-";
  }
  const text = ns.median < 1000 ? ns.median.toFixed(0) : Math.round(ns.median).toLocaleString("en");
  const ratios = [ratioTo, ...Object.values(ratiosOf)].flatMap((ratio) =>
    ratio[name] ? short(ratio[name].median) : [],
  );
  return ratios.length === 0 ? text : `${text} (${ratios.join(", ")})`;
}

function short(ratio) {
  return `${ratio < 0.1 ? ratio.toPrecision(1) : ratio.toFixed(2)}x`;
}

/** One row for each contestant that has a figure in it. */
function markdown(head, cellsOf) {
  const rows = Object.keys(STORES)
    .map((name) => [name, ...cellsOf(name)])
    .filter(([, ...cells]) => cells.some((cell) => cell !== "-"));
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Who is missing where, and why. */
function notes(scenarios) {
  const missing = new Map();
  for (const scenario of scenarios) {
    const where = `${scenario.entries.toLocaleString("en")}${scenario.threads === 1 ? `, ${keysOf(scenario)}` : ""}`;
    for (const [name, reason] of Object.entries(scenario.leftOut)) {
      const { names = new Set(), places = new Set() } = missing.get(reason) ?? {};
      missing.set(reason, { names: names.add(name), places: places.add(where) });
    }
  }
  return [...missing].map(
    ([reason, { names, places }]) =>
      `Left out at ${[...places].join("; ")}: ${[...names].join(", ")}. Reason: ${reason}.`,
  );
}
