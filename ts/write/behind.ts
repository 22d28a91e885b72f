/**
 * Write-behind: the cache at once, the origin soon after, in batches.
 *
 * One batch is under way at a time, and a batch holds a key once: so the origin gets the values of a key in the order in
 * which they were written, the ones in between left out. A write leaves the queue in one of two ways only: the origin has
 * taken it, or it was handed to `onWriteFailed`. A write that has not been accepted yet (its promise is still pending) is
 * rejected instead.
 *
 * queue.ts keeps the order, exit.ts knows when the process ends, timers.ts is all there is of time.
 */
import type { Cache } from "../api.js";
import { asRecord, countOption, fail, functionOption, msOption } from "../checks.js";
import { CacheClosedError, NoRoomError, show, ValueTooLargeError, WriteFailedError } from "../errors.js";
import { checkTtl, type SetOptions } from "../options.js";
import type { Duration } from "../units.js";
import { expectExit, forgetExit, type Pending } from "./exit.js";
import { type Entry, Queue, type Waiter } from "./queue.js";
import { systemClock, type Timer, Timers, type WriteClock } from "./timers.js";

/** A write on its way to the origin. */
export interface WriteItem<T> {
  /** The key as in the cache that the `WriteBehind` was made with. */
  readonly key: string;
  /** The newest value of the key, as it was handed to `write`. */
  readonly value: T;
}

/** What an origin is given beside the items. */
export interface WriteBatchContext {
  /** Aborts when the attempt has taken `timeout`, or when the deadline of `close` has passed. */
  readonly signal: AbortSignal;
  /** 1 for the first attempt to deliver these items. */
  readonly attempt: number;
}

/** Options of {@link WriteBehind}. */
export interface WriteBehindOptions<T> {
  /**
   * Writes a batch to the origin, and returns (or resolves) when it has committed. Items of different keys, in the order
   * in which they were written. What it throws makes the batch be delivered again, so it must be safe to write the same
   * items twice (an upsert is, an insert is not).
   */
  readonly to: (items: readonly WriteItem<T>[], context: WriteBatchContext) => unknown;
  /**
   * Called with what could not be delivered, for good: log it, or keep it elsewhere. At the end of the process it is called
   * synchronously and nothing asynchronous is waited for. What it throws becomes a process warning.
   */
  readonly onWriteFailed: (items: readonly WriteItem<T>[], error: unknown) => unknown;
  /** How many keys may wait for the origin. When so many do, `write` waits. Default 1,000; from 1 to 1,000,000. */
  readonly maxPending?: number | undefined;
  /** How many items a batch has at most. Default 100; from 1 to 10,000. */
  readonly batchSize?: number | undefined;
  /** How long a write waits for others, unless a batch is full before. Default 50 ms; up to one hour. */
  readonly delay?: Duration | undefined;
  /** How often a batch that failed is tried again. Default 7; from 0 to 1,000. */
  readonly retries?: number | undefined;
  /** The wait before the first retry; it doubles each time, and half of it is left to chance. Default 100 ms; from 1 ms to a day. */
  readonly minBackoff?: Duration | undefined;
  /** The longest wait between two retries. Default 10 s; from `minBackoff` to a day. */
  readonly maxBackoff?: Duration | undefined;
  /** How long an attempt may take. Default 10 s; from 1 ms to a day. */
  readonly timeout?: Duration | undefined;
  /**
   * How long `close`, or the end of the process, waits for the origin before it hands over what is left. Default 10 s; up to
   * a day.
   */
  readonly closeTimeout?: Duration | undefined;
  /** The source of time, for tests. */
  readonly clock?: WriteClock | undefined;
  /** Numbers from 0 to less than 1 for the chance in back-off, for tests. Default `Math.random`. */
  readonly random?: (() => number) | undefined;
}

/** Counters of a {@link WriteBehind}, since it was made. */
export interface WriteBehindStats {
  /** Keys that wait for the origin or are on their way to it. */
  readonly pending: number;
  /** Calls of `write` that wait for room, by key. */
  readonly waiting: number;
  /** Items that the origin took. */
  readonly delivered: number;
  /** Writes that a newer one of the same key made superfluous. */
  readonly coalesced: number;
  /** Attempts that failed and were followed by another. */
  readonly retries: number;
  /** Items that were handed to `onWriteFailed`. */
  readonly failed: number;
}

