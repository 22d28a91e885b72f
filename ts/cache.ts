/**
 * The cache behind api.ts: looks into L0 first, asks the store then, and keeps both sides' rules.
 *
 * `get` is the hot path, and the order of its few loads is its design (see l0.ts). All else may take its time. Every call
 * into the addon goes through a `try` that turns the addon's errors into ours.
 */
import { loadNative } from "./addon.js";
import type { Cache, KeysOptions, ScopedCache } from "./api.js";
import { invalid, iterable, prefixOf } from "./arguments.js";
import { type Clock, monotonicClock } from "./clock.js";
import type { ScopeDimensions } from "./dimensions.js";
import { type Envelope, newEnvelope } from "./envelope.js";
import { CacheClosedError, fromNative, show } from "./errors.js";
import { type CacheEvents, Events } from "./events.js";
import { L0 } from "./l0.js";
import { type BatchLoader, type Loader, texts } from "./load/context.js";
import { Entries } from "./load/entries.js";
import type { Flights } from "./load/flights.js";
import { undisputedUntil } from "./load/freshness.js";
import { Loading } from "./load/loading.js";
import type { LoadOptions } from "./load/options.js";
import { Refresher, type Refreshing } from "./load/refresher.js";
import { SecondTier } from "./load/second-tier.js";
import { acquireFlights, releaseFlights } from "./load/shared.js";
import { Header, type NativeCache, type NativeModule, type RawValue } from "./native.js";
import {
  type CacheOptions,
  checkTtl,
  type ResolvedOptions,
  resolveOptions,
  resolveTtl,
  type SetOptions,
  type TtlOptions,
} from "./options.js";
import type { WriteOptions } from "./origin.js";
import { matcher, prefixOfPattern } from "./pattern.js";
import { requireScope, scoped } from "./scope.js";
import { buildStats, type CacheStats } from "./stats.js";
import { type Duration, parseDuration } from "./units.js";
import { Kind, newScratch, Values } from "./values.js";
import { hasNotes, isMoreThanTtl, SET_OPTIONS, tierEntryOf, type Write } from "./write/entry.js";
import { write } from "./write/write.js";

/** One in so many reads of the shared store, less one, is looked at. */
const SAMPLED_MASK = 255;
/** How many keys one call into the addon brings while iterating. */
const SCAN_KEYS = 256;

/**
 * Creates a cache, or attaches to the one of that name.
 *
 * @throws {@link InvalidOptionError} for an option that is missing, unknown or out of range;
 * {@link ConfigMismatchError} if the name is in use with other options; {@link NativeAddonError} if there is no addon
 * for this platform.
 *
 * Cost: reserves `maxMemory` of address space; pages are taken as they are used.
 * @example
 * ```ts
 * import { createCache } from "nearcache";
 *
 * const users = createCache<User>({ name: "users", maxMemory: "256mb", ttl: "10m" });
 * users.set("user:42", user);
 * users.get("user:42"); // the user, in every worker thread that creates the same cache
 * ```
 */
export function createCache<T = unknown>(options: CacheOptions<T>): Cache<T> {
  return createCacheWith<T>(options, { clock: monotonicClock, random: Math.random });
}

/** What tests bring instead of the real thing. L0 and the store's own expiry keep the engine's clock. */
export interface Surroundings {
  readonly clock: Clock;
  /** From 0 to 1, 1 excluded. */
  readonly random: () => number;
}

/** As {@link createCache}, with another clock and other dice. */
export function createCacheWith<T>(options: CacheOptions<T>, surroundings: Surroundings): Cache<T> {
  const addon = loadNative();
  const resolved = resolveOptions(options, addon.limits);
  const WithoutL0 = resolved.loading.tier === undefined ? CacheWithoutL0<T> : SampledWithoutL0<T>;
  const Class = resolved.l0EntriesMax > 0 ? NearCache<T> : WithoutL0;
  const cache = new Class(addon, resolved, surroundings);
  return resolved.requiredScope === undefined ? cache : requireScope(cache, resolved.requiredScope);
}

