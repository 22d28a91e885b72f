/**
 * nearcache/lru-cache: a class of the shape of lru-cache 11, with the methods that its users call most, on a nearcache.
 *
 * What differs is in docs/adapters.md; what can't be had is refused when the object is made.
 * @packageDocumentation
 * @module nearcache/lru-cache
 */
// Where it keeps the time of entries: as a rule the store does, and a value is stored as it is. Where stale values may be
// wanted or times changed (`isTimed`), each value is stored with its time, as `[value, start, ttl]`.
import type { Cache } from "../api.js";
import { createCache } from "../cache.js";
import { InvalidArgumentError, NoRoomError, ValueTooLargeError } from "../errors.js";
import { Fetches } from "./lru/fetches.js";
import {
  type FetchBehaviour,
  type FetcherOptions,
  type GetBehaviour,
  type LRUCacheOptions,
  type ResolvedLruOptions,
  resolveLruOptions,
  TIMED,
  ttlOption,
} from "./lru/options.js";

export type { FetchBehaviour, Fetcher, FetcherOptions, GetBehaviour, LRUCacheOptions } from "./lru/options.js";

/** Options of `fetch`. */
export interface FetchOptions<FC> extends FetchBehaviour {
  /** Fetches even if there is a value whose time is not over. */
  readonly forceRefresh?: boolean | undefined;
  /** Aborts the fetch, if this call starts it. */
  readonly signal?: AbortSignal | undefined;
  /** Handed to `fetchMethod`, if this call starts it. */
  readonly context?: FC | undefined;
}

/** A value with its time: from when, and how many milliseconds (0: for ever). */
type Timed<V> = readonly [value: V, start: number, ttl: number];

const NONE = {};

/** How many entries are looked at to find one that has to make room. */
const SAMPLE = 8;

/**
 * A cache like lru-cache's, off the JavaScript heap, within a budget in bytes, and with a `name` shared by all threads.
 * Keys are text; values are what {@link Cache} stores, and come back deep-frozen unless `values` is `"copy"`.
 *
 * @example
 * ```ts
 * import { LRUCache } from "nearcache/lru-cache";
 *
 * const cache = new LRUCache<string, User>({ maxSize: "64mb", ttl: 60_000, fetchMethod: (id) => db.findUser(id) });
 * const user = await cache.fetch("42");
 * ```
 */
export class LRUCache<K extends string, V extends {}, FC = unknown> {
  /** The cache behind it. */
  readonly cache: Cache<V | Timed<V>>;
  readonly #options: ResolvedLruOptions<K, V, FC>;
  readonly #fetches = new Fetches<V>();
  /** Walks through the keys in search of entries that have to make room. */
  #hand: Iterator<string> | undefined = undefined;

