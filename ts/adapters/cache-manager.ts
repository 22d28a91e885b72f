/**
 * nearcache/cache-manager: a nearcache as a store of cache-manager 7 (and so of `@nestjs/cache-manager` 3 and newer).
 * cache-manager takes Keyv instances as stores; this makes one.
 * @packageDocumentation
 * @module nearcache/cache-manager
 */
import type { Keyv } from "keyv";
import type { Cache } from "../api.js";
import type { CacheOptions } from "../options.js";
import { createKeyv } from "./keyv.js";

/**
 * A store for cache-manager. A cache that is given stays yours: `disconnect` leaves it open, and `clear` empties it, so
 * give a view (`scoped(cache, { use: "manager" })`) of one that others use. Given options, the store creates a cache,
 * which `disconnect` closes.
 *
 * Entries live as long as cache-manager's TTL says, or else as the cache's `ttl` says. Put it first if there are several
 * stores: it is the nearest.
 *
 * @throws What {@link createCache} throws, if options are given.
 * @example
 * ```ts
 * import { createCache } from "cache-manager";
 * import { nearcacheStore } from "nearcache/cache-manager";
 *
 * const manager = createCache({ stores: [nearcacheStore({ maxMemory: "128mb", ttl: "1h" })], ttl: 60_000 });
 * ```
 */
export function nearcacheStore(cache: Cache<unknown> | CacheOptions): Keyv {
  // The manager's errors reach its callers: a value that can't be cached rejects, and is not lost in silence.
  const keyv: Keyv = createKeyv(cache, { throwOnErrors: true });
  // The manager's keys as they are: Keyv would put "keyv:" before each.
  keyv.namespace = undefined;
  return keyv;
}
