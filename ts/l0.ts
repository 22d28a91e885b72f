/**
 * L0: this thread's decoded values, coherent with the shared store.
 *
 * How it stays coherent. The engine owns one line of memory (`signal`), mapped into every thread: word 0 counts changes
 * of entries that some L0 holds, word 1 is a coarse clock. A hit needs word 0 to be what this thread has `seen` and
 * word 1 to lie before `due`, the earliest expiry held; otherwise `catchUp` drains the change log and drops what expired
 * first. Both are plain loads: other threads' writes show at once, which tests prove for every supported Node.
 *
 * Invariants: a value enters only if the store said it is watched (its next change will be logged) and no drain lies
 * between reading and entering; a key is in `young` or in `old`, never in both; together they hold at most `max` keys;
 * every key that expires has its tick in the heap of its generation, or an earlier one.
 *
 * Two generations instead of a list: nothing is written on a hit but a counter. Every second (or when full) `young`
 * becomes `old`; a key found in `old` is read from the store once more, which tells the store that it is still hot, and
 * moves back to `young`. What nobody reads is gone after two turns, so L0 does not pin what the service has left behind.
 * Nor does it hide from the store what is hot: when eviction wants to know whether a key is still read, it names it in
 * the change log, and the next reads go to the store.
 */
import { Header, type NativeCache } from "./native.js";

/** How often the generations turn, in milliseconds. */
const TURN_MS = 1000;
/** Where entries change, so many hits are reported at once: the store's eviction takes them into account. */
const REPORTED_HITS = 1024;
/** "Never" in the store's expiry ticks. */
const NEVER = -1;

/** The farthest that a tick may lie ahead: ticks compare by difference, in 32 bits. */
const TICKS_MAX = 2 ** 30;

/** Word indices of the signal line. */
const CHANGES = 0;
const NOW = 1;

/** Keys by expiry, earliest first: a binary heap over two arrays. Ticks wrap around, so they compare by difference. */
class ExpiryHeap {
  readonly #ticks: number[] = [];
  readonly #keys: string[] = [];

  get length(): number {
    return this.#ticks.length;
  }

  /** The earliest tick; only if there is one. */
  get first(): number {
    return this.#ticks[0] as number;
  }

  push(tick: number, key: string): void {
    const ticks = this.#ticks;
    const keys = this.#keys;
    let at = ticks.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (((tick - (ticks[parent] as number)) | 0) >= 0) {
        break;
      }
      ticks[at] = ticks[parent] as number;
      keys[at] = keys[parent] as string;
      at = parent;
    }
    ticks[at] = tick;
    keys[at] = key;
  }

  /** Removes the earliest and returns its key. */
  pop(): string {
    const ticks = this.#ticks;
    const keys = this.#keys;
    const first = keys[0] as string;
    const tick = ticks.pop() as number;
    const key = keys.pop() as string;
    const length = ticks.length;
    let at = 0;
    for (let child = 1; child < length; child = 2 * at + 1) {
      const right = child + 1;
      if (right < length && (((ticks[right] as number) - (ticks[child] as number)) | 0) < 0) {
        child = right;
      }
      if (((tick - (ticks[child] as number)) | 0) <= 0) {
        break;
      }
      ticks[at] = ticks[child] as number;
      keys[at] = keys[child] as string;
      at = child;
    }
    if (length > 0) {
      ticks[at] = tick;
      keys[at] = key;
    }
    return first;
  }
}

/** One thread's decoded values. The fields up to `hits` are read by `get` in cache.ts, the path of a hit. */
export class L0 {
  /** The engine's signal line; when L0 is off, a line of our own that never matches `seen`. */
  readonly signal: Int32Array;
  /** Word 0 of the signal as of the last drain. */
  seen: number;
  /** The tick at which something must be done: the earliest expiry held, or the next turn. */
  due = 0;
  /** Values by key; read since the last turn. */
  young = new Map<string, unknown>();
  /** Hits so far. */
  hits = 0;

  /** Values by key, not read since the last turn. */
  old = new Map<string, unknown>();
  /** Whether it may hold anything at all. */
  readonly isOn: boolean;
  /** Told at each turn which keys were read since the last one. */
  turned: ((keys: Iterable<string>) => void) | undefined = undefined;
  /** Counts drains: a value that was read before a drain must not enter after it. */
  drains = 0;

  readonly #native: NativeCache | undefined;
  readonly #max: number;
  readonly #turnTicks: number;
  #oldKeys: Iterator<string> = this.old.keys();
  #youngExpiry = new ExpiryHeap();
  #oldExpiry = new ExpiryHeap();
  #turnAt = 0;
  #reported = 0;

