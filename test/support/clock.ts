// A clock that stands until a test moves it.

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** Time for whoever takes `setTimeout` and `clearTimeout` from an object. */
export class ManualClock {
  now = 0;
  readonly #timers = new Set<Timer>();

  readonly setTimeout = (callback: () => void, ms: number): Timer => {
    const timer = { at: this.now + ms, callback };
    this.#timers.add(timer);
    return timer;
  };

  readonly clearTimeout = (timer: Timer): void => {
    this.#timers.delete(timer);
  };

  /** How long until the next timer is due; undefined if there is none. */
  get next(): number | undefined {
    const due = [...this.#timers].map(({ at }) => at - this.now);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /** Moves on, and lets everything happen that is due, and what follows from it. */
  async advance(ms: number): Promise<void> {
    const end = this.now + ms;
    await settle();
    for (;;) {
      const [first] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (first === undefined) {
        break;
      }
      this.now = first.at;
      this.#timers.delete(first);
      first.callback();
      await settle();
    }
    this.now = end;
  }
}

/** Lets all promises go on that can. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
