// What each process saw, and the judge over it. Values are numbers that only grow, so an older version is a smaller number.

/** What one process saw, in order, as pairs of a key's index and a value. Seeing the same again is left out. */
export class History {
  readonly #last: Uint32Array;
  readonly #pairs: number[] = [];

  constructor(keyCount: number) {
    this.#last = new Uint32Array(keyCount);
  }

  /** Values begin at 1. */
  saw(key: number, value: number): void {
    if (this.#last[key] !== value) {
      this.#last[key] = value;
      this.#pairs.push(key, value);
    }
  }

  get pairs(): readonly number[] {
    return this.#pairs;
  }
}

/** What was wrong, in words. `written`: which key each value was meant for. */
export function judge(histories: readonly (readonly number[])[], written: ReadonlyMap<number, number>): string[] {
  const found: string[] = [];
  for (const [process, pairs] of histories.entries()) {
    const newest = new Map<number, number>();
    for (let i = 0; i < pairs.length; i += 2) {
      const [key, value] = [pairs[i] as number, pairs[i + 1] as number];
      const before = newest.get(key) ?? 0;
      if (written.get(value) !== key)
        found.push(`process ${process} saw ${value} at key ${key}: nobody wrote it there`);
      if (value < before) found.push(`process ${process} went back from ${before} to ${value} at key ${key}`);
      newest.set(key, Math.max(before, value));
    }
  }
  return found;
}