const DAY_MS = 86_400_000;
const NAMES = [
  ...["to", "onWriteFailed", "maxPending", "batchSize", "delay", "retries", "minBackoff", "maxBackoff"],
  ...["timeout", "closeTimeout", "clock", "random"],
];

/** Marks what a {@link WriteBehind} is, whichever copy of the package it comes from. */
const BRAND: unique symbol = Symbol.for("nearcache.write-behind");

function isWriteBehind(this: unknown, value: unknown): boolean {
  const isOurs = typeof value === "object" && value !== null && BRAND in value;
  // Not every one is an instance of somebody's subclass.
  return this === WriteBehind ? isOurs : isOurs && Function.prototype[Symbol.hasInstance].call(this, value);
}

/**
 * Writes into a cache at once and to the origin behind it, in batches.
 *
 * What is lost when the process is killed is what the origin has not got: at most `maxPending` keys. Use
 * {@link writeThrough} for what must not be lost.
 *
 * Its timers don't keep the process alive. When the process has nothing else to do, it delivers what waits before it ends;
 * at `process.exit()` and after an uncaught exception, what waits is handed to `onWriteFailed`.
 *
 * @example
 * ```ts
 * const counters = new WriteBehind(cache, {
 *   to: (items) => db.upsertCounters(items),
 *   onWriteFailed: (items, error) => log.error({ items, error }, "counters were not written"),
 * });
 * await counters.write("page:7", 1_204); // waits only when 1,000 keys wait for the database
 * await counters.close();
 * ```
 */
export class WriteBehind<T> {
  /** True for those of any copy of the package, and of its other module system. */
  static readonly [Symbol.hasInstance] = isWriteBehind;
  /** @internal */
  readonly [BRAND] = true;
  readonly #cache: Cache<T>;
  readonly #to: WriteBehindOptions<T>["to"];
  readonly #onWriteFailed: WriteBehindOptions<T>["onWriteFailed"];
  readonly #batchSize: number;
  readonly #delayMs: number;
  readonly #retries: number;
  readonly #backoffMs: { readonly min: number; readonly max: number };
  readonly #timeoutMs: number;
  readonly #closeTimeoutMs: number;
  readonly #random: () => number;
  readonly #timers: Timers;
  readonly #queue: Queue<T>;
  readonly #counts = { delivered: 0, coalesced: 0, retries: 0, failed: 0 };
  readonly #flushes = new Set<{ readonly upTo: number; done(): void }>();
  readonly #exit: Pending = { drain: () => this.#drain(), abandon: () => this.#giveUp("the process ended") };
  /** Ends attempts and waits when there is no time left. */
  #stop = new AbortController();
  #gathering: Timer | undefined;
  #isRunning = false;
  #closing: Promise<void> | undefined;

  /** @throws {@link InvalidOptionError} */
  constructor(cache: Cache<T>, options: WriteBehindOptions<T>) {
    asRecord("options", options, NAMES);
    this.#to = functionOption("to", options?.to) ?? fail("to", undefined, "a function that writes items");
    this.#onWriteFailed =
      functionOption("onWriteFailed", options.onWriteFailed) ??
      fail("onWriteFailed", undefined, "a function that takes what could not be delivered");
    this.#cache = cache;
    this.#queue = new Queue(countOption("maxPending", options.maxPending, 1, 1_000_000, 1_000));
    this.#batchSize = countOption("batchSize", options.batchSize, 1, 10_000, 100);
    this.#delayMs = msOption("delay", options.delay, 0, 3_600_000, 50);
    this.#retries = countOption("retries", options.retries, 0, 1_000, 7);
    const min = msOption("minBackoff", options.minBackoff, 1, DAY_MS, 100);
    this.#backoffMs = { min, max: msOption("maxBackoff", options.maxBackoff, min, DAY_MS, Math.max(min, 10_000)) };
    this.#timeoutMs = msOption("timeout", options.timeout, 1, DAY_MS, 10_000);
    this.#closeTimeoutMs = msOption("closeTimeout", options.closeTimeout, 0, DAY_MS, 10_000);
    this.#random = functionOption("random", options.random) ?? Math.random;
    this.#timers = new Timers(options.clock ?? systemClock);
  }

