/**
 * nearcache/keyv: a nearcache as a store of Keyv 5.
 *
 * Keyv wraps each value as `{ value, expires }` and, unless told otherwise, makes JSON text of that. The store takes both.
 * {@link createKeyv} switches the JSON off: nearcache encodes values itself, and knows more types than JSON.
 * @packageDocumentation
 * @module nearcache/keyv
 */
import { EventEmitter } from "node:events";
import { Keyv, type KeyvOptions, type KeyvStoreAdapter } from "keyv";
import type { Cache } from "../api.js";
import { createCache } from "../cache.js";
import type { CacheOptions } from "../options.js";

/**
 * A Keyv store on a cache. A cache that is given stays yours: `disconnect` leaves it open. Given options, the store creates
 * one, which `disconnect` closes.
 *
 * Entries without a TTL of Keyv's live as long as the cache's `ttl` says. A cache that other code uses, too, is best given
 * as a view (`scoped(cache, { use: "keyv" })`): without a namespace `clear()` deletes all that the store can see.
 *
 * @example
 * ```ts
 * import { Keyv } from "keyv";
 *
 * const keyv = new Keyv({ store: new KeyvNearcache({ maxMemory: "64mb", ttl: "1h" }), namespace: "users" });
 * ```
 */
export class KeyvNearcache extends EventEmitter implements KeyvStoreAdapter {
  /**
   * Keyv offers `iterator()` only on stores whose dialect is one that it knows, and asks for a `url` otherwise. Nothing
   * else depends on it.
   */
  readonly opts = {
    /** One that Keyv knows. */
    dialect: "redis",
    /** Only has to be there. */
    url: "nearcache:",
  };
  /** Set by Keyv: what the keys of its instance begin with, before a colon. */
  namespace: string | undefined = undefined;
  /** The cache behind it. */
  readonly cache: Cache<unknown>;
  readonly #isOwner: boolean;

  /** @throws What {@link createCache} throws, if options are given. */
  constructor(cache: Cache<unknown> | CacheOptions) {
    super();
    this.#isOwner = !isCache(cache);
    this.cache = isCache(cache) ? cache : createCache(cache);
  }

  /** The value as Keyv set it, or `undefined`. */
  async get<Value>(key: string): Promise<Value | undefined> {
    return this.cache.get(key) as Value | undefined;
  }

  /** The values of several keys, in their order. */
  async getMany<Value>(keys: string[]): Promise<(Value | undefined)[]> {
    return this.cache.getMany(keys) as (Value | undefined)[];
  }

  /** Stores a value for `ttl` milliseconds, or as long as the cache's `ttl` says. Rejects with what `Cache.set` throws. */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    this.#write(key, value, ttl);
    return true;
  }

  /** Stores several values. What can't be stored is emitted as `error` and is `false` in the result. */
  // Keyv's type of it promises nothing; what it hands on to its callers is this.
  async setMany(entries: { key: string; value: unknown; ttl?: number }[]): Promise<boolean[] & undefined> {
    const stored = entries.map(({ key, value, ttl }) => {
      try {
        this.#write(key, value, ttl);
        return true;
      } catch (error) {
        this.emit("error", error);
        return false;
      }
    });
    return stored as boolean[] & undefined;
  }

  /** Deletes a key; whether it was there. */
  async delete(key: string): Promise<boolean> {
    return this.cache.delete(key);
  }

  /** Deletes several keys; whether all of them were there. */
  async deleteMany(keys: string[]): Promise<boolean> {
    return this.cache.deleteMany(keys) === keys.length;
  }

  /** Whether a key is there. */
  async has(key: string): Promise<boolean> {
    return this.cache.has(key);
  }

  /** Whether each of several keys is there. */
  async hasMany(keys: string[]): Promise<boolean[]> {
    return keys.map((key) => this.cache.has(key));
  }

  /** Deletes the keys of the namespace, or all if there is none. Walks the whole store, if there is one. */
  async clear(): Promise<void> {
    if (this.namespace === undefined) {
      this.cache.clear();
    } else {
      this.cache.deletePrefix(`${this.namespace}:`);
    }
  }

  /** Keys (with their namespace) and values. */
  async *iterator<Value>(namespace?: string): AsyncGenerator<(string | Awaited<Value> | undefined)[], void> {
    const options = namespace === undefined ? {} : { prefix: `${namespace}:` };
    yield* this.cache.entries(options) as Iterable<[string, Awaited<Value>]>;
  }

  /** Closes the cache if the store has created it. */
  async disconnect(): Promise<void> {
    if (this.#isOwner) {
      this.cache.close();
    }
  }

  #write(key: string, value: unknown, ttl: number | undefined): void {
    this.cache.set(key, value, { ttl });
  }
}

/**
 * A Keyv on a cache, without JSON: values come back as nearcache gives them (deep-frozen by default, `values: "copy"` for
 * copies), with dates, maps, sets, bytes and bigints intact. What can't be cached (a function, a class instance) makes
 * Keyv emit `error` and `set` resolve to `false`.
 *
 * @param options Keyv's own. `serialize`, `deserialize` and `compression` have no place here.
 * @example
 * ```ts
 * const keyv = createKeyv({ maxMemory: "64mb", ttl: "1h" }, { namespace: "users" });
 * await keyv.set("42", { joined: new Date() }, 60_000);
 * ```
 */
export function createKeyv<T = unknown>(
  cache: Cache<unknown> | CacheOptions,
  options: Omit<KeyvOptions, "store" | "serialize" | "deserialize" | "compression"> = {},
): Keyv<T> {
  const keyv = new Keyv<T>({ ...options, store: new KeyvNearcache(cache) });
  keyv.serialize = undefined;
  keyv.deserialize = undefined;
  return keyv;
}

function isCache(value: Cache<unknown> | CacheOptions): value is Cache<unknown> {
  return typeof (value as Partial<Cache<unknown>> | undefined)?.getOrLoad === "function";
}