class NearCache<T> implements Cache<T> {
  #l0: L0;
  readonly #native: NativeCache;
  /** `native.get` by itself: the object is too large for V8 to give its members fixed places, so a look-up in it costs. */
  protected readonly nativeGet: NativeCache["get"];
  protected readonly values: Values;
  readonly #entries: Entries;
  readonly #flights: Flights;
  readonly #loading: Loading;
  readonly #second: SecondTier | undefined;
  readonly #events: Events;
  readonly #clock: Clock;
  readonly #name: string | undefined;
  readonly #ttlMs: number;
  readonly #staleForMs: number;
  readonly #beta: number;
  readonly #ttlMsMax: number;
  readonly #tickMs: number;
  /** What the entry remembers that the last read took from the store; `undefined` if it has nothing to. */
  #envelope: Envelope | undefined = undefined;
  readonly #refreshers = new Set<Refreshing>();
  #sharedReads = 0;
  #isClosed = false;

  constructor(addon: NativeModule, options: ResolvedOptions, { clock, random }: Surroundings) {
    const scratch = newScratch();
    this.#native = open(addon, options, scratch);
    this.nativeGet = this.#native.get;
    const maxValueSize = this.#native.stats().maxValueSize;
    this.values = new Values(this.#native, scratch, maxValueSize, options.isFrozen, options.codec);
    const signal = options.l0EntriesMax > 0 ? this.#native.signal() : null;
    this.#l0 = new L0(this.#native, signal, options.l0EntriesMax, addon.limits.tickMs);
    this.#ttlMsMax = addon.limits.ttlMsMax;
    this.#tickMs = addon.limits.tickMs;
    this.#name = options.name;
    this.#clock = clock;
    this.#ttlMs = options.ttlMs;
    const { tier, policy } = options.loading;
    this.#staleForMs = policy.staleForMs;
    this.#beta = policy.beta;
    this.#events = new Events(options.name);
    const { note } = this.#events;
    this.#second = tier === undefined ? undefined : new SecondTier(tier, this.#native, this.#events);
    const second = this.#second;
    if (second !== undefined) {
      this.#l0.turned = (keys) => second.noteUses(keys);
    }
    this.#entries = new Entries(this.#native, this.values, clock, this.#ttlMsMax);
    this.#flights = acquireFlights(options.name);
    this.#loading = new Loading({
      native: this.#native,
      values: this.values,
      entries: this.#entries,
      flights: this.#flights,
      tier: this.#second,
      options: options.loading,
      checkTtl: (ttl) => checkTtl(ttl, this.#ttlMsMax),
      call: (body, key) => this.#call(body, key),
      clock,
      random,
      note,
    });
  }

  get(key: string): T | undefined {
    const l0 = this.#l0;
    const signal = l0.signal;
    // Nothing that L0 holds has changed, and nothing is due: what it has is current.
    if (signal[0] === l0.seen && (((signal[1] as number) - l0.due) | 0) < 0) {
      const value = l0.young.get(key);
      if (value !== undefined) {
        l0.hits++;
        return value as T;
      }
    }
    return this.#getShared(key) as T | undefined;
  }

  set(key: string, value: T, options?: SetOptions | Duration): void {
    if (this.#second === undefined && (typeof options !== "object" || !isMoreThanTtl(options))) {
      this.#write(key, value, resolveTtl(options, this.#ttlMsMax));
    } else {
      this.#writeWhole(key, value, options);
    }
  }

  async store(key: string, value: T, options?: SetOptions | Duration): Promise<void> {
    const second = this.#second;
    const write = this.#prepare(value, options);
    const entry = write === undefined ? undefined : tierEntryOf(write);
    if (second === undefined || write === undefined || entry === undefined) {
      this.set(key, value, options);
      await second?.flush();
      return;
    }
    const store = (token: number): void => {
      const { snapshot, envelope, totalMs } = write;
      this.#entries.store(key, token, snapshot, envelope, totalMs, 0);
    };
    await this.#flights.change(this.#loading, key, () => second.change(key, (tier) => tier.set(key, entry, {})), store);
  }

  async remove(key: string): Promise<boolean> {
    const second = this.#second;
    const isThere = this.has(key);
    if (second === undefined) {
      return this.delete(key);
    }
    const remove = () => second.change(key, (tier) => tier.delete([key]));
    await this.#flights.change(this.#loading, key, remove, () => undefined);
    return isThere;
  }

  write(key: string, value: T, options: WriteOptions<T>): Promise<void> {
    return write(this, key, value, options);
  }

  scope(dimensions: ScopeDimensions): ScopedCache<T> {
    return scoped(this, dimensions);
  }

  namespace(name: string): ScopedCache<T> {
    return scoped(this, { namespace: name });
  }

  has(key: string): boolean {
    return this.#call(() => this.#entries.has(key), key);
  }