  /** @throws {@link InvalidOptionError}, which names the option and, for one of lru-cache's that is not there, says why. */
  constructor(options: LRUCacheOptions<K, V, FC>) {
    this.#options = resolveLruOptions(options);
    this.cache = createCache(this.#options.cache) as Cache<V | Timed<V>>;
  }

  /** How many entries there may be; 0 if there is no such limit. */
  get max(): number {
    return Number.isFinite(this.#options.max) ? this.#options.max : 0;
  }

  /** What the cache may take, in bytes. */
  get maxSize(): number {
    return this.cache.stats().memory.max;
  }

  /** What the cache takes now, in bytes. */
  get calculatedSize(): number {
    return this.cache.stats().memory.used;
  }

  /** How many entries there are, those included whose time is over and has not been noticed. */
  get size(): number {
    return this.cache.size;
  }

  /** The value of a key, or `undefined`. */
  get(key: K, options: GetBehaviour = NONE): V | undefined {
    const found = this.cache.get(key);
    if (this.#isPlain(options) || found === undefined) {
      return found as V | undefined;
    }
    const timed = found as Timed<V>;
    if (this.#isStale(timed)) {
      if (!(options.noDeleteOnStaleGet ?? this.#options.behaviour.noDeleteOnStaleGet)) {
        this.cache.delete(key);
      }
      return (options.allowStale ?? this.#options.behaviour.allowStale) ? timed[0] : undefined;
    }
    if (options.updateAgeOnGet ?? this.#options.behaviour.updateAgeOnGet) {
      this.#store(key, timed[0], this.#options.now(), timed[2]);
    }
    return timed[0];
  }

  /**
   * Stores a value; `undefined` deletes the key. A value that is larger than `maxEntrySize` is not kept, and what was there
   * goes.
   * @param options `ttl` in milliseconds, 0 for ever.
   * @throws {@link ValueNotCacheableError}
   */
  set(
    key: K,
    value: V | undefined,
    options: { readonly ttl?: number | undefined; readonly noUpdateTTL?: boolean | undefined } = NONE,
  ): this {
    this.#fetches.abort(key, "replaced");
    if (value === undefined) {
      this.cache.delete(key);
      return this;
    }
    const ttl = ttlOption(options.ttl, this.#options.ttl);
    const keepsTime = !this.#isPlain(options) && (options.noUpdateTTL ?? this.#options.noUpdateTTL);
    const before = keepsTime ? this.#timed(key) : undefined;
    this.#store(key, value, before?.[1] ?? this.#options.now(), before?.[2] ?? ttl);
    this.#makeRoom(key);
    return this;
  }

  /** Whether a key is there and its time is not over. */
  has(key: K, options: { readonly updateAgeOnHas?: boolean | undefined } = NONE): boolean {
    if (this.#isPlain(options)) {
      return this.cache.has(key);
    }
    const timed = this.#timed(key);
    if (timed === undefined || this.#isStale(timed)) {
      return false;
    }
    if (options.updateAgeOnHas ?? this.#options.updateAgeOnHas) {
      this.#store(key, timed[0], this.#options.now(), timed[2]);
    }
    return true;
  }

  /** Deletes a key; whether it was there. */
  delete(key: K): boolean {
    this.#fetches.abort(key, "deleted");
    return this.cache.delete(key);
  }

  /** Deletes everything. */
  clear(): void {
    this.#fetches.abortAll("deleted");
    this.cache.clear();
  }

  /** As `get`, without a sign that the key is in use, and without deleting anything. */
  peek(key: K, options: Pick<GetBehaviour, "allowStale"> = NONE): V | undefined {
    const found = this.cache.peek(key);
    if (this.#isPlain(options) || found === undefined) {
      return found as V | undefined;
    }
    const timed = found as Timed<V>;
    const isServed = !this.#isStale(timed) || (options.allowStale ?? this.#options.behaviour.allowStale);
    return isServed ? timed[0] : undefined;
  }

  /**
   * The time that a key has left, in milliseconds: `Infinity` without a TTL, 0 if it is not there, negative if its time is
   * over and it is still there.
   */
  getRemainingTTL(key: K): number {
    if (!this.#options.isTimed) {
      return this.cache.ttl(key) ?? 0;
    }
    const timed = this.#timed(key);
    if (timed === undefined) {
      return 0;
    }
    return timed[2] === 0 ? Number.POSITIVE_INFINITY : timed[1] + timed[2] - this.#options.now();
  }

  /**
   * The value of a key, fetched by `fetchMethod` if it is not there. Of those who ask in this thread meanwhile all get what
   * the one fetch brings; with `allowStale` they get the stale value at once. Without a `fetchMethod` the same as `get`.
   *
   * Rejects with what `fetchMethod` throws, with the signal's reason, and when the key is set or deleted meanwhile.
   */
  async fetch(key: K, options: FetchOptions<FC> = NONE): Promise<V | undefined> {
    const { fetchMethod, behaviour, isTimed } = this.#options;
    this.#isPlain(options);
    if (fetchMethod === undefined) {
      return this.get(key, options);
    }
    const merged = { ...behaviour, ttl: this.#options.ttl, ...definedOf(options) };
    const stale = this.peek(key, isTimed ? { allowStale: true } : NONE);
    const isFresh = stale !== undefined && this.peek(key, { allowStale: false }) !== undefined;
    const running = this.#fetches.get(key);
    if (running === undefined && isFresh && options.forceRefresh !== true) {
      return this.get(key, options);
    }
    const promise =
      running?.promise ??
      this.#fetches.start(
        key,
        stale,
        options.signal,
        (signal) => {
          const given: FetcherOptions<FC> = { signal, options: merged, context: options.context as FC };
          return fetchMethod(key, stale, given);
        },
        this.#fetchEnd(key, stale, merged),
      );
    const instead = running === undefined ? stale : running.stale;
    return merged.allowStale && instead !== undefined ? instead : promise;
  }

  /** The keys, in no particular order. */
  *keys(): Generator<K, void, unknown> {
    for (const [key] of this.entries()) {
      yield key;
    }
  }

  /** The values, in no particular order. */
  *values(): Generator<V, void, unknown> {
    for (const [, value] of this.entries()) {
      yield value;
    }
  }

  /** Keys and values, in no particular order; stale ones if `allowStale` says so. */
  *entries(): Generator<[K, V], void, unknown> {
    for (const [key, found] of this.cache.entries()) {
      if (!this.#options.isTimed) {
        yield [key as K, found as V];
      } else if (this.#options.behaviour.allowStale || !this.#isStale(found as Timed<V>)) {
        yield [key as K, (found as Timed<V>)[0]];
      }
    }
  }

  /** The same as {@link entries}. */
  [Symbol.iterator](): Generator<[K, V], void, unknown> {
    return this.entries();
  }

  /** Calls `visit` with each value and key. */
  forEach(visit: (value: V, key: K, self: this) => unknown, self: unknown = this): void {
    for (const [key, value] of this.entries()) {
      visit.call(self, value, key, this);
    }
  }

  /** The first value for which `fits` is true, as `get` gives it. */
  find(fits: (value: V, key: K, self: this) => boolean, options?: GetBehaviour): V | undefined {
    for (const [key, value] of this.entries()) {
      if (fits(value, key, this)) {
        return this.get(key, options);
      }
    }
    return undefined;
  }

  /** Deletes what is stale; whether there was any. */
  purgeStale(): boolean {
    let isAny = false;
    if (this.#options.isTimed) {
      for (const [key, timed] of this.cache.entries()) {
        isAny = (this.#isStale(timed as Timed<V>) && this.cache.delete(key)) || isAny;
      }
    }
    return isAny;
  }

  /** Lets go of the cache: its memory is given back when the last thread has let go of it. Nothing works afterwards. */
  close(): void {
    this.#fetches.abortAll("closed");
    this.cache.close();
  }

  /** The same as {@link close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** As of lru-cache. */
  get [Symbol.toStringTag](): string {
    return "LRUCache";
  }

  /**
   * Whether values are stored as they are, without their time. A call that asks for what takes their time is refused then:
   * the store has let go of what is stale.
   */
  #isPlain(options: object): boolean {
    if (!this.#options.isTimed && options !== NONE) {
      for (const [name, value] of Object.entries(options)) {
        if (value === true && TIMED.has(name)) {
          const message = `${name} is true, which a call can ask for only if one of ${[...TIMED].join(", ")} is set when the cache is made.`;
          throw new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value: options });
        }
      }
    }
    return !this.#options.isTimed;
  }

  #timed(key: K): Timed<V> | undefined {
    return this.cache.peek(key) as Timed<V> | undefined;
  }

  #isStale([, start, ttl]: Timed<V>): boolean {
    return ttl !== 0 && this.#options.now() - start > ttl;
  }

  #store(key: K, value: V, start: number, ttl: number): void {
    try {
      if (this.#options.isTimed) {
        this.cache.set(key, [value, start, ttl], Number.POSITIVE_INFINITY);
      } else {
        this.cache.set(key, value, ttl === 0 ? Number.POSITIVE_INFINITY : ttl);
      }
    } catch (error) {
      if (!(error instanceof ValueTooLargeError || error instanceof NoRoomError)) {
        throw error;
      }
      this.cache.delete(key);
    }
  }

