/** The only source of time for the tier, so that tests can stand in for it. */

export interface Clock {
  /** Milliseconds since some point in the past; never goes back. */
  now(): number;
  /** Calls back after so many milliseconds. The timer keeps no process alive. */
  setTimer(callback: () => void, ms: number): Timer;
}

export interface Timer {
  cancel(): void;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  setTimer: (callback, ms) => {
    const timer = setTimeout(callback, ms).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
