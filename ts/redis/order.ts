/**
 * The order of writes: those to one key go one after the other in the order in which they were asked for; those to
 * different keys go side by side, some at a time. A write to everything waits for all before it, and all after it wait for
 * it. No more than a bounded number may be under way or wait.
 */

/** More at a time would only fill buffers, and let look-ups wait behind them. */
const PARALLEL_MAX = 128;

/** What a write concerns. */
export type Concern = readonly string[] | "everything";

export class WriteOrder {
  readonly #writesMax: number;
  /** Per key the last write that has not settled. */
  readonly #lastOf = new Map<string, Promise<unknown>>();
  /** All that has not settled. */
  readonly #open = new Set<Promise<unknown>>();
  /** Those whose turn it is, but for the limit; each is called when it may begin. */
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** The last write to everything, if it has not settled. */
  #lastOfAll: Promise<unknown> | undefined = undefined;

  constructor(writesMax: number) {
    this.#writesMax = writesMax;
  }

  get isFull(): boolean {
    return this.#open.size >= this.#writesMax;
  }

  /** Runs a write in its turn: at once if it need not wait. */
  run<T>(concern: Concern, write: () => Promise<T>): Promise<T> {
    const before = this.#before(concern);
    const begin = (): Promise<T> => this.#begin(write);
    const done = before.length === 0 ? begin() : Promise.allSettled(before).then(begin);
    this.#open.add(done);
    const forget = (): void => this.#forget(concern, done);
    if (concern === "everything") {
      this.#lastOfAll = done;
    } else {
      for (const key of concern) {
        this.#lastOf.set(key, done);
      }
    }
    done.then(forget, forget);
    return done;
  }

  /** What a reader of these keys has to wait for; undefined: nothing. */
  pending(keys: readonly string[]): Promise<unknown> | undefined {
    const before = this.#before(keys);
    return before.length === 0 ? undefined : Promise.allSettled(before);
  }

  /** Settles when all that was asked for has. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#open);
  }

  async #begin<T>(write: () => Promise<T>): Promise<T> {
    if (this.#running >= PARALLEL_MAX) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running++;
    try {
      return await write();
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }

  #before(concern: Concern): Promise<unknown>[] {
    if (concern === "everything") {
      return [...this.#open];
    }
    const before = new Set<Promise<unknown>>();
    for (const key of concern) {
      const last = this.#lastOf.get(key) ?? this.#lastOfAll;
      if (last !== undefined) {
        before.add(last);
      }
    }
    return [...before];
  }

  #forget(concern: Concern, done: Promise<unknown>): void {
    this.#open.delete(done);
    if (concern === "everything") {
      if (this.#lastOfAll === done) {
        this.#lastOfAll = undefined;
      }
      return;
    }
    for (const key of concern) {
      if (this.#lastOf.get(key) === done) {
        this.#lastOf.delete(key);
      }
    }
  }
}
