/** The face of a cache: what each method takes, gives, throws and costs. cache.ts is what stands behind it. */
import type { Loader } from "./load.js";
import type { LoadOptions, SetOptions } from "./options.js";
import type { CacheStats } from "./stats.js";
import type { Duration } from "./units.js";

/** Which keys to visit. */
export interface KeysOptions {
  /** Only keys that begin with this. Default: all. */
  readonly prefix?: string;
}

/**
 * A byte-bounded cache in native memory. Threads that create one of the same name share it: what one has written, all
 * the others read from then on.
 *
 * Keys are strings of up to 65,535 bytes of UTF-8; two different strings are two keys, whatever they hold. Values are
 * strings, numbers, booleans, bigints, null, bytes, dates, maps, sets, typed arrays, plain objects and arrays, with
 * circular and shared references. Each comes back deep-equal, or `set` throws `ERR_VALUE_NOT_CACHEABLE`.
 *
 * Every method throws {@link CacheClosedError} after {@link Cache.close}, and {@link InvalidKeyError} for a key that is
 * no string or too long. Costs are orders of magnitude on a machine of 2.5 GHz.
 */
export interface Cache<T> {
  /**
   * The value of a key, or `undefined` if it is not there or has expired. Counts as a hit or a miss.
   *
   * Cost: about that of `Map.get` if this thread's L0 has the value; else one native call (from 0.1 µs) and, for
   * objects, decoding (about 0.4 µs for 15 fields).
   * @example
   * ```ts
   * const user = users.get("user:42");
   * if (user === undefined) return notFound();
   * ```
   */
  get(key: string): T | undefined;

  /**
   * Stores a value. When it returns, every thread's next read of the key sees it.
   *
   * @param options How long it lives, if not as long as the cache's `ttl`: `{ ttl: "30s" }`, or the duration itself.
   * @throws {@link ValueNotCacheableError} naming the path to what can't be stored, {@link ValueTooLargeError},
   * {@link InvalidTtlError}, {@link NoRoomError}. What was stored before then stays.
   *
   * Cost: one native call (from 0.2 µs) and, for objects, encoding (about 1 µs for 15 fields).
   * @example
   * ```ts
   * users.set("user:42", user);
   * users.set("session:7", session, { ttl: "30s" });
   * ```
   */
  set(key: string, value: T, options?: SetOptions | Duration): void;

  /**
   * Whether a key is there and has not expired. Not counted. Cost: one native call.
   * @example `if (!seen.has(id)) seen.set(id, true);`
   */
  has(key: string): boolean;

  /**
   * Deletes a key. When it returns, no thread's next read finds it. Cost: one native call.
   * @returns Whether it was there.
   * @example `users.delete("user:42");`
   */
  delete(key: string): boolean;

  /**
   * As {@link Cache.get}, but neither counted nor taken for a sign that the key is in use. Always asks the shared store.
   * @example `const current = users.peek("user:42");`
   */
  peek(key: string): T | undefined;

  /**
   * The time that a key has left, in **milliseconds**; `Infinity` if it does not expire, `undefined` if it is not there.
   * @example `if ((sessions.ttl(id) ?? 0) < 60_000) sessions.touch(id);`
   */
  ttl(key: string): number | undefined;

  /**
   * Gives a key a new time to live, from now on: the cache's `ttl`, or another. The value stays.
   * @returns Whether the key was there.
   * @throws {@link InvalidTtlError}
   * @example `sessions.touch(id, { ttl: "30m" });`
   */
  touch(key: string, options?: SetOptions | Duration): boolean;

  /**
   * The values of several keys, in their order, `undefined` for those that are not there. Cost: as many `get`s.
   * @example `const [alice, bob] = users.getMany(["user:1", "user:2"]);`
   */
  getMany(keys: Iterable<string>): (T | undefined)[];

  /**
   * Stores several values, with one TTL. Not a transaction: if one can't be stored, `setMany` throws what `set` would,
   * and the entries before it are stored.
   * @param entries Pairs of key and value; a `Map` will do.
   * @example `users.setMany(rows.map((row) => [`user:${row.id}`, row]), { ttl: "1h" });`
   */
  setMany(entries: Iterable<readonly [key: string, value: T]>, options?: SetOptions | Duration): void;

  /**
   * Deletes several keys.
   * @returns How many of them were there.
   * @example `users.deleteMany(["user:1", "user:2"]);`
   */
  deleteMany(keys: Iterable<string>): number;

  /**
   * Deletes all keys that begin with `prefix`. Keys that other threads add while it runs may stay.
   *
   * Cost: walks the whole store, about 0.1 µs per entry in it.
   * @returns How many there were.
   * @example `pages.deletePrefix("product:");`
   */
  deletePrefix(prefix: string): number;

  /**
   * Deletes everything, for all threads.
   * @example `users.clear();`
   */
  clear(): void;

  /**
   * Visits the keys, in no particular order. Entries that are written or deleted meanwhile may or may not be seen;
   * those that are there all the time are.
   * @example `for (const key of users.keys({ prefix: "user:" })) console.log(key);`
   */
  keys(options?: KeysOptions): IterableIterator<string>;

  /**
   * Visits keys and values as {@link Cache.keys} does. Values are read as by {@link Cache.peek}.
   * @example `for (const [key, user] of users.entries({ prefix: "user:" })) console.log(key, user.name);`
   */
  entries(options?: KeysOptions): IterableIterator<[key: string, value: T]>;

  /** How many entries the store holds, those included whose expiry has not been noticed yet. */
  readonly size: number;

  /**
   * The value of a key, loaded and stored if it is not there. In this thread only one load per key runs at a time; whoever
   * asks meanwhile gets its result.
   *
   * The loader may return `undefined`, which is passed on and not cached (`null` is cached). What it throws reaches every
   * caller that waits. If the key is written or deleted in this thread while it loads, or stored by another thread, the
   * loaded value is not stored. A loaded value that is too large is passed on and not stored; one that could not come
   * back as it is rejects with {@link ValueNotCacheableError}. Callers get the value as later readers do (frozen, or a
   * copy each). Errors in the arguments reject, too.
   *
   * @param loader Called with the key and `{ signal }`, which aborts when no caller waits any more. If it never settles,
   * its callers wait until their own `signal` aborts or the cache is closed.
   * @param options `ttl`, and a `signal` that rejects this call only. The first caller's `ttl` counts.
   * @example
   * ```ts
   * const user = await users.getOrLoad("user:42", (key, { signal }) => db.findUser(42, { signal }), {
   *   ttl: "10m",
   *   signal: AbortSignal.timeout(2_000),
   * });
   * ```
   */
  getOrLoad(key: string, loader: Loader<T>, options?: LoadOptions | Duration): Promise<T | undefined>;

  /** The same as {@link Cache.getOrLoad}, under the name that other caches use. */
  getOrSet(key: string, loader: Loader<T>, options?: LoadOptions | Duration): Promise<T | undefined>;

  /**
   * Counters and sizes. Cost: some microseconds; for metrics, not for the hot path.
   * @example `console.log((users.stats().hitRatio * 100).toFixed(1), "% hits");`
   */
  stats(): CacheStats;

  /**
   * Lets go of the cache. Loads that wait reject; later calls throw {@link CacheClosedError}; closing again does nothing.
   * The memory is given back when the last handle, in whatever thread, is closed or gone.
   * @example `users.close();`
   */
  close(): void;

  /** The same as {@link Cache.close}: `using cache = createCache(…)`. */
  [Symbol.dispose](): void;
}
