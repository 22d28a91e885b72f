/** The face of a cache: what each method takes, gives, throws and costs. cache.ts is what stands behind it. */
import type { Dimensions, ScopeDimensions } from "./dimensions.js";
import type { CacheEvents } from "./events.js";
import type { BatchLoader, Loader } from "./load/context.js";
import type { LoadOptions } from "./load/options.js";
import type { Refreshing } from "./load/refresher.js";
import type { SetOptions, TtlOptions } from "./options.js";
import type { WriteOptions } from "./origin.js";
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
   * @param options How long it lives, if not as long as the cache's `ttl`: `{ ttl: "30s" }`, or the duration itself; its
   * `tags`, the keys that it `dependsOn`, and for how long `getOrLoad` may serve it stale (`staleFor`).
   * @throws {@link ValueNotCacheableError} naming the path to what can't be stored, {@link ValueTooLargeError},
   * {@link InvalidTtlError}, {@link NoRoomError}. What was stored before then stays.
   *
   * Cost: one native call (from 0.2 µs) and, for objects, encoding (about 1 µs for 15 fields).
   * @example
   * ```ts
   * users.set("user:42", user);
   * sessions.set("session:7", session, { ttl: "30s" });
   * ```
   */
  set(key: string, value: T, options?: SetOptions | Duration): void;

  /**
   * As {@link Cache.set}, but through the second tier first: resolves when the value is there and here, and nobody in this
   * process reads it before. Without a second tier it is `set`.
   * @throws {@link TierError} if the second tier could not store it, or did not say so in time: it is not known then whether
   * it has it, and this process has nothing. Otherwise what {@link Cache.set} throws.
   * @example `await balances.store("account:7", balance);`
   */
  store(key: string, value: T, options?: SetOptions | Duration): Promise<void>;

  /**
   * As {@link Cache.delete}, through the second tier first: resolves when the key is gone there and here.
   * @returns Whether it was in the shared store.
   * @throws {@link TierError}, as {@link Cache.store} does. The key is gone here in any case.
   * @example `await sessions.remove(id);`
   */
  remove(key: string): Promise<boolean>;

  /**
   * Writes a value to where it is kept for good, and into the cache. *Write-through*, if `to` is a function: the origin
   * first, the cache when it has committed; a write that fails leaves nothing in the cache. *Write-behind*, if `to` is a
   * `WriteBehind` of this cache: the cache at once, the origin in batches.
   * @throws {@link WriteFailedError} if the origin does not take it, with what it said as `cause`; {@link InvalidOptionError}
   * for a `to` that is neither. Otherwise what {@link Cache.set} throws. All as rejections.
   * @example `await users.write("user:42", user, { to: (_, value) => db.saveUser(value), ttl: "10m" });`
   */
  write(key: string, value: T, options: WriteOptions<T>): Promise<void>;

  /**
   * A view of this cache whose keys carry the dimensions: disjoint from all others, and from unscoped keys of this cache
   * that don't begin like one.
   * @throws {@link InvalidArgumentError} if there is no dimension, or one has no value.
   * @example `const mine = reports.scope({ tenant: request.tenant, user: request.user });`
   */
  scope(dimensions: ScopeDimensions): ScopedCache<T>;

  /**
   * A view of this cache with keys of its own: a scope with the one dimension `namespace`.
   * @example `const users = cache.namespace("users");`
   */
  namespace(name: string): ScopedCache<T>;

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
  touch(key: string, options?: TtlOptions | Duration): boolean;

  /**
   * Makes an entry stale from now on: no read finds it, and the next `getOrLoad` loads it anew, but what it held is still
   * there for `staleIfError` and for the loader's conditional request, for as long as it would have lived.
   * @returns Whether it was there.
   * @example `prices.expire("product:9");`
   */
  expire(key: string): boolean;

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
   * Deletes all keys that fit a pattern, in which `*` stands for any text. Keys that other threads add while it runs may
   * stay. Cost: walks the whole store.
   * @returns How many there were in the shared store.
   * @example `users.deletePattern("user:*:profile");`
   */
  deletePattern(pattern: string): number;

  /**
   * Makes every entry that carries one of the tags unreachable, for all threads and, with a second tier, all processes.
   * A load that is under way and carries one is not stored. Cost: that of a few look-ups, however many entries there are.
   * @example `pages.invalidateTags("product:9", "homepage");`
   */
  invalidateTags(...tags: string[]): void;

  /**
   * Makes everything that was written so far unreachable, here and in the second tier, without going through it: for a new
   * release whose values have another form.
   * @example `pages.bumpVersion();`
   */
  bumpVersion(): void;

  /**
   * Deletes everything, for all threads; in a second tier, as {@link Cache.bumpVersion} does.
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
   * The value of a key, loaded and stored if it is not there. Among all threads of the process only one load per key runs
   * at a time; whoever asks meanwhile gets its result.
   *
   * A value that is stale is served at once while one refresh runs (`staleFor`), or when its load fails or is too slow
   * (`staleIfError`, `softTimeout`, `hardTimeout`); a value that is read often is refreshed before it expires (`beta`).
   *
   * The loader may return `undefined`, which is passed on and not cached; `null` is cached for `negativeTtl`. What it
   * throws reaches every caller that waits and has no stale value. If the key is written, deleted or invalidated while it
   * loads, by whatever thread or process, the loaded value goes to those who waited and is not stored. A loaded value that
   * is too large is passed on and not stored; one that could not come back as it is rejects with
   * {@link ValueNotCacheableError}. Callers get the value as later readers do (frozen, or a copy each). Errors in the
   * arguments reject, too; so does a loader that waits for its own key, with {@link LoadCycleError}.
   *
   * @param loader Called with the key and a {@link LoadContext}. Without one, the cache's own `loader` is called.
   * @param options `ttl`, `tags`, how stale values are served, and a `signal` that rejects this call only. The first
   * caller's options count for the load.
   * @example
   * ```ts
   * const user = await users.getOrLoad("user:42", (key, { signal }) => db.findUser(42, { signal }), {
   *   ttl: "10m",
   *   staleIfError: "1h",
   *   hardTimeout: "2s",
   * });
   * ```
   */
  getOrLoad(key: string, loader: Loader<T>, options?: LoadOptions | Duration): Promise<T | undefined>;
  /** As above, with the cache's own `loader`. */
  getOrLoad(key: string, options?: LoadOptions | Duration): Promise<T | undefined>;

  /**
   * The values of several keys, in their order; those that are not there are loaded in one call. Keys that another call
   * is loading are not loaded again. A stale value is served as by {@link Cache.getOrLoad}.
   * @param loader Returns a `Map` by key, or an array in the order of the keys that it was given. What is missing or
   * `undefined` is not cached.
   * @throws What the loader throws, and what {@link Cache.getOrLoad} rejects with.
   * @example
   * ```ts
   * const found = await users.getManyOrLoad(["user:1", "user:2"], async (keys) => {
   *   const rows = await db.findUsers(keys);
   *   return new Map(rows.map((row) => [`user:${row.id}`, row]));
   * });
   * ```
   */
  getManyOrLoad(
    keys: Iterable<string>,
    loader: BatchLoader<T>,
    options?: LoadOptions | Duration,
  ): Promise<(T | undefined)[]>;

  /**
   * The value of a key; if it is not there, what `make` returns, which is stored. Synchronous: for values that are
   * computed, not fetched.
   * @throws What `make` throws, and what {@link Cache.set} throws; {@link InvalidArgumentError} if `make` returns a promise.
   * @example `const pattern = patterns.getOrSet(source, (text) => compile(text));`
   */
  getOrSet(key: string, make: (key: string) => T, options?: SetOptions | Duration): T;

  /**
   * A function like `fn` that calls it by way of {@link Cache.getOrLoad}.
   * @param options `key`, which makes a cache key of the arguments, and the options of {@link Cache.getOrLoad}.
   * @example
   * ```ts
   * const findUser = users.wrap((id: number) => db.findUser(id), { key: (id) => `user:${id}`, ttl: "10m" });
   * const user = await findUser(42);
   * ```
   */
  wrap<A extends unknown[]>(
    fn: (...args: A) => T | undefined | PromiseLike<T | undefined>,
    options: { readonly key: (...args: A) => string } & LoadOptions,
  ): (...args: A) => Promise<T | undefined>;

  /**
   * Loads keys now, and again every so often, so that no reader waits for them. A key that nobody has read since it was
   * last loaded is left alone until somebody reads it again. Keeps no process alive.
   * @param every Shorter than the entries' `ttl` less `jitter`.
   * @param loader As of {@link Cache.getOrLoad}; without one, the cache's own. Failures are events (`loadFailed`).
   * @example `const rates = cache.refreshEvery(["rate:EUR", "rate:USD"], "30s", (key) => api.rate(key));`
   */
  refreshEvery(keys: Iterable<string>, every: Duration, loader: Loader<T>, options?: LoadOptions): Refreshing;
  /** As above, with the cache's own `loader`. */
  refreshEvery(keys: Iterable<string>, every: Duration, options?: LoadOptions): Refreshing;

  /**
   * Calls `listener` when something happens that operators want to know; see {@link CacheEvents}. The same is published on
   * the channels `nearcache:<event>` of `node:diagnostics_channel`. Reads and writes are no events.
   * @example `cache.on("loadFailed", ({ key, error }) => log.warn({ key, error }, "load failed"));`
   */
  on<E extends keyof CacheEvents>(event: E, listener: (details: CacheEvents[E]) => void): this;

  /** Undoes {@link Cache.on}. */
  off<E extends keyof CacheEvents>(event: E, listener: (details: CacheEvents[E]) => void): this;

  /**
   * Waits until what this handle has sent to the second tier so far is stored there, or has failed. Never rejects; resolves
   * at once where there is no second tier.
   * @example `await cache.flush(); process.exit();`
   */
  flush(): Promise<void>;

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

/**
 * A cache as one scope sees it. Keys that go in and come out, those of loaders and of `dependsOn` included, are those
 * within the scope; what `keys`, `entries`, `deletePrefix`, `deletePattern`, `invalidateTags`, `clear`, `bumpVersion` and
 * `size` see and touch is the scope's own. Scopes are disjoint: `{ tenant }` does not contain `{ tenant, user }`.
 *
 * Tags serve twice: `invalidateTags` of the scope reaches the scope's entries, that of the cache those of all scopes.
 *
 * `size`, `clear` and `bumpVersion` walk the whole store, as `deletePrefix` does. The cache's own `loader`, events and
 * `stats()` are the whole cache's, with keys as they stand there (see {@link parseScopedKey}). `close()` ends the view and
 * leaves the cache open.
 */
export interface ScopedCache<T> extends Cache<T> {
  /** The dimensions of this scope, in ascending order of their names, values as text. */
  readonly dimensions: Dimensions;

  /**
   * A view with more dimensions. The order in which they are added does not matter.
   * @throws {@link InvalidArgumentError} if a dimension has no value, or is there already with another one.
   * @example `const mine = tenantCache.scope({ user: session.userId });`
   */
  scope(dimensions: ScopeDimensions): ScopedCache<T>;
}
