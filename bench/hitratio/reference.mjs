// The reference hit ratios of a folder of traces: `reference_open.csv` beside `index.json`, as the traces' README
// describes them. A cell is a trace, a mode and a part of the trace; of each, what every policy reached.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Policies that know the future: nobody is measured against them. */
const OFFLINE = new Set(["Belady", "BeladySize"]);
/** Cells that say little: very small caches, and sizes at which it doesn't matter who decides, in points. */
export const ENTRIES_MIN = 50;
const SPREAD_MIN = 0.5;

/** The names of the columns that a cell's policies are compared by. */
export const RATIOS = { hits: "hit_ratio", bytes: "byte_hit_ratio" };

/** Every cell as `{ trace, mode, fraction, capacity, isReal, file, ratios: { hits: Map, bytes: Map } }`, in percent. */
export function readReference(folder) {
  const index = JSON.parse(readFileSync(join(folder, "index.json"), "utf8"));
  const cells = new Map();
  for (const row of readCsv(join(folder, "reference_open.csv"))) {
    const key = `${row.trace} ${row.mode} ${row.size_frac}`;
    if (!cells.has(key)) {
      cells.set(key, {
        trace: row.trace,
        kind: row.kind,
        mode: row.mode,
        fraction: Number(row.size_frac),
        capacity: Number(row.cache_size),
        isReal: index[row.trace].real,
        file: join(folder, index[row.trace].file.split("/").pop()),
        ratios: { hits: new Map(), bytes: new Map() },
      });
    }
    for (const [name, column] of Object.entries(RATIOS)) {
      if (row[column] !== "" && !OFFLINE.has(row.policy)) {
        cells.get(key).ratios[name].set(row.policy, Number(row[column]) * 100);
      }
    }
  }
  return [...cells.values()];
}

/** Whether a cell counts for a ratio. */
export function counts(cell, ratio) {
  const reached = [...cell.ratios[ratio].values()];
  const isLargeEnough = cell.mode === "byte" || cell.capacity >= ENTRIES_MIN;
  return isLargeEnough && reached.length > 0 && Math.max(...reached) - Math.min(...reached) >= SPREAD_MIN;
}

/** The best online policy of a cell, as `[name, percent]`. */
export function bestOf(cell, ratio) {
  return [...cell.ratios[ratio]].reduce((best, one) => (one[1] > best[1] ? one : best));
}

function readCsv(file) {
  const [head, ...lines] = readFileSync(file, "utf8").trim().split(/\r?\n/);
  const names = head.split(",");
  return lines.map((line) => {
    const fields = line.split(",");
    return Object.fromEntries(names.map((name, at) => [name, fields[at]]));
  });
}
