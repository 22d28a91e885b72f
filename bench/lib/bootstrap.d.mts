/** The interval that holds the median of `numbers` in 95 of 100 cases. */
export function medianInterval(numbers: number[], seed?: number): { low: number; high: number };