  /** `native` undefined: off, and every look-up goes to the store. */
  constructor(native: NativeCache | undefined, signal: ArrayBuffer | null, max: number, tickMs: number) {
    this.#native = signal === null ? undefined : native;
    this.isOn = this.#native !== undefined;
    this.#max = max;
    this.#turnTicks = Math.ceil(TURN_MS / tickMs);
    if (signal === null || native === undefined) {
      this.signal = new Int32Array(2);
      this.seen = 1;
      return;
    }
    this.signal = new Int32Array(signal, 0, 2);
    this.seen = this.signal[CHANGES] as number;
    this.#turn(this.signal[NOW] as number);
    this.#schedule();
  }

  /** An L0 that holds nothing. */
  static off(): L0 {
    return new L0(undefined, null, 0, 1);
  }

  /** How many values it holds. */
  get size(): number {
    return this.young.size + this.old.size;
  }

  /** Drops what changed or expired, after which what is left is current. False: there was nothing to do. */
  catchUp(header: Int32Array): boolean {
    const hasChanged = this.signal[CHANGES] !== this.seen;
    if (hasChanged && this.#native !== undefined) {
      this.#drain(this.#native, header);
      if (this.hits - this.#reported >= REPORTED_HITS) {
        this.reportHits();
      }
    }
    const now = this.signal[NOW] as number;
    const isDue = ((now - this.due) | 0) >= 0;
    if (isDue) {
      this.#expire(now);
    }
    return hasChanged || isDue;
  }

  /** Takes a value that the store watches, until `expiry` (a tick, or -1 for never). */
  put(key: string, value: unknown, expiry: number): void {
    if (!this.old.delete(key) && this.size >= this.#max && !this.young.has(key)) {
      this.#evict();
    }
    this.young.set(key, value);
    if (expiry !== NEVER) {
      this.#youngExpiry.push(expiry, key);
      if (((expiry - this.due) | 0) < 0) {
        this.due = expiry;
      }
      // A key that changes and is read again leaves its old tick behind; a turn clears them away.
      if (this.#youngExpiry.length > 2 * this.#max + 64) {
        this.#turn(this.signal[NOW] as number);
        this.#schedule();
      }
    }
  }

  /** The tick so many from now; for {@link put}. */
  tickAfter(ticks: number): number {
    return ((this.signal[NOW] as number) + Math.min(ticks, TICKS_MAX)) | 0;
  }

  /** Adds the hits since the last time to the store's statistics, where all threads' are counted. */
  reportHits(): void {
    if (this.#native !== undefined && this.hits > this.#reported) {
      this.#native.addHits(this.hits - this.#reported);
      this.#reported = this.hits;
    }
  }

  /** Drops everything. */
  clear(): void {
    this.young = new Map();
    this.#youngExpiry = new ExpiryHeap();
    this.#turn(this.signal[NOW] as number);
    this.#schedule();
  }

  #drain(native: NativeCache, header: Int32Array): void {
    const changed = native.drainChanges();
    this.seen = header[Header.head] as number;
    this.drains++;
    if (changed === null) {
      this.clear();
      return;
    }
    for (const key of changed) {
      if (!this.young.delete(key)) {
        this.old.delete(key);
      }
    }
  }

  #expire(now: number): void {
    for (const [heap, values] of [
      [this.#youngExpiry, this.young],
      [this.#oldExpiry, this.old],
    ] as const) {
      while (heap.length > 0 && ((now - heap.first) | 0) >= 0) {
        values.delete(heap.pop());
      }
    }
    if (((now - this.#turnAt) | 0) >= 0) {
      this.reportHits();
      this.#turn(now);
    }
    this.#schedule();
  }

  #turn(now: number): void {
    this.turned?.(this.young.keys());
    this.old = this.young;
    this.#oldKeys = this.old.keys();
    this.#oldExpiry = this.#youngExpiry;
    this.young = new Map();
    this.#youngExpiry = new ExpiryHeap();
    this.#turnAt = (now + this.#turnTicks) | 0;
  }

  #schedule(): void {
    let due = this.#turnAt;
    for (const heap of [this.#youngExpiry, this.#oldExpiry]) {
      if (heap.length > 0 && ((heap.first - due) | 0) < 0) {
        due = heap.first;
      }
    }
    this.due = due;
  }

  /** Makes room for one key: the one that has been in `old` the longest. */
  #evict(): void {
    if (this.old.size === 0) {
      this.#turn(this.signal[NOW] as number);
      this.#schedule();
    }
    const oldest = this.#oldKeys.next();
    if (!oldest.done) {
      this.old.delete(oldest.value);
    }
  }
}