  delete(key: string): boolean {
    try {
      const isDeleted = this.#native.delete(key);
      this.#second?.delete([key]);
      return isDeleted;
    } catch (error) {
      throw fromNative(error, key);
    }
  }

  expire(key: string): boolean {
    return this.#call(() => {
      const now = this.#clock.now();
      const done = this.#entries.rewrite(key, (envelope) => {
        const livesUntil = envelope.freshUntil + envelope.liveForMs;
        // What is left of its life it may spend as a stale value.
        envelope.liveForMs = Math.max(0, livesUntil - now);
        envelope.freshUntil = now;
        return envelope.liveForMs;
      });
      // A load that is under way read what is to be no longer good.
      const isThere = done === "busy" ? this.#native.delete(key) : done === "done";
      this.#native.noteChange(key);
      this.#second?.expire(key);
      return isThere;
    }, key);
  }

  peek(key: string): T | undefined {
    return this.#call(() => this.#entries.readFresh(key)?.value as T | undefined, key);
  }

  ttl(key: string): number | undefined {
    return this.#call(() => {
      const entry = this.#entries.readFresh(key);
      if (entry?.envelope === undefined) {
        return entry === undefined ? undefined : this.#native.ttl(key);
      }
      return entry.envelope.freshUntil - this.#clock.now();
    }, key);
  }

  touch(key: string, options?: TtlOptions | Duration): boolean {
    const ttlMs = resolveTtl(options, this.#ttlMsMax);
    if (ttlMs === 0) {
      return this.delete(key);
    }
    return this.#call(() => {
      const entry = this.#entries.readFresh(key);
      if (entry?.envelope === undefined) {
        return entry !== undefined && this.#native.touch(key, ttlMs);
      }
      const freshMs = ttlMs ?? this.#ttlMs;
      const done = this.#entries.rewrite(key, (envelope) => {
        envelope.freshUntil = this.#clock.now() + freshMs;
        return freshMs + envelope.liveForMs;
      });
      // A load that is under way gives it a new life anyway.
      return done !== "missing";
    }, key);
  }

  getMany(keys: Iterable<string>): (T | undefined)[] {
    const values: (T | undefined)[] = [];
    for (const key of iterable(keys, "getMany", "keys")) {
      values.push(this.get(key));
    }
    return values;
  }

  setMany(entries: Iterable<readonly [string, T]>, options?: SetOptions | Duration): void {
    for (const entry of iterable(entries, "setMany", "pairs of key and value")) {
      if (!Array.isArray(entry)) {
        throw invalid(`setMany needs pairs of key and value; there is ${show(entry)}.`, entry);
      }
      this.set(entry[0] as string, entry[1] as T, options);
    }
  }

  deleteMany(keys: Iterable<string>): number {
    let count = 0;
    for (const key of iterable(keys, "deleteMany", "keys")) {
      count += this.delete(key) ? 1 : 0;
    }
    return count;
  }

  deletePrefix(prefix: string): number {
    if (typeof prefix !== "string") {
      throw invalid(`deletePrefix needs text; the prefix is ${show(prefix)}.`, prefix);
    }
    return this.#call(() => {
      const count = this.#native.deletePrefix(prefix);
      // The tier's patterns have no way to say a literal asterisk.
      this.#second?.deletePattern(`${prefix}*`);
      return count;
    });
  }

  deletePattern(pattern: string): number {
    if (typeof pattern !== "string") {
      throw invalid(`deletePattern needs text; the pattern is ${show(pattern)}.`, pattern);
    }
    return this.#call(() => {
      const fits = matcher(pattern);
      let count = 0;
      for (const key of this.#scan(prefixOfPattern(pattern))) {
        count += fits(key) && this.#native.delete(key) ? 1 : 0;
      }
      this.#second?.deletePattern(pattern);
      return count;
    });
  }

  invalidateTags(...tags: string[]): void {
    this.#call(() => {
      this.#native.invalidateTags(texts(tags, "tags") as string[]);
      this.#second?.invalidateTags(tags);
    });
  }

  bumpVersion(): void {
    this.#call(() => {
      this.#native.clear();
      this.#second?.bumpVersion();
    });
  }

  clear(): void {
    this.#call(() => {
      this.#native.clear();
      this.#second?.bumpVersion();
    });
  }

  keys(options: KeysOptions = {}): IterableIterator<string> {
    const prefix = prefixOf(options);
    this.#call(() => this.#native.size());
    return this.#scan(prefix);
  }

  entries(options: KeysOptions = {}): IterableIterator<[string, T]> {
    return this.#pairs(this.keys(options));
  }

  get size(): number {
    return this.#call(() => this.#native.size());
  }

  getOrLoad(
    key: string,
    loader?: Loader<T> | LoadOptions | Duration,
    options?: LoadOptions | Duration,
  ): Promise<T | undefined> {
    try {
      const isLoader = typeof loader === "function";
      const load = this.#loading.resolve(isLoader ? options : (options ?? loader));
      const loading = this.#loading.loaderOf(isLoader ? loader : undefined, "getOrLoad");
      load.signal?.throwIfAborted();
      this.#envelope = undefined;
      const value = this.get(key);
      if (value === undefined) {
        return this.#loading.load(key, loading, load) as Promise<T | undefined>;
      }
      if (this.#envelope !== undefined) {
        this.#loading.considerEarly(key, this.#envelope, loading, load);
      }
      return Promise.resolve(value);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async getManyOrLoad(
    keys: Iterable<string>,
    loader: BatchLoader<T>,
    options?: LoadOptions | Duration,
  ): Promise<(T | undefined)[]> {
    if (typeof loader !== "function") {
      throw invalid(`getManyOrLoad needs a function that loads; it is ${show(loader)}.`, loader);
    }
    const load = this.#loading.resolve(options);
    load.signal?.throwIfAborted();
    const wanted = [...iterable(keys, "getManyOrLoad", "keys")];
    const values = this.getMany(wanted);
    const missing = [...new Set(wanted.filter((_key, index) => values[index] === undefined))];
    if (missing.length === 0) {
      return values;
    }
    const loaded = await this.#loading.loadMany(missing, loader as BatchLoader<unknown>, load);
    const byKey = new Map(missing.map((key, index) => [key, loaded[index] as T | undefined]));
    return wanted.map((key, index) => (values[index] === undefined ? byKey.get(key) : values[index]));
  }

  getOrSet(key: string, make: (key: string) => T, options?: SetOptions | Duration): T {
    const value = this.get(key);
    if (value !== undefined) {
      return value;
    }
    if (typeof make !== "function") {
      throw invalid(`getOrSet needs a function that makes the value; it is ${show(make)}.`, make);
    }
    const made = make(key);
    if (typeof (made as { then?: unknown } | null | undefined)?.then === "function") {
      throw invalid("getOrSet is synchronous, but the function returned a promise: use getOrLoad.", made);
    }
    this.set(key, made, options);
    // As later readers get it, unless it has gone again already.
    return this.peek(key) ?? made;
  }

  wrap<A extends unknown[]>(
    fn: (...args: A) => T | undefined | PromiseLike<T | undefined>,
    options: { readonly key: (...args: A) => string } & LoadOptions,
  ): (...args: A) => Promise<T | undefined> {
    const { key, ...load } = options ?? {};
    if (typeof fn !== "function" || typeof key !== "function") {
      throw invalid("wrap needs a function and { key }, a function from its arguments to the cache key.", options);
    }
    this.#loading.resolve(load);
    return async (...args) => this.getOrLoad(key(...args), () => fn(...args), load);
  }

  refreshEvery(
    keys: Iterable<string>,
    every: Duration,
    loader?: Loader<T> | LoadOptions,
    options?: LoadOptions,
  ): Refreshing {
    const isLoader = typeof loader === "function";
    const load = this.#loading.resolve(isLoader ? options : (options ?? loader));
    const loading = this.#loading.loaderOf(isLoader ? loader : undefined, "refreshEvery");
    const everyMs = checkTtl(every, this.#ttlMsMax);
    const { ttlMs, jitter } = load.policy;
    if (everyMs === 0 || !(everyMs < ttlMs * (1 - jitter))) {
      const life = `${ttlMs} ms less ${jitter * 100} % jitter`;
      const message = `refreshEvery ${show(every)} must be more than 0 and shorter than the entries' life (ttl: ${life}).`;
      throw invalid(message, every);
    }
    const wanted = [...new Set(iterable(keys, "refreshEvery", "keys"))];
    const stopped = (refresher: Refreshing): boolean => this.#refreshers.delete(refresher);
    const refresher = new Refresher(this.#loading, wanted, everyMs, loading, load, stopped);
    this.#refreshers.add(refresher);
    return refresher;
  }

  stats(): CacheStats {
    return this.#call(() => {
      this.#l0.reportHits();
      return buildStats(this.#native.stats(), this.#l0, this.#events, this.#second?.tier.stats());
    });
  }

  on<E extends keyof CacheEvents>(event: E, listener: (details: CacheEvents[E]) => void): this {
    this.#events.on(event, listener);
    return this;
  }

  off<E extends keyof CacheEvents>(event: E, listener: (details: CacheEvents[E]) => void): this {
    this.#events.off(event, listener);
    return this;
  }

  async flush(): Promise<void> {
    await this.#second?.flush();
  }

  close(): void {
    if (this.#isClosed) {
      return;
    }
    this.#isClosed = true;
    this.#l0.reportHits();
    // The signal line goes with the store: nothing may look at it any more.
    this.#l0 = L0.off();
    for (const refresher of this.#refreshers) {
      refresher.stop();
    }
    const reason = new CacheClosedError("ERR_CACHE_CLOSED", "The cache was closed while the value was being loaded.");
    this.#loading.close(reason);
    releaseFlights(this.#name, this.#flights);
    this.#call(() => this.#native.close());
    // What was sent to it is still finished.
    void this.#second?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Reads what `get` did not find in L0: from L0 all the same if it had to catch up first, else from the store. */
  #getShared(key: string): unknown {
    this.#sharedReads++;
    return (this.#sharedReads & SAMPLED_MASK) === 0 ? this.sample(key, (same) => this.#ask(same)) : this.#ask(key);
  }

  /** As {@link #getShared}, without a look at the clock. */
  #ask(key: string): unknown {
    const l0 = this.#l0;
    try {
      if (!l0.isOn) {
        const raw = this.nativeGet(key);
        return typeof raw === "boolean" ? this.readShared(raw, key) : raw;
      }
      if (l0.catchUp(this.values.header)) {
        const held = l0.young.get(key);
        if (held !== undefined) {
          l0.hits++;
          return held;
        }
      }
      return this.#getWatched(key, l0);
    } catch (error) {
      throw fromNative(error, key);
    }
  }

  /** Reads from the store, and lets what is hot enter L0. */
  #getWatched(key: string, l0: L0): unknown {
    const values = this.values;
    const drains = l0.drains;
    const raw = this.nativeGet(key);
    if (raw === undefined) {
      return undefined;
    }
    // Scratch is overwritten by the next call, which a codec of the user's may well make: take what is needed first.
    const isWatched = values.header[Header.watched] === 1;
    const expiry = values.header[Header.expiry] as number;
    // What `old` has was current a moment ago, when L0 caught up: no need to decode it again.
    const isBare = raw === true && values.header[Header.kind] !== Kind.enveloped;
    const older = isBare ? l0.old.get(key) : undefined;
    const value = older ?? values.read(raw, key);
    if (older === undefined && values.envelope !== undefined) {
      return this.#getEnveloped(key, value, values.envelope, isWatched && l0.drains === drains ? l0 : undefined);
    }
    if (isWatched && (older !== undefined || values.isShareable) && l0.drains === drains && l0 === this.#l0) {
      l0.put(key, value, expiry);
    }
    return value;
  }

  /** What was read of an entry with an envelope, if it is fresh; it enters `l0`, if that may take it. */
  #getEnveloped(key: string, value: unknown, envelope: Envelope, l0: L0 | undefined): unknown {
    const { isShareable } = this.values;
    if (!this.#entries.isFresh(envelope)) {
      this.#native.addStale();
      return undefined;
    }
    this.#envelope = envelope;
    if (envelope.isUnread) {
      this.#entries.markRead(key);
    }
    // As long as nobody need ask whether it is time to refresh it.
    const ticks = Math.floor((undisputedUntil(envelope, this.#beta) - this.#clock.now()) / this.#tickMs);
    if (l0 !== undefined && l0 === this.#l0 && isShareable && ticks > 0) {
      l0.put(key, value, l0.tickAfter(ticks));
    }
    return value;
  }

  /** One read of the shared store among many: stands for the others. */
  protected sample(key: string, read: (key: string) => unknown): unknown {
    const start = performance.now();
    const value = read(key);
    this.#events.time("l1", performance.now() - start);
    if (value !== undefined) {
      this.#second?.noteUses([key]);
    }
    return value;
  }

  /** The value behind a read's answer that is not the value itself, if it is fresh. */
  protected readShared(raw: RawValue, key: string): unknown {
    const value = this.values.read(raw, key);
    const { envelope } = this.values;
    return envelope === undefined ? value : this.#getEnveloped(key, value, envelope, undefined);
  }

  /** Stores a value with all that `set` may be told, in both tiers. */
  #writeWhole(key: string, value: T, options: SetOptions | Duration | undefined): void {
    const write = this.#prepare(value, options);
    if (write === undefined) {
      this.delete(key);
      return;
    }
    this.#call(() => {
      const { snapshot, envelope, ttlMs, totalMs } = write;
      if (hasNotes(envelope)) {
        this.#entries.write(key, snapshot, envelope, totalMs);
      } else {
        this.values.write(key, value, ttlMs);
      }
      const entry = tierEntryOf(write);
      if (entry === undefined) {
        this.#second?.delete([key]);
      } else {
        void this.#second?.set(key, entry);
      }
    }, key);
  }

  /** What is to be stored of a value that is set; `undefined`: it is to be deleted. */
  #prepare(value: T, options: SetOptions | Duration | undefined): Write | undefined {
    const ttlMs = resolveTtl(options, this.#ttlMsMax, SET_OPTIONS);
    if (ttlMs === 0) {
      return undefined;
    }
    const given: SetOptions = typeof options === "object" ? options : {};
    const freshMs = ttlMs ?? this.#ttlMs;
    const staleForMs = given.staleFor === undefined ? this.#staleForMs : parseDuration(given.staleFor);
    if (staleForMs === undefined || !(staleForMs >= 0)) {
      throw invalid(`staleFor is ${show(given.staleFor)}; allowed is a length of time, 0 or more.`, given.staleFor);
    }
    const envelope = newEnvelope(this.#clock.now() + freshMs, Number.isFinite(freshMs) ? staleForMs : 0);
    envelope.tags = given.tags === undefined ? [] : texts(given.tags, "tags");
    envelope.dependsOn = given.dependsOn === undefined ? [] : texts(given.dependsOn, "dependsOn");
    return this.#call(() => {
      envelope.stamp = this.#native.stamp();
      const snapshot = this.values.snapshot(value);
      return { snapshot, envelope, ttlMs, freshMs, totalMs: freshMs + envelope.liveForMs };
    });
  }

  #write(key: string, value: T, ttlMs: number | undefined): void {
    try {
      this.values.write(key, value, ttlMs);
    } catch (error) {
      throw fromNative(error, key);
    }
  }

  *#scan(prefix: string): IterableIterator<string> {
    let cursor = 0;
    do {
      const page = this.#call(() => this.#native.scan(cursor, prefix, SCAN_KEYS));
      yield* page.keys;
      cursor = page.cursor;
    } while (cursor !== -1);
  }

  *#pairs(keys: Iterable<string>): IterableIterator<[string, T]> {
    for (const key of keys) {
      const value = this.peek(key);
      if (value !== undefined) {
        yield [key, value];
      }
    }
  }

  #call<R>(body: () => R, key?: unknown): R {
    try {
      return body();
    } catch (error) {
      throw fromNative(error, key);
    }
  }
}

