/**
 * The clock of everything that TypeScript decides by time: milliseconds that never go back, the same for all threads of
 * the process. The store's own expiry has the engine's clock; the two need not agree.
 */

/** Where time comes from. Tests bring their own. */
export interface Clock {
  /** Milliseconds since some point in the past, the same point for all threads of the process. */
  now(): number;
}

const [seconds, nanoseconds] = process.hrtime();
/** `performance.now()` counts from the start of its thread, `hrtime` from the start of the machine. */
const OFFSET = seconds * 1e3 + nanoseconds / 1e6 - performance.now();

/** The process's monotonic clock. */
export const monotonicClock: Clock = { now: () => performance.now() + OFFSET };
