/**
 * The cache behind api.ts: looks into L0 first, asks the store then, and keeps both sides' rules.
 *
 * `get` is the hot path, and the order of its few loads is its design (see l0.ts). All else may take its time. Every call
 * into the addon goes through a `try` that turns the addon's errors into ours.
 */
import type { Cache, KeysOptions } from "./api.js";
import { CacheClosedError, fromNative, InvalidArgumentError, NoRoomError, show, ValueTooLargeError } from "./errors.js";
import { L0 } from "./l0.js";
import { acquireLoads, type Loader, type LoadOwner, type Loads, releaseLoads } from "./load.js";
import { Header, loadNative, type NativeCache, type NativeModule } from "./native.js";
import {
  type CacheOptions,
  type LoadOptions,
  type ResolvedOptions,
  resolveOptions,
  resolveTtl,
  type SetOptions,
} from "./options.js";
import { buildStats, type CacheStats } from "./stats.js";
import type { Duration } from "./units.js";
import { newScratch, type Snapshot, Values } from "./values.js";

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
export function createCache<T = unknown>(options: CacheOptions): Cache<T> {
  const addon = loadNative();
  const resolved = resolveOptions(options, addon.limits);
  return resolved.l0EntriesMax > 0 ? new NearCache<T>(addon, resolved) : new CacheWithoutL0<T>(addon, resolved);
}

class NearCache<T> implements Cache<T> {
  #l0: L0;
  readonly #native: NativeCache;
  /** `native.get` by itself: the object is too large for V8 to give its members fixed places, so a look-up in it costs. */
  protected readonly nativeGet: NativeCache["get"];
  protected readonly values: Values;
  readonly #loads: Loads;
  readonly #owner: LoadOwner;
  readonly #name: string | undefined;
  readonly #ttlMsMax: number;
  #isClosed = false;

