/**
 * Views of a cache whose keys carry a scope: whose data it is, for whom it was made. How, says dimensions.ts.
 *
 * An unscoped key of the same cache can spell a scoped one; {@link requireScope} is for caches in which that must not
 * happen.
 */
import type { Cache, KeysOptions, ScopedCache } from "./api.js";
import { type Dimensions, extend, prefixOf, type ScopeDimensions } from "./dimensions.js";
import { CacheClosedError, InvalidArgumentError, ScopeRequiredError, show } from "./errors.js";
import type { CacheEvents } from "./events.js";
import type { BatchLoader, Loader } from "./load/context.js";
import type { LoadOptions } from "./load/options.js";
import type { Refreshing } from "./load/refresher.js";
import type { SetOptions, TtlOptions } from "./options.js";
import type { WriteOptions } from "./origin.js";
import { scopedBatchLoader, scopedLoader, scopedOptions } from "./scoped-loading.js";
import type { CacheStats } from "./stats.js";
import type { Duration } from "./units.js";
import { UNSCOPED, unscoped, type View } from "./views.js";
import { write } from "./write/write.js";

/**
 * A view of a cache whose keys carry `dimensions`.
 *
 * @throws {@link InvalidArgumentError} if there is no dimension, or one has no value: `undefined`, `null`, an empty text,
 * NaN. A scope whose tenant is missing by mistake would be everybody's.
 * @example
 * ```ts
 * const reports = scoped(cache, { tenant: request.tenant, locale: request.locale });
 * reports.set("sales", report);
 * reports.clear(); // this tenant's in this locale, nobody else's
 * ```
 */
export function scoped<T>(cache: Cache<T>, dimensions: ScopeDimensions): ScopedCache<T> {
  return new ScopeView(cache, extend({}, dimensions), [], false);
}

/**
 * A cache that can be used with a scope only: every use of a key throws {@link ScopeRequiredError} until `scope` has given
 * all dimensions of `names`. `invalidateTags`, events, `flush`, `stats` and `close` are the cache's.
 *
 * @param names The dimensions that must be there; more are allowed.
 * @throws {@link InvalidArgumentError} if `names` is empty or no array of names.
 * @example
 * ```ts
 * const cache = requireScope(createCache({ maxMemory: "256mb", ttl: "10m" }), ["tenant"]);
 * cache.get("sales");                             // throws: tenant is missing
 * cache.scope({ tenant: "acme" }).get("sales");
 * ```
 */
export function requireScope<T>(cache: Cache<T>, names: readonly string[]): ScopedCache<T> {
  if (!Array.isArray(names) || names.length === 0 || names.some((name) => typeof name !== "string" || name === "")) {
    const message = `requireScope needs the names of dimensions, at least one; it got ${show(names)}.`;
    throw new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value: names });
  }
  return new ScopeView(cache, {}, [...names], true);
}

class ScopeView<T> implements ScopedCache<T>, View<T> {
  readonly dimensions: Dimensions;
  readonly #cache: Cache<T>;
  readonly #prefix: string;
  readonly #required: readonly string[];
  readonly #missing: readonly string[];
  /** This handle is the cache's only one, so that closing it closes the cache. */
  readonly #isOwner: boolean;
  #isClosed = false;

  constructor(cache: Cache<T>, dimensions: Dimensions, required: readonly string[], isOwner: boolean) {
    this.dimensions = dimensions;
    this.#cache = cache;
    this.#prefix = prefixOf(dimensions);
    this.#required = required;
    this.#missing = required.filter((name) => !Object.hasOwn(dimensions, name));
    this.#isOwner = isOwner;
  }

