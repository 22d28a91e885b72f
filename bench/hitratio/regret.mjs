// Regret: the best online policy of a cell minus the policy in question, in percentage points. A policy that is better
// than all of the reference has a regret of zero there, not less: being ahead in one cell makes up for nothing.
import { bestOf, counts } from "./reference.mjs";

/** A worst regret counts only where the cache is not tiny. */
export const WORST_ENTRIES_MIN = 500;
const NEAR_POINTS = 1;

/**
 * Summaries of every policy over the cells that count for `ratio`, the best first: `{ policy, cells, mean, worst,
 * worstCell, worstLarge, near, signed }`. `measured` gives a cell's own results as a Map from policy to percent.
 */
export function summarise(cells, ratio, measured) {
  const regrets = new Map();
  for (const cell of cells.filter((one) => counts(one, ratio))) {
    const [, best] = bestOf(cell, ratio);
    for (const [policy, percent] of [...cell.ratios[ratio], ...measured(cell)]) {
      regrets.set(policy, [...(regrets.get(policy) ?? []), { cell, points: best - percent }]);
    }
  }
  const summaries = [...regrets].map(([policy, all]) => summaryOf(policy, all));
  return summaries.sort((a, b) => a.mean - b.mean);
}

function summaryOf(policy, all) {
  const clipped = all.map(({ cell, points }) => ({ cell, points: Math.max(0, points) }));
  const large = clipped.filter(({ cell }) => cell.mode === "byte" || cell.capacity >= WORST_ENTRIES_MIN);
  const worst = clipped.reduce((most, one) => (one.points > most.points ? one : most));
  return {
    policy,
    cells: all.length,
    mean: mean(clipped.map(({ points }) => points)),
    worst: worst.points,
    worstCell: `${worst.cell.trace} at ${worst.cell.fraction}`,
    worstLarge: Math.max(0, ...large.map(({ points }) => points)),
    near: clipped.filter(({ points }) => points <= NEAR_POINTS).length / clipped.length,
    signed: mean(all.map(({ points }) => points)),
  };
}

function mean(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