/** A cache made with `l0: false`: its `get` asks the store at once, where the other one looks whether its L0 is on. */
class CacheWithoutL0<T> extends NearCache<T> {
  override get(key: string): T | undefined {
    try {
      const raw = this.nativeGet(key);
      return (typeof raw === "boolean" ? this.readShared(raw, key) : raw) as T | undefined;
    } catch (error) {
      throw fromNative(error, key);
    }
  }
}

/** The same with a second tier, which has to be told of what is read here: counting the reads takes a tenth of their time. */
class SampledWithoutL0<T> extends CacheWithoutL0<T> {
  #reads = 0;

  override get(key: string): T | undefined {
    this.#reads++;
    return (this.#reads & SAMPLED_MASK) === 0
      ? (this.sample(key, (same) => super.get(same)) as T | undefined)
      : super.get(key);
  }
}

function open(addon: NativeModule, options: ResolvedOptions, scratch: ArrayBuffer): NativeCache {
  try {
    return addon.open({
      ...(options.name === undefined ? {} : { name: options.name }),
      ...(options.maxValueSize === undefined ? {} : { maxValueSize: options.maxValueSize }),
      ...(options.maxEntries === undefined ? {} : { maxEntries: options.maxEntries }),
      maxMemory: options.maxMemory,
      objective: options.objective,
      defaultTtlMs: options.ttlMs,
      fingerprint: JSON.stringify({ codec: options.codec === undefined ? "built-in" : "custom" }),
      scratch,
      watch: options.l0EntriesMax > 0,
    });
  } catch (error) {
    throw fromNative(error);
  }
}
