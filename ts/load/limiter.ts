/** A bound on how many loads run at once, so that a cold cache does not flatten the origin. */
import { LoadsFullError, show } from "../errors.js";

/** What happens to loads beyond the bound. */
export interface LoadLimit {
  /** How many loads of this thread may run at once. */
  readonly running: number;
  /** How many more may wait for their turn, first come, first served; 0: none, they are refused at once. */
  readonly waiting: number;
}

/** Counts running loads and lets the others wait. */
export class Limiter {
  readonly #limit: LoadLimit;
  readonly #queue = new Set<() => void>();
  #running = 0;

  constructor(limit: LoadLimit) {
    this.#limit = limit;
  }

  /**
   * Calls `start` now or when it is its turn. Throws {@link LoadsFullError} when too many wait. Returns how to leave the
   * queue, if it had to wait.
   */
  enter(key: string, start: () => void): (() => void) | undefined {
    if (this.#running < this.#limit.running) {
      this.#running++;
      start();
      return undefined;
    }
    if (this.#queue.size >= this.#limit.waiting) {
      const { running, waiting } = this.#limit;
      const message = `Key ${show(key)} was not loaded: ${running} loads are running and ${waiting} wait already. Try later, or raise maxConcurrentLoads.`;
      throw new LoadsFullError("ERR_LOADS_FULL", message, { key, max: running });
    }
    this.#queue.add(start);
    return () => this.#queue.delete(start);
  }

  /** One load has ended. */
  leave(): void {
    const [next] = this.#queue;
    if (next === undefined) {
      this.#running--;
      return;
    }
    this.#queue.delete(next);
    next();
  }
}
