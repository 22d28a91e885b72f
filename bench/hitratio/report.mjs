// What `bench:hitratio` writes: summaries and cells as markdown.
import { bestOf, counts } from "./reference.mjs";
import { WORST_ENTRIES_MIN } from "./regret.mjs";

/** What the reference lacks and the engine has is set off. */
const OURS = "nearcache";

/** A summary as a table. */
export function summaryTable(title, summaries) {
  const rows = summaries.map((one) => [
    one.policy === OURS ? `**${one.policy}**` : one.policy,
    points(one.mean),
    `${points(one.worst)} (${one.worstCell})`,
    points(one.worstLarge),
    `${(one.near * 100).toFixed(0)} %`,
    one.cells,
  ]);
  const large = `worst, ${WORST_ENTRIES_MIN} entries and more`;
  return [`### ${title}`, "", ...table(["policy", "mean regret", "worst", large, "within 1 point", "cells"], rows), ""];
}

/** The same cells with several seeds, and the mean over them. Seed 0 stands for the usual one. */
export function seedsTable(bySeed) {
  const mean = (field) => bySeed.reduce((sum, one) => sum + one[field], 0) / bySeed.length;
  const fields = ["mean", "near", "worstLarge"];
  const average = { seed: "mean", ...Object.fromEntries(fields.map((field) => [field, mean(field)])) };
  const rows = [...bySeed, average].map((one) => [
    one.seed,
    points(one.mean),
    `${(one.near * 100).toFixed(1)} %`,
    points(one.worstLarge),
  ]);
  const large = `worst, ${WORST_ENTRIES_MIN} entries and more`;
  return [
    "### Object count, real traces: with other seeds",
    "",
    ...table(["seed", "mean regret", "within 1 point", large], rows),
    "",
  ];
}

/** Every cell as a row. `percentOf` gives our own. */
export function cellTable(cells, ratio, percentOf) {
  const rows = cells.map((cell) => {
    const [name, best] = bestOf(cell, ratio);
    const ours = percentOf(cell);
    const of = (policy) => percent(cell.ratios[ratio].get(policy));
    const regret = counts(cell, ratio) ? points(best - ours) : `(${points(best - ours)})`;
    const size = `${cell.fraction * 100} %`;
    return [cell.trace, size, cell.capacity, percent(ours), regret, `${percent(best)} ${name}`, ...NAMED.map(of)];
  });
  return table(["trace", "size", "capacity", OURS, "regret", "best online", ...NAMED], rows);
}

/** Of which sizes it is shown what an entry of a library takes, fixed parts included. */
const SHOWN_CAPACITIES = [256, 4096, 131_072];

/** The comparison with libraries: of each, by how much nearcache hits more, and the rows themselves. */
export function librariesTables({ bytes, rows }) {
  const names = [OURS, ...Object.keys(bytes)];
  const perEntry = (name) => {
    const shown = (bytes[name] ?? []).filter(({ capacity }) => SHOWN_CAPACITIES.includes(capacity));
    return shown.map((one) => (one.bytes / one.capacity).toFixed(0)).join(", ");
  };
  const cells = new Map();
  for (const row of rows) {
    const key = `${row.trace} at ${row.fraction * 100} %`;
    cells.set(key, { ...cells.get(key), [row.library]: row });
  }
  const all = [...cells.values()];
  const lines = names.map((name) => {
    const ahead = (field) => all.map((cell) => cell[OURS][field] - cell[name][field]);
    const mean = (numbers) => points(numbers.reduce((sum, number) => sum + number, 0) / numbers.length);
    const [entries, memory] = [ahead("atEntries"), ahead("atMemory")];
    const better = memory.filter((number) => number > 0).length;
    return [
      name,
      perEntry(name),
      mean(entries),
      mean(memory),
      points(Math.min(...memory)),
      `${better} of ${all.length}`,
    ];
  });
  const head = [
    "library",
    `bytes per entry in caches of ${SHOWN_CAPACITIES.join(", ")}`,
    "ahead at equal entries",
    "ahead at equal memory",
    "least",
    "cells ahead",
  ];
  const detail = [...cells].map(([key, cell]) => [
    key,
    ...names.flatMap((name) => [percent(cell[name].atEntries), percent(cell[name].atMemory)]),
  ]);
  return [
    "### Libraries: nearcache ahead, in points; values of 100 bytes",
    "",
    ...table(
      head,
      lines.filter(([name]) => name !== OURS),
    ),
    "",
    ...table(["equal entries, equal memory", ...names.flatMap((name) => [name, ""])], detail),
    "",
  ];
}

const NAMED = ["Caffeine-HEAD", "S3-FIFO", "LRU"];

function points(number) {
  return number.toFixed(2);
}

function percent(number) {
  return number === undefined ? "" : number.toFixed(2);
}

/** Rows as markdown. */
export function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, at) => (at === 0 ? "---" : "---:"))), ...rows.map(line)];
}