  /** The cache that it writes into. */
  get cache(): Cache<T> {
    return this.#cache;
  }

  /**
   * Writes a value into the cache, and in a while to the origin. Resolves when it is accepted: the cache has it, and it will
   * reach either the origin or `onWriteFailed`. Waits for room when `maxPending` keys wait; a key that waits already needs
   * none. Don't change the value afterwards: the origin gets the object itself.
   *
   * Rejects with what {@link Cache.set} throws (a value too large for the cache is accepted and not cached), and with
   * {@link CacheClosedError} after `close`. Nothing is written then.
   */
  write(key: string, value: T, options?: SetOptions | Duration): Promise<void> {
    try {
      this.#checkOpen();
      const ttl = typeof options === "object" ? options.ttl : options;
      if (ttl !== undefined) {
        checkTtl(ttl, Number.POSITIVE_INFINITY);
      }
      this.#cache.has(key);
      const waiting = this.#queue.waiting.get(key);
      if (waiting !== undefined) {
        this.#replace(waiting, value, options);
        return waiting.promise;
      }
      const isKnown = this.#queue.accepted.has(key);
      if (!isKnown && (!this.#queue.hasRoom || this.#queue.waiting.size > 0)) {
        return this.#waitForRoom(key, value, options);
      }
      this.#accept({ key, value, options, sequence: this.#queue.next() });
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * The newest value of a key that the origin does not have yet, or `undefined`. A loader asks here first: an entry may be
   * evicted while its value is still on the way, and the origin would give back the old one.
   * @example `cache.getOrLoad(id, (key) => counters.pending(key) ?? db.findCounter(key))`
   */
  pending(key: string): T | undefined {
    const { waiting, accepted, underWay } = this.#queue;
    return (waiting.get(key) ?? accepted.get(key) ?? underWay.get(key))?.value;
  }

  /** Delivers without delay. Resolves when all that was written before is delivered or handed to `onWriteFailed`. */
  flush(): Promise<void> {
    if (this.#queue.size === 0) {
      return Promise.resolve();
    }
    const upTo = this.#queue.newest;
    const flushed = new Promise<void>((done) => this.#flushes.add({ upTo, done }));
    this.#run();
    return flushed;
  }

  /**
   * Takes no more writes, delivers those that wait, and after `timeout` hands what is left to `onWriteFailed`. Resolves when
   * nothing waits any more. The cache stays open.
   * @param options How long it may take instead of `closeTimeout`.
   */
  close(options: { readonly timeout?: Duration | undefined } = {}): Promise<void> {
    const timeoutMs = msOption(
      "timeout",
      asRecord("options", options, ["timeout"]).timeout,
      0,
      DAY_MS,
      this.#closeTimeoutMs,
    );
    this.#closing ??= this.#flushUntil(timeoutMs, "the deadline of close has passed");
    return this.#closing;
  }

  /** The same as {@link close}: `await using counters = new WriteBehind(…)`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Counters, and how much waits now. */
  stats(): WriteBehindStats {
    const { accepted, underWay, waiting } = this.#queue;
    return { pending: accepted.size + underWay.size, waiting: waiting.size, ...this.#counts };
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) {
      throw new CacheClosedError("ERR_CACHE_CLOSED", "The write-behind was used after it was closed.");
    }
  }

  #replace(entry: Entry<T>, value: T, options: SetOptions | Duration | undefined): void {
    entry.value = value;
    entry.options = options;
    this.#counts.coalesced++;
  }

  #waitForRoom(key: string, value: T, options: SetOptions | Duration | undefined): Promise<void> {
    let settle!: Pick<Waiter<T>, "resolve" | "reject">;
    const promise = new Promise<void>((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.#queue.waiting.set(key, { key, value, options, sequence: this.#queue.next(), promise, ...settle });
    return promise;
  }

  /** Takes a write over. Throws, and takes nothing over, if the value can't be cached. */
  #accept(entry: Entry<T>): void {
    this.#cacheValue(entry);
    const known = this.#queue.accepted.get(entry.key);
    if (known !== undefined) {
      this.#replace(known, entry.value, entry.options);
      return;
    }
    if (this.#queue.size === 0) {
      expectExit(this.#exit);
    }
    this.#queue.accepted.set(entry.key, entry);
    this.#schedule();
  }

  /** Stores it; what is too large is not cached, and must not leave an older value. */
  #cacheValue({ key, value, options }: Entry<T>): void {
    try {
      this.#cache.set(key, value, options);
    } catch (error) {
      if (!(error instanceof ValueTooLargeError || error instanceof NoRoomError)) {
        throw error;
      }
      this.#cache.delete(key);
    }
  }

  #schedule(): void {
    if (this.#isRunning) {
      return;
    }
    if (this.#queue.accepted.size >= this.#batchSize || this.#flushes.size > 0) {
      this.#run();
    } else {
      this.#gathering ??= this.#timers.after(this.#delayMs, () => this.#run());
    }
  }

  #run(): void {
    this.#gathering?.cancel();
    this.#gathering = undefined;
    if (!this.#isRunning) {
      this.#isRunning = true;
      void this.#deliverAll();
    }
  }

  /** Delivers what waits now; what comes meanwhile waits for others again, unless there is enough of it or it is asked for. */
  async #deliverAll(): Promise<void> {
    const upTo = this.#queue.newest;
    while (this.#isDue(upTo)) {
      const stop = this.#stop;
      const batch = this.#queue.take(this.#batchSize);
      const lost = await this.#deliver(batch, stop.signal);
      if (!stop.signal.aborted) {
        this.#settle(batch, new Set(lost.items), lost.error);
      }
    }
    this.#isRunning = false;
    if (this.#queue.accepted.size > 0) {
      this.#schedule();
    }
  }

