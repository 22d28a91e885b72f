/**
 * A circuit breaker: after several failures in a row the other side is left alone for a while, so that nobody waits for
 * what will not come.
 *
 * - *closed*: everything is tried. `failures` failures within `windowMs`, with no success between them, open it.
 * - *open*: nothing is tried for `probeAfterMs`.
 * - *half-open*: one probe is under way, and nothing else is tried. Its outcome closes the breaker or opens it anew.
 *
 * It knows neither timers nor the other side: whoever uses it asks, tells the outcome, and makes the probe. Outcomes of
 * what was begun before the breaker opened don't count.
 */
import type { BreakerState } from "../tier.js";

/** When a breaker opens, and when it is tried again. */
export interface BreakerSettings {
  /** How many failures in a row open it. */
  readonly failures: number;
  /** How near to each other they must be, in milliseconds. */
  readonly windowMs: number;
  /** How long it stays open before a probe, in milliseconds. */
  readonly probeAfterMs: number;
}

export class Breaker {
  readonly #settings: BreakerSettings;
  readonly #now: () => number;
  readonly #onChange: (from: BreakerState, to: BreakerState) => void;
  #state: BreakerState = "closed";
  /** When the last failures in a row were; never more than `failures`. */
  #failedAt: number[] = [];
  #openedAt = 0;

  /** `now` is in milliseconds and never goes back. */
  constructor(settings: BreakerSettings, now: () => number, onChange: (from: BreakerState, to: BreakerState) => void) {
    this.#settings = settings;
    this.#now = now;
    this.#onChange = onChange;
  }

  get state(): BreakerState {
    return this.#state;
  }

  /** Whether something may be tried. */
  get isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Whether the caller has to make the probe now; it must tell the outcome by {@link probed}. */
  beginProbe(): boolean {
    if (this.#state !== "open" || this.#now() - this.#openedAt < this.#settings.probeAfterMs) {
      return false;
    }
    this.#change("half-open");
    return true;
  }

  /** There is reason to believe that the other side is back: the next probe need not wait. */
  expectRecovery(): void {
    this.#openedAt = Number.NEGATIVE_INFINITY;
  }

  /** The outcome of the probe. */
  probed(isGood: boolean): void {
    if (this.#state !== "half-open") {
      return;
    }
    if (isGood) {
      this.#failedAt = [];
      this.#change("closed");
    } else {
      this.#open();
    }
  }

  /** Something that was tried has worked. */
  succeeded(): void {
    if (this.#state === "closed" && this.#failedAt.length > 0) {
      this.#failedAt = [];
    }
  }

  /** Something that was tried has failed. */
  failed(): void {
    if (this.#state !== "closed") {
      return;
    }
    const { failures, windowMs } = this.#settings;
    const now = this.#now();
    this.#failedAt.push(now);
    if (this.#failedAt.length > failures) {
      this.#failedAt.shift();
    }
    if (this.#failedAt.length === failures && now - (this.#failedAt[0] as number) <= windowMs) {
      this.#open();
    }
  }

  #open(): void {
    this.#openedAt = this.#now();
    this.#failedAt = [];
    this.#change("open");
  }

  #change(to: BreakerState): void {
    const from = this.#state;
    this.#state = to;
    this.#onChange(from, to);
  }
}
