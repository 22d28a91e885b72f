/**
 * Requests that miss the same response at the same time: the first makes it, the others wait until it is kept, and no
 * longer than a while. If it is not kept after all, each of them makes its own; and for some seconds nobody waits for
 * the like of it, so that what can't be kept does not take twice its time.
 */

/** How long a response that was not kept is not waited for, in milliseconds, and how many are remembered. */
const UNKEPT_MS = 10_000;
const UNKEPT_MAX = 1_000;

export class Turns {
  readonly #waitMs: number;
  readonly #now: () => number;
  /** What is being made, with those who wait for it. */
  readonly #making = new Map<string, Set<() => void>>();
  /** What was not kept, and until when that is remembered; the oldest first. */
  readonly #unkept = new Map<string, number>();

  /** `waitMs` 0: nobody waits. */
  constructor(waitMs: number, now: () => number) {
    this.#waitMs = waitMs;
    this.#now = now;
  }

  /** Whether another request is making this response: then `then` is called when it is done, or after a while. */
  wait(slot: string, then: () => void): boolean {
    const waiting = this.#making.get(slot);
    if (waiting === undefined) {
      return false;
    }
    const go = (): void => {
      clearTimeout(timer);
      waiting.delete(go);
      then();
    };
    const timer = setTimeout(go, this.#waitMs);
    timer.unref();
    waiting.add(go);
    return true;
  }

  /** The caller makes this response. It says when it is done, and whether it was kept; the first word counts. */
  begin(slot: string): (isKept: boolean) => void {
    if (this.#waitMs === 0 || this.#making.has(slot) || this.#isUnkept(slot)) {
      return () => undefined;
    }
    const waiting = new Set<() => void>();
    this.#making.set(slot, waiting);
    return (isKept) => {
      if (this.#making.get(slot) !== waiting) {
        return;
      }
      this.#making.delete(slot);
      if (!isKept) {
        this.#remember(slot);
      }
      for (const go of [...waiting]) {
        go();
      }
    };
  }

  #isUnkept(slot: string): boolean {
    const until = this.#unkept.get(slot);
    return until !== undefined && this.#now() < until;
  }

  #remember(slot: string): void {
    this.#unkept.delete(slot);
    this.#unkept.set(slot, this.#now() + UNKEPT_MS);
    const [oldest] = this.#unkept.keys();
    if (this.#unkept.size > UNKEPT_MAX && oldest !== undefined) {
      this.#unkept.delete(oldest);
    }
  }
}
