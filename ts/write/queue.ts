/**
 * The writes that wait to be delivered: one per key, the newest, in the order in which the keys were first written.
 *
 * Invariants. A key is in at most one place of each kind: among those accepted and not yet under way, in the batch under
 * way, among those waiting for room. Accepted and under way are together at most `max`. Sequence numbers rise in the order
 * of writing, and a key that is written again keeps its number and so its place.
 */

import type { SetOptions } from "../options.js";
import type { Duration } from "../units.js";

/** One key's write. */
export interface Entry<T> {
  readonly key: string;
  value: T;
  /** What the cache is given beside key and value. */
  options: SetOptions | Duration | undefined;
  readonly sequence: number;
}

/** A write for which there is no room yet. */
export interface Waiter<T> extends Entry<T> {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(reason: unknown): void;
}

/** See the head of this file. */
export class Queue<T> {
  readonly accepted = new Map<string, Entry<T>>();
  readonly underWay = new Map<string, Entry<T>>();
  readonly waiting = new Map<string, Waiter<T>>();
  readonly #max: number;
  #sequence = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** How many keys are not delivered yet, those without room included. */
  get size(): number {
    return this.accepted.size + this.underWay.size + this.waiting.size;
  }

  /** Whether a new key may be accepted. */
  get hasRoom(): boolean {
    return this.accepted.size + this.underWay.size < this.#max;
  }

  /** The number of the newest write. */
  get newest(): number {
    return this.#sequence;
  }

  /** The number of the oldest write that is not delivered; Infinity if there is none. */
  get oldest(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const map of [this.accepted, this.underWay, this.waiting]) {
      for (const { sequence } of map.values()) {
        oldest = Math.min(oldest, sequence);
        break;
      }
    }
    return oldest;
  }

  /** The number of a new write. */
  next(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  /** Puts up to `count` of the oldest accepted writes under way. */
  take(count: number): Entry<T>[] {
    for (const entry of this.accepted.values()) {
      if (this.underWay.size === count) {
        break;
      }
      this.underWay.set(entry.key, entry);
    }
    for (const key of this.underWay.keys()) {
      this.accepted.delete(key);
    }
    return [...this.underWay.values()];
  }

  /** Replaces what is under way by what was written since, and tells how many there were. */
  absorbNewer(): number {
    let count = 0;
    for (const entry of this.underWay.values()) {
      const newer = this.accepted.get(entry.key);
      if (newer !== undefined) {
        entry.value = newer.value;
        entry.options = newer.options;
        this.accepted.delete(entry.key);
        count++;
      }
    }
    return count;
  }
}
