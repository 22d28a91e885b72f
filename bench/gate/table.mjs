// The gate's rows as a table for the terminal, and for a page.
import { align } from "../lib/report.mjs";

const HEAD = ["", "baseline", "now", "change", ""];
const SHOWN = { worse: "WORSE", missing: "MISSING", better: "better", new: "new", same: "", skipped: "not measured" };

export function textTable(rows) {
  return align([HEAD, ...rows.map(cells)]);
}

export function markdownTable(rows) {
  const line = (columns) => `| ${columns.join(" | ")} |`;
  return [
    line(["figure", ...HEAD.slice(1)]),
    "| --- | ---: | ---: | ---: | --- |",
    ...rows.map((row) => line(cells(row))),
  ];
}

function cells({ name, baseline, value, change, verdict }) {
  return [name, text(baseline), text(value), changeText(change), SHOWN[verdict]];
}

function text(value) {
  return value === undefined ? "-" : String(value);
}

function changeText(change) {
  if (change === undefined || change === 0) {
    return "";
  }
  return Number.isFinite(change) ? `${change > 0 ? "+" : ""}${(change * 100).toFixed(2)} %` : "from none";
}