  /** Holds the limit of entries: deletes those that would end first among a few, until there are few enough. */
  #makeRoom(kept: K): void {
    while (this.cache.size > this.#options.max) {
      const sample = this.#sample(kept);
      const [victim] = sample.sort((a, b) => (this.cache.ttl(a) ?? 0) - (this.cache.ttl(b) ?? 0));
      if (victim === undefined) {
        return;
      }
      this.#fetches.abort(victim, "evicted");
      this.cache.delete(victim);
    }
  }

  #sample(kept: K): string[] {
    const sample: string[] = [];
    for (let turns = 0; turns < 2 && sample.length < SAMPLE; ) {
      this.#hand ??= this.cache.keys();
      const { done, value } = this.#hand.next();
      if (done) {
        this.#hand = undefined;
        turns++;
      } else if (value !== kept && !sample.includes(value)) {
        sample.push(value);
      }
    }
    return sample;
  }

  #fetchEnd(key: K, stale: V | undefined, options: FetchBehaviour) {
    return {
      fetched: (value: V | undefined): void => {
        if (value !== undefined) {
          this.set(key, value, { ttl: options.ttl });
        }
      },
      failed: (error: unknown): V | undefined => {
        const isKept = options.noDeleteOnFetchRejection || options.allowStaleOnFetchRejection;
        if (!isKept || stale === undefined) {
          this.cache.delete(key);
        }
        if (options.allowStaleOnFetchRejection && stale !== undefined) {
          return stale;
        }
        throw error;
      },
    };
  }
}

/** The options that were given a value: `undefined` is not one. */
function definedOf<O extends object>(options: O): Partial<O> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<O>;
}
