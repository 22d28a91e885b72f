// Holds figures against a baseline. A figure is `{ value, better }`, `better` being "less" or "more"; what the baseline
// keeps of it is the value alone.

/** The part of the baseline by which a figure may be worse. */
export const TOLERANCE = 0.01;

/**
 * Rows `{ name, baseline, value, change, verdict }`, in the order of the figures. `skipped` maps the beginnings of names
 * to the reason for which such figures were not measured. Verdicts: "same", "better", "worse", "new" (not in the
 * baseline), "missing" (only there) and "skipped". `change` is a part of the baseline, undefined where there is none.
 */
export function compareFigures(figures, baseline, skipped = {}) {
  const measured = Object.entries(figures).map(([name, figure]) => rowOf(name, figure, baseline[name]));
  const gone = Object.entries(baseline)
    .filter(([name]) => figures[name] === undefined)
    .map(([name, value]) => {
      const reason = Object.entries(skipped).find(([start]) => name.startsWith(start))?.[1];
      return { name, baseline: value, verdict: reason === undefined ? "missing" : "skipped", reason };
    });
  return [...measured, ...gone];
}

/** Whether a row has to fail the run. */
export function isFailure({ verdict }) {
  return verdict === "worse" || verdict === "missing";
}

function rowOf(name, { value, better }, baseline) {
  if (baseline === undefined) {
    return { name, value, verdict: "new" };
  }
  const difference = value - baseline;
  // Of nothing, anything is more than a hundredth.
  const change = difference === 0 ? 0 : difference / Math.abs(baseline);
  const isWithin = Math.abs(change) <= TOLERANCE;
  const isBetter = better === "less" ? difference < 0 : difference > 0;
  return { name, baseline, value, change, verdict: isWithin ? "same" : isBetter ? "better" : "worse" };
}