  #isDue(upTo: number): boolean {
    const { accepted } = this.#queue;
    const [oldest] = accepted.values();
    return (
      oldest !== undefined && (oldest.sequence <= upTo || accepted.size >= this.#batchSize || this.#flushes.size > 0)
    );
  }

  /** Delivers a batch, as often as it takes. Gives those that could not be delivered. */
  async #deliver(batch: Entry<T>[], stop: AbortSignal): Promise<{ items: Entry<T>[]; error: unknown }> {
    for (let attempt = 1; ; attempt++) {
      const failure = await this.#attempt(batch, attempt, stop);
      if (failure === undefined) {
        return { items: [], error: undefined };
      }
      if (stop.aborted || attempt > this.#retries) {
        return batch.length === 1
          ? { items: batch, error: failure.error }
          : this.#deliverSingly(batch, attempt + 1, stop);
      }
      this.#counts.retries++;
      await this.#pause(attempt, stop);
      this.#counts.coalesced += this.#queue.absorbNewer();
      this.#admit();
    }
  }

  /** Each on its own, so that one that the origin refuses does not take the others with it. */
  async #deliverSingly(
    batch: Entry<T>[],
    attempt: number,
    stop: AbortSignal,
  ): Promise<{ items: Entry<T>[]; error: unknown }> {
    const lost: { items: Entry<T>[]; error: unknown } = { items: [], error: undefined };
    for (const entry of batch) {
      const failure = await this.#attempt([entry], attempt, stop);
      if (failure !== undefined) {
        lost.items.push(entry);
        lost.error = failure.error;
      }
    }
    return lost;
  }

  /** One attempt; `undefined` if the origin took it all. */
  async #attempt(
    entries: Entry<T>[],
    attempt: number,
    stop: AbortSignal,
  ): Promise<{ readonly error: unknown } | undefined> {
    if (stop.aborted) {
      return { error: stop.reason };
    }
    const items = entries.map(({ key, value }) => ({ key, value }));
    const abort = new AbortController();
    const timer = this.#timers.after(this.#timeoutMs, () =>
      abort.abort(new Error(`The origin took longer than ${this.#timeoutMs} ms.`)),
    );
    const onStop = (): void => abort.abort(stop.reason);
    stop.addEventListener("abort", onStop, { once: true });
    try {
      const aborted = new Promise<never>((_, reject) =>
        abort.signal.addEventListener("abort", () => reject(abort.signal.reason), { once: true }),
      );
      const written = (async () => this.#to(items, { signal: abort.signal, attempt }))();
      await Promise.race([written, aborted]);
      return undefined;
    } catch (error) {
      return { error };
    } finally {
      timer.cancel();
      stop.removeEventListener("abort", onStop);
    }
  }

  /** Waits before the next attempt: twice as long each time, half of it by chance. */
  #pause(attempt: number, stop: AbortSignal): Promise<void> {
    const { min, max } = this.#backoffMs;
    const ms = Math.min(max, min * 2 ** (attempt - 1)) * (0.5 + this.#random() / 2);
    return new Promise((resolve) => {
      const timer = this.#timers.after(ms, end);
      function end(): void {
        timer.cancel();
        stop.removeEventListener("abort", end);
        resolve();
      }
      stop.addEventListener("abort", end, { once: true });
    });
  }

  /** A batch has come to its end. */
  #settle(batch: Entry<T>[], lost: ReadonlySet<Entry<T>>, error: unknown): void {
    this.#queue.underWay.clear();
    for (const entry of batch) {
      const isNewest = !this.#queue.accepted.has(entry.key);
      if (isNewest && !lost.has(entry)) {
        // Again: it may have been evicted, and what the origin had before been loaded.
        this.#whileOpen(() => this.#cacheValue(entry));
      }
    }
    this.#counts.delivered += batch.length - lost.size;
    this.#handOver([...lost], error);
    this.#admit();
    this.#settled();
  }

  /** Gives items up: the cache must not claim what the origin does not have. */
  #handOver(lost: readonly Entry<T>[], error: unknown): void {
    if (lost.length === 0) {
      return;
    }
    this.#counts.failed += lost.length;
    for (const { key } of lost) {
      if (!this.#queue.accepted.has(key)) {
        this.#whileOpen(() => this.#cache.delete(key));
      }
    }
    const warn = (reason: unknown): void => {
      process.emitWarning(
        `onWriteFailed itself failed, for ${lost.length} writes: ${String(reason)}`,
        "NearcacheWarning",
      );
    };
    try {
      const items = lost.map(({ key, value }) => ({ key, value }));
      Promise.resolve(this.#onWriteFailed(items, error)).catch(warn);
    } catch (reason) {
      warn(reason);
    }
  }

  /** Accepts those who wait for room, the oldest first. */
  #admit(): void {
    for (const waiter of this.#queue.waiting.values()) {
      if (!this.#queue.hasRoom && !this.#queue.accepted.has(waiter.key)) {
        return;
      }
      this.#queue.waiting.delete(waiter.key);
      try {
        this.#accept({ key: waiter.key, value: waiter.value, options: waiter.options, sequence: waiter.sequence });
        waiter.resolve();
      } catch (error) {
        waiter.reject(error);
      }
    }
  }

  /** Something has left the queue: tells those who wait for that. */
  #settled(): void {
    const { oldest } = this.#queue;
    for (const flush of this.#flushes) {
      if (flush.upTo < oldest) {
        this.#flushes.delete(flush);
        flush.done();
      }
    }
    if (this.#queue.size === 0) {
      forgetExit(this.#exit);
    }
  }

  #drain(): Promise<void> {
    return this.#flushUntil(this.#closeTimeoutMs, "the process had nothing else to do");
  }

  async #flushUntil(timeoutMs: number, why: string): Promise<void> {
    this.#timers.holdProcess(true);
    const deadline = this.#timers.after(timeoutMs, () => this.#giveUp(why));
    await this.flush();
    deadline.cancel();
    this.#timers.holdProcess(false);
  }

  /** Hands over everything, at once. */
  #giveUp(why: string): void {
    const { accepted, underWay, waiting } = this.#queue;
    const all = new Map([...underWay, ...accepted]);
    const waiters = [...waiting.values()];
    const first = [...all.keys(), ...waiting.keys()][0] ?? "";
    const message = `${all.size + waiters.length} writes (${show(first)}, …) were given up: ${why}.`;
    const error = new WriteFailedError("ERR_WRITE_FAILED", message, { key: first });
    for (const map of [accepted, underWay, waiting]) {
      map.clear();
    }
    this.#stop.abort(error);
    this.#stop = new AbortController();
    for (const waiter of waiters) {
      waiter.reject(error);
    }
    this.#handOver([...all.values()], error);
    this.#settled();
  }

  #whileOpen(body: () => unknown): void {
    try {
      body();
    } catch (error) {
      if (!(error instanceof CacheClosedError)) {
        process.emitWarning(`The cache did not follow a write to the origin: ${String(error)}`, "NearcacheWarning");
      }
    }
  }
}
