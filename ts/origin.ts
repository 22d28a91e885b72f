/** What an origin, where values are kept for good, is to the cache that writes to it. */
import type { SetOptions } from "./options.js";
import type { Duration } from "./units.js";

/** What an origin is given beside key and value. */
export interface WriteContext {
  /** The caller's signal. An origin that stops when it aborts ends a write that nobody waits for. */
  readonly signal: AbortSignal | undefined;
}

/** Where values are kept for good: writes one, and returns (or resolves) when it has committed. */
export type WriteTarget<T> = (key: string, value: T, context: WriteContext) => unknown;

/** Writes to an origin behind the cache, in batches: a `WriteBehind`. */
export interface BehindWriter<T> {
  /** Takes a value that the origin is to have; resolves when it is cached and waits for its turn. */
  write(key: string, value: T, options?: SetOptions | Duration): Promise<void>;
}

/** Options of {@link Cache.write}. */
export interface WriteOptions<T> extends SetOptions {
  /** The origin, for write-through; a `WriteBehind` of this cache, for write-behind. */
  readonly to: WriteTarget<T> | BehindWriter<T>;
  /** What `to` must be, for those who want to have it said. */
  readonly mode?: "through" | "behind" | undefined;
  /** Rejects the call with the signal's reason. Whether the origin has the value is then unknown. */
  readonly signal?: AbortSignal | undefined;
}
