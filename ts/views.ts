/** How a view of a cache says which cache it is a view of. */
import type { Cache } from "./api.js";

/** The method by which a view gives the cache behind it, and the key as it stands there; the same in all copies of the package. */
export const UNSCOPED: unique symbol = Symbol.for("nearcache.unscoped");

/** A view. */
export interface View<T> {
  [UNSCOPED](key: string): [cache: Cache<T>, key: string];
}

/**
 * The cache behind a view and the key as it stands there; any other cache and its key as they are.
 * @internal
 */
export function unscoped<T>(cache: Cache<T>, key: string): [cache: Cache<T>, key: string] {
  return UNSCOPED in cache ? (cache as unknown as View<T>)[UNSCOPED](key) : [cache, key];
}
