/**
 * Time as write-behind uses it, so that tests can bring their own. Timers do not keep the process alive, unless
 * {@link Timers.holdProcess} says that what they are for must still be done.
 */

/** The source of time; what tests replace. */
export interface WriteClock {
  /** Calls back after so many milliseconds. */
  setTimeout(callback: () => void, ms: number): unknown;
  /** Takes back what {@link setTimeout} gave. */
  clearTimeout(handle: never): void;
}

/** The process's own timers. */
export const systemClock: WriteClock = { setTimeout, clearTimeout };

interface Holdable {
  ref?(): unknown;
  unref?(): unknown;
}

/** A timer that may be cancelled. */
export interface Timer {
  cancel(): void;
}

/** The timers of one user, all of which hold the process or none. */
export class Timers {
  readonly #clock: WriteClock;
  readonly #active = new Set<Holdable>();
  #isHolding = false;

  constructor(clock: WriteClock) {
    this.#clock = clock;
  }

  /** Calls back once after so many milliseconds. */
  after(ms: number, callback: () => void): Timer {
    const handle = this.#clock.setTimeout(() => {
      this.#active.delete(handle);
      callback();
    }, ms) as Holdable;
    this.#active.add(handle);
    if (!this.#isHolding) {
      handle.unref?.();
    }
    return {
      cancel: () => {
        this.#active.delete(handle);
        this.#clock.clearTimeout(handle as never);
      },
    };
  }

  /** From now on timers keep the process alive, or do so no longer. */
  holdProcess(isHolding: boolean): void {
    this.#isHolding = isHolding;
    for (const handle of this.#active) {
      if (isHolding) {
        handle.ref?.();
      } else {
        handle.unref?.();
      }
    }
  }
}
