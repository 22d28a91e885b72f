/**
 * Views of a cache whose keys carry a scope: whose data it is, for whom it was made.
 *
 * A scoped key is `@name=value&name=value|key`, the names in ascending order, names and values encoded by keys.ts.
 *
 * Invariant: `|` ends the prefix of a scope and occurs in none before its end. So no prefix begins another, scopes that
 * differ in any dimension share no key, and a key within a scope may hold anything. An unscoped key of the same cache can
 * spell a scoped one; {@link requireScope} is for caches in which that must not happen.
 */
import type { Cache, KeysOptions } from "./api.js";
import { CacheClosedError, InvalidArgumentError, ScopeRequiredError, show } from "./errors.js";
import { encodePart, type KeyPart } from "./keys.js";
import type { Loader } from "./load.js";
import type { LoadOptions, SetOptions } from "./options.js";
import type { CacheStats } from "./stats.js";
import type { Duration } from "./units.js";

/** What a scope is made of: names of your choice with a value each, as in `{ tenant: "acme", user: 42 }`. */
export type ScopeDimensions = Readonly<Record<string, KeyPart>>;

/**
 * A cache as one scope sees it. Keys that go in and come out are those within the scope; what `keys`, `entries`,
 * `deletePrefix`, `clear` and `size` see and touch is the scope's own. Scopes are disjoint: `{ tenant }` does not contain
 * `{ tenant, user }`.
 *
 * `size` and `clear` walk the whole store, as `deletePrefix` does. `stats()` is the whole cache's. `close()` ends the view
 * and leaves the cache open.
 */
export interface ScopedCache<T> extends Cache<T> {
  /** The dimensions of this scope, in ascending order of their names, values as text. */
  readonly dimensions: Readonly<Record<string, string>>;

  /**
   * A view with more dimensions. The order in which they are added does not matter.
   * @throws {@link InvalidArgumentError} if a dimension has no value, or is there already with another one.
   * @example `const mine = tenantCache.scope({ user: session.userId });`
   */
  scope(dimensions: ScopeDimensions): ScopedCache<T>;
}

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
 * all dimensions of `names`. `stats()` and `close()` are the cache's.
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
    throw invalid(`requireScope needs the names of dimensions, at least one; it got ${show(names)}.`, names);
  }
  return new ScopeView(cache, {}, [...names], true);
}

/**
 * The cache behind a view and the key as it stands there; any other cache and its key as they are.
 * @internal
 */
export function unscoped<T>(cache: Cache<T>, key: string): [cache: Cache<T>, key: string] {
  return cache instanceof ScopeView ? cache.unscoped(key) : [cache, key];
}

class ScopeView<T> implements ScopedCache<T> {
  readonly dimensions: Readonly<Record<string, string>>;
  readonly #cache: Cache<T>;
  readonly #prefix: string;
  readonly #required: readonly string[];
  readonly #missing: readonly string[];
  /** This handle is the cache's only one, so that closing it closes the cache. */
  readonly #isOwner: boolean;
  #isClosed = false;

  constructor(
    cache: Cache<T>,
    dimensions: Readonly<Record<string, string>>,
    required: readonly string[],
    isOwner: boolean,
  ) {
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

  get(key: string): T | undefined {
    return this.#cache.get(this.#full(key));
  }

  set(key: string, value: T, options?: SetOptions | Duration): void {
    this.#cache.set(this.#full(key), value, options);
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

  touch(key: string, options?: SetOptions | Duration): boolean {
    return this.#cache.touch(this.#full(key), options);
  }

  getMany(keys: Iterable<string>): (T | undefined)[] {
    return this.#cache.getMany(this.#fullKeys(keys));
  }

  setMany(entries: Iterable<readonly [key: string, value: T]>, options?: SetOptions | Duration): void {
    this.#open();
    this.#cache.setMany(
      mapped(entries, (entry) => (Array.isArray(entry) ? [this.#full(entry[0]), entry[1]] : entry)),
      options,
    );
  }

  deleteMany(keys: Iterable<string>): number {
    return this.#cache.deleteMany(this.#fullKeys(keys));
  }

  deletePrefix(prefix: string): number {
    return this.#cache.deletePrefix(this.#full(prefix));
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

  getOrLoad(key: string, loader: Loader<T>, options?: LoadOptions | Duration): Promise<T | undefined> {
    try {
      const inScope: Loader<T> =
        typeof loader === "function" ? (_, context) => loader(key, context) : (loader as Loader<T>);
      return this.#cache.getOrLoad(this.#full(key), inScope, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  getOrSet(key: string, loader: Loader<T>, options?: LoadOptions | Duration): Promise<T | undefined> {
    return this.getOrLoad(key, loader, options);
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

  /** @internal */
  unscoped(key: string): [cache: Cache<T>, key: string] {
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

  #scopedPrefix(options: KeysOptions): KeysOptions {
    const isFine = typeof options === "object" && options !== null && typeof (options.prefix ?? "") === "string";
    return isFine ? { prefix: this.#prefix + (options.prefix ?? "") } : options;
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

/** The dimensions of both; a dimension never changes its value. */
function extend(outer: Readonly<Record<string, string>>, added: ScopeDimensions): Readonly<Record<string, string>> {
  if (typeof added !== "object" || added === null || Array.isArray(added) || Object.keys(added).length === 0) {
    throw invalid(`A scope needs dimensions, as in { tenant: "acme" }; it got ${show(added)}.`, added);
  }
  const all = new Map(Object.entries(outer));
  for (const [name, value] of Object.entries(added)) {
    const text = valueText(name, value);
    const before = all.get(name);
    if (before !== undefined && before !== text) {
      const message = `The scope has ${show(name)} ${show(before)}; a scope within it can't make it ${show(text)}.`;
      throw invalid(message, added);
    }
    all.set(name, text);
  }
  const sorted = [...all].sort(([a], [b]) => (a < b ? -1 : 1));
  // Not by assignment: a dimension named __proto__ is one like any other.
  return Object.freeze(Object.fromEntries(sorted));
}

function valueText(name: string, value: unknown): string {
  // An encoded part is made only to have the type checked; what is kept is the text itself.
  encodePart(value, `scope's ${show(name)}`);
  if (name === "" || value === "") {
    throw invalid(`The scope's ${show(name)} is ${show(value)}; names and values of dimensions can't be empty.`, value);
  }
  return String(value);
}

function prefixOf(dimensions: Readonly<Record<string, string>>): string {
  const parts = Object.entries(dimensions).map(
    ([name, value]) => `${encodePart(name, "scope's name")}=${encodePart(value, "scope's value")}`,
  );
  return `@${parts.join("&")}|`;
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

function invalid(message: string, value: unknown): InvalidArgumentError {
  return new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value });
}