  scope(dimensions: ScopeDimensions): ScopedCache<T> {
    return new ScopeView(this.#cache, extend(this.dimensions, dimensions), this.#required, false);
  }

  namespace(name: string): ScopedCache<T> {
    return this.scope({ namespace: name });
  }

  get(key: string): T | undefined {
    return this.#cache.get(this.#full(key));
  }

  set(key: string, value: T, options?: SetOptions | Duration): void {
    this.#cache.set(this.#full(key), value, this.#options(options));
  }

  store(key: string, value: T, options?: SetOptions | Duration): Promise<void> {
    return this.#rejecting(() => this.#cache.store(this.#full(key), value, this.#options(options)));
  }

  remove(key: string): Promise<boolean> {
    return this.#rejecting(() => this.#cache.remove(this.#full(key)));
  }

  write(key: string, value: T, options: WriteOptions<T>): Promise<void> {
    return write(this, key, value, options);
  }

  has(key: string): boolean {
    return this.#cache.has(this.#full(key));
  }

  delete(key: string): boolean {
    return this.#cache.delete(this.#full(key));
  }

  peek(key: string): T | undefined {
    return this.#cache.peek(this.#full(key));
  }

  ttl(key: string): number | undefined {
    return this.#cache.ttl(this.#full(key));
  }

  touch(key: string, options?: TtlOptions | Duration): boolean {
    return this.#cache.touch(this.#full(key), options);
  }

  expire(key: string): boolean {
    return this.#cache.expire(this.#full(key));
  }

  getMany(keys: Iterable<string>): (T | undefined)[] {
    return this.#cache.getMany(this.#fullKeys(keys));
  }

  setMany(entries: Iterable<readonly [key: string, value: T]>, options?: SetOptions | Duration): void {
    this.#open();
    this.#cache.setMany(
      mapped(entries, (entry) => (Array.isArray(entry) ? [this.#full(entry[0]), entry[1]] : entry)),
      this.#options(options),
    );
  }

  deleteMany(keys: Iterable<string>): number {
    return this.#cache.deleteMany(this.#fullKeys(keys));
  }

  deletePrefix(prefix: string): number {
    return this.#cache.deletePrefix(this.#full(prefix));
  }

  deletePattern(pattern: string): number {
    // No prefix holds an asterisk: it is encoded.
    return this.#cache.deletePattern(this.#full(pattern));
  }

  invalidateTags(...tags: string[]): void {
    if (this.#isOwner && !this.#isClosed) {
      this.#cache.invalidateTags(...tags);
    } else {
      this.#open();
      this.#cache.invalidateTags(...tags.map((tag) => (tag === "" ? tag : this.#full(tag))));
    }
  }

  bumpVersion(): void {
    this.clear();
  }

  clear(): void {
    this.#cache.deletePrefix(this.#open());
  }

  keys(options: KeysOptions = {}): IterableIterator<string> {
    const { length } = this.#open();
    return mapped(this.#cache.keys(this.#scopedPrefix(options)), (key) => key.slice(length));
  }

  entries(options: KeysOptions = {}): IterableIterator<[key: string, value: T]> {
    const { length } = this.#open();
    return mapped(this.#cache.entries(this.#scopedPrefix(options)), ([key, value]) => [key.slice(length), value]);
  }

  get size(): number {
    let count = 0;
    for (const _ of this.#cache.keys({ prefix: this.#open() })) {
      count++;
    }
    return count;
  }

  getOrLoad(
    key: string,
    loader?: Loader<T> | LoadOptions | Duration,
    options?: LoadOptions | Duration,
  ): Promise<T | undefined> {
    return this.#rejecting(() =>
      typeof loader === "function"
        ? this.#cache.getOrLoad(this.#full(key), scopedLoader(this.#prefix, loader), this.#options(options))
        : // Without a loader the second argument is the options; what is neither, the cache refuses.
          this.#cache.getOrLoad(this.#full(key), this.#options(loader) as Loader<T>, options),
    );
  }

  getManyOrLoad(
    keys: Iterable<string>,
    loader: BatchLoader<T>,
    options?: LoadOptions | Duration,
  ): Promise<(T | undefined)[]> {
    return this.#rejecting(() =>
      this.#cache.getManyOrLoad(this.#fullKeys(keys), scopedBatchLoader(this.#open(), loader), this.#options(options)),
    );
  }

  getOrSet(key: string, make: (key: string) => T, options?: SetOptions | Duration): T {
    const inScope = typeof make === "function" ? () => make(key) : make;
    return this.#cache.getOrSet(this.#full(key), inScope, this.#options(options));
  }

  wrap<A extends unknown[]>(
    fn: (...args: A) => T | undefined | PromiseLike<T | undefined>,
    options: { readonly key: (...args: A) => string } & LoadOptions,
  ): (...args: A) => Promise<T | undefined> {
    this.#open();
    const key = options?.key;
    const inScope = typeof key === "function" ? { key: (...args: A) => this.#full(key(...args)) } : {};
    return this.#cache.wrap(fn, { ...(this.#options(options) as typeof options), ...inScope });
  }

  refreshEvery(
    keys: Iterable<string>,
    every: Duration,
    loader?: Loader<T> | LoadOptions,
    options?: LoadOptions,
  ): Refreshing {
    const prefix = this.#open();
    return typeof loader === "function"
      ? this.#cache.refreshEvery(
          this.#fullKeys(keys),
          every,
          scopedLoader(prefix, loader),
          this.#options(options) as LoadOptions,
        )
      : this.#cache.refreshEvery(this.#fullKeys(keys), every, this.#options(loader) as Loader<T>, options);
  }

  on<E extends keyof CacheEvents>(event: E, listener: (details: CacheEvents[E]) => void): this {
    this.#cache.on(event, listener);
    return this;
  }

  off<E extends keyof CacheEvents>(event: E, listener: (details: CacheEvents[E]) => void): this {
    this.#cache.off(event, listener);
    return this;
  }

  flush(): Promise<void> {
    return this.#cache.flush();
  }

  stats(): CacheStats {
    return this.#cache.stats();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#isOwner) {
      this.#cache.close();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  [UNSCOPED](key: string): [cache: Cache<T>, key: string] {
    return unscoped(this.#cache, this.#full(key));
  }

  /** The key in the cache. What is no string stays as it is: the cache says what is wrong with it. */
  #full(key: string): string {
    const prefix = this.#open();
    return typeof key === "string" ? prefix + key : key;
  }

  #fullKeys(keys: Iterable<string>): Iterable<string> {
    this.#open();
    return mapped(keys, (key) => this.#full(key));
  }

  #options<O extends SetOptions | LoadOptions>(options: O | Duration | undefined): O | Duration | undefined {
    return scopedOptions(this.#prefix, options);
  }

  #scopedPrefix(options: KeysOptions): KeysOptions {
    const isFine = typeof options === "object" && options !== null && typeof (options.prefix ?? "") === "string";
    return isFine ? { prefix: this.#prefix + (options.prefix ?? "") } : options;
  }

  #rejecting<R>(body: () => Promise<R>): Promise<R> {
    try {
      return body();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The prefix, for a view that may be used. */
  #open(): string {
    if (this.#isClosed) {
      throw new CacheClosedError("ERR_CACHE_CLOSED", "The view of the cache was used after it was closed.");
    }
    if (this.#missing.length > 0) {
      const names = this.#missing.map(show).join(", ");
      const message = `The cache demands a scope, and ${names} is missing: use cache.scope({ ${this.#missing.join(", ")} }).`;
      throw new ScopeRequiredError("ERR_SCOPE_REQUIRED", message, { missing: this.#missing });
    }
    return this.#prefix;
  }
}

/** Lazily; what can't be iterated over is handed on, for the cache to say so. */
function mapped<A, B>(values: Iterable<A>, change: (value: A) => B): IterableIterator<B> {
  if (typeof values === "string" || typeof values?.[Symbol.iterator] !== "function") {
    return values as unknown as IterableIterator<B>;
  }
  return (function* () {
    for (const value of values) {
      yield change(value);
    }
  })();
}
