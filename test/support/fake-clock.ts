// Time that passes when a test says so.
import type { Clock, Timer } from "../../ts/redis/clock.js";

interface Due {
  readonly at: number;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  #now = 1_000_000;
  readonly #timers = new Set<Due>();

  readonly now = (): number => this.#now;

  setTimer(callback: () => void, ms: number): Timer {
    const due = { at: this.#now + ms, callback };
    this.#timers.add(due);
    return { cancel: () => this.#timers.delete(due) };
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Lets so many milliseconds pass, and calls back whom that concerns, in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = end;
  }
}

/** Lets everything run that waits for nothing but its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}