  constructor(addon: NativeModule, options: ResolvedOptions) {
    const scratch = newScratch();
    this.#native = open(addon, options, scratch);
    this.nativeGet = this.#native.get;
    const maxValueSize = this.#native.stats().maxValueSize;
    this.values = new Values(this.#native, scratch, maxValueSize, options.isFrozen, options.codec);
    const signal = options.l0EntriesMax > 0 ? this.#native.signal() : null;
    this.#l0 = new L0(this.#native, signal, options.l0EntriesMax, addon.limits.tickMs);
    this.#ttlMsMax = addon.limits.ttlMsMax;
    this.#name = options.name;
    this.#loads = acquireLoads(options.name);
    this.#owner = {
      snapshot: (value) => this.#call(() => this.values.snapshot(value)),
      storeLoaded: (key, snapshot, ttlMs) => this.#storeLoaded(key, snapshot, ttlMs),
    };
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
    const ttlMs = resolveTtl(options, this.#ttlMsMax);
    this.#write(key, value, ttlMs);
  }

  has(key: string): boolean {
    try {
      return this.#native.has(key);
    } catch (error) {
      throw fromNative(error, key);
    }
  }

  delete(key: string): boolean {
    try {
      const isDeleted = this.#native.delete(key);
      if (this.#loads.size > 0) {
        this.#loads.supersede(key);
      }
      return isDeleted;
    } catch (error) {
      throw fromNative(error, key);
    }
  }

  peek(key: string): T | undefined {
    try {
      const raw = this.#native.peek(key);
      return raw === undefined ? undefined : (this.values.read(raw, key) as T);
    } catch (error) {
      throw fromNative(error, key);
    }
  }

  ttl(key: string): number | undefined {
    return this.#call(() => this.#native.ttl(key), key);
  }

  touch(key: string, options?: SetOptions | Duration): boolean {
    const ttlMs = resolveTtl(options, this.#ttlMsMax);
    return ttlMs === 0 ? this.delete(key) : this.#call(() => this.#native.touch(key, ttlMs), key);
  }

  getMany(keys: Iterable<string>): (T | undefined)[] {
    const values: (T | undefined)[] = [];
    for (const key of iterable(keys, "getMany", "keys")) {
      values.push(this.get(key));
    }
    return values;
  }

  setMany(entries: Iterable<readonly [string, T]>, options?: SetOptions | Duration): void {
    const ttlMs = resolveTtl(options, this.#ttlMsMax);
    for (const entry of iterable(entries, "setMany", "pairs of key and value")) {
      if (!Array.isArray(entry)) {
        throw invalid(`setMany needs pairs of key and value; there is ${show(entry)}.`, entry);
      }
      this.#write(entry[0] as string, entry[1] as T, ttlMs);
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
      this.#loads.supersedePrefix(prefix);
      return count;
    });
  }

  clear(): void {
    this.#call(() => {
      this.#native.clear();
      this.#loads.supersedePrefix("");
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

  getOrLoad(key: string, loader: Loader<T>, options?: LoadOptions | Duration): Promise<T | undefined> {
    try {
      if (typeof loader !== "function") {
        throw invalid(`getOrLoad needs a function that loads; it is ${show(loader)}.`, loader);
      }
      const ttlMs = resolveTtl(options, this.#ttlMsMax, LOAD_OPTIONS);
      const signal = signalOf(options);
      signal?.throwIfAborted();
      const value = this.get(key);
      if (value !== undefined) {
        return Promise.resolve(value);
      }
      return this.#loads.join(key, loader as Loader<unknown>, this.#owner, ttlMs, signal) as Promise<T | undefined>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  getOrSet(key: string, loader: Loader<T>, options?: LoadOptions | Duration): Promise<T | undefined> {
    return this.getOrLoad(key, loader, options);
  }

  stats(): CacheStats {
    return this.#call(() => {
      this.#l0.reportHits();
      return buildStats(this.#native.stats(), this.#l0);
    });
  }

  close(): void {
    if (this.#isClosed) {
      return;
    }
    this.#isClosed = true;
    this.#l0.reportHits();
    // The signal line goes with the store: nothing may look at it any more.
    this.#l0 = L0.off();
    const reason = new CacheClosedError("ERR_CACHE_CLOSED", "The cache was closed while the value was being loaded.");
    this.#loads.closeOwner(this.#owner, reason);
    releaseLoads(this.#name);
    this.#call(() => this.#native.close());
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Reads what `get` did not find in L0: from L0 all the same if it had to catch up first, else from the store. */
  #getShared(key: string): unknown {
    const l0 = this.#l0;
    try {
      if (!l0.isOn) {
        const raw = this.nativeGet(key);
        return typeof raw === "boolean" ? this.values.read(raw, key) : raw;
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
    const older = raw === true ? l0.old.get(key) : undefined;
    const value = older ?? values.read(raw, key);
    if (isWatched && (older !== undefined || values.isShareable) && l0.drains === drains && l0 === this.#l0) {
      l0.put(key, value, expiry);
    }
    return value;
  }

  #write(key: string, value: T, ttlMs: number | undefined): void {
    try {
      this.values.write(key, value, ttlMs);
      if (this.#loads.size > 0) {
        this.#loads.supersede(key);
      }
    } catch (error) {
      throw fromNative(error, key);
    }
  }

  #storeLoaded(key: string, snapshot: Snapshot, ttlMs: number | undefined): void {
    try {
      this.#call(() => {
        // This thread's writes supersede a load; what another thread has stored meanwhile is newer, too.
        snapshot.writeIfAbsent(key, ttlMs);
      });
    } catch (error) {
      if (!(error instanceof ValueTooLargeError || error instanceof NoRoomError)) {
        throw error;
      }
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
      return (typeof raw === "boolean" ? this.values.read(raw, key) : raw) as T | undefined;
    } catch (error) {
      throw fromNative(error, key);
    }
  }
}

const LOAD_OPTIONS = ["ttl", "signal"];

function open(addon: NativeModule, options: ResolvedOptions, scratch: ArrayBuffer): NativeCache {
  try {
    return addon.open({
      ...(options.name === undefined ? {} : { name: options.name }),
      ...(options.maxValueSize === undefined ? {} : { maxValueSize: options.maxValueSize }),
      maxMemory: options.maxMemory,
      defaultTtlMs: options.ttlMs,
      fingerprint: JSON.stringify({ codec: options.codec === undefined ? "built-in" : "custom" }),
      scratch,
      watch: options.l0EntriesMax > 0,
    });
  } catch (error) {
    throw fromNative(error);
  }
}

function signalOf(options: LoadOptions | Duration | undefined): AbortSignal | undefined {
  const signal: unknown = typeof options === "object" ? options.signal : undefined;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalid(`The option signal must be an AbortSignal; it is ${show(signal)}.`, signal);
  }
  return signal;
}

function prefixOf(options: KeysOptions): string {
  const prefix: unknown = options?.prefix ?? "";
  if (typeof options !== "object" || options === null || typeof prefix !== "string") {
    throw invalid(`keys takes { prefix } with text for a prefix; it got ${show(prefix)}.`, options);
  }
  return prefix;
}

function iterable<V>(values: Iterable<V>, method: string, what: string): Iterable<V> {
  if (typeof values === "string" || typeof values?.[Symbol.iterator] !== "function") {
    throw invalid(`${method} needs something to iterate over, with ${what}; it got ${show(values)}.`, values);
  }
  return values;
}

function invalid(message: string, value: unknown): InvalidArgumentError {
  return new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value });
}
