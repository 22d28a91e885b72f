/**
 * Deadlines of one length. As they pass in the order in which they began, one timer serves them all, however many commands
 * are under way.
 *
 * A thread that was busy finds its timers due before it has looked at its sockets, where the replies may be waiting. So a
 * deadline that is due lets the sockets speak once before it passes; else every long pause of the process would look
 * like an outage of Redis.
 */
import type { Clock } from "./clock.js";

/** What {@link Deadline.race} rejects with. */
export class DeadlinePassed extends Error {
  readonly ms: number;

  constructor(ms: number) {
    super(`no answer within ${ms} ms`);
    this.ms = ms;
  }
}

/** One deadline. */
export class Deadline {
  readonly at: number;
  readonly #ms: number;
  #isOver = false;
  #isPassed = false;
  #onEnd: (() => void)[] = [];

  constructor(at: number, ms: number) {
    this.at = at;
    this.#ms = ms;
  }

  /** Nobody waits for it any more: it has passed, or what it was for is done. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** It was over before what it was for was done. */
  get isPassed(): boolean {
    return this.#isPassed;
  }

  /** As `promise`, unless the deadline passes first; what `promise` does then is lost. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.onEnd(() => {
        if (this.#isPassed) {
          reject(new DeadlinePassed(this.#ms));
        }
      });
      promise.then(resolve, reject);
    });
  }

  /** Calls back when it is over, one way or the other. */
  onEnd(callback: () => void): void {
    if (this.#isOver) {
      callback();
    } else {
      this.#onEnd.push(callback);
    }
  }

  /** Throws if it has passed: what comes next is not worth beginning. */
  check(): void {
    if (this.#isPassed) {
      throw new DeadlinePassed(this.#ms);
    }
  }

  /** What it was for is done. */
  end(): void {
    this.#isOver = true;
    const callbacks = this.#onEnd;
    this.#onEnd = [];
    for (const callback of callbacks) {
      callback();
    }
  }

  /** Its time has come. */
  pass(): void {
    if (!this.#isOver) {
      this.#isPassed = true;
      this.end();
    }
  }
}

/** All deadlines of one tier. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #ms: number;
  /** In the order in which they pass. */
  #queue: Deadline[] = [];
  #isArmed = false;

  constructor(clock: Clock, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
  }

  start(): Deadline {
    const deadline = new Deadline(this.#clock.now() + this.#ms, this.#ms);
    this.#queue.push(deadline);
    this.#arm();
    return deadline;
  }

  #arm(): void {
    const first = this.#queue[0];
    if (!this.#isArmed && first !== undefined) {
      this.#isArmed = true;
      this.#clock.setTimer(
        () => setImmediate(() => this.#passDue()),
        Math.max(0, Math.ceil(first.at - this.#clock.now())),
      );
    }
  }

  #passDue(): void {
    this.#isArmed = false;
    const now = this.#clock.now();
    const due = this.#queue.filter((deadline) => !deadline.isOver && deadline.at <= now);
    this.#queue = this.#queue.filter((deadline) => !deadline.isOver && deadline.at > now);
    this.#arm();
    for (const deadline of due) {
      deadline.pass();
    }
  }
}
