/** Quartiles of a list of numbers. */
export function quartiles(numbers) {
  const sorted = Float64Array.from(numbers).sort();
  return { q1: quantile(sorted, 0.25), median: quantile(sorted, 0.5), q3: quantile(sorted, 0.75) };
}

/** A quantile of a sorted list, by nearest rank. */
export function quantile(sorted, share) {
  const rank = Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1));
  return Number(sorted[rank].toPrecision(4));
}
