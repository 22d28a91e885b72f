/** One call for both write patterns: where the value goes says which. */
import type { Cache } from "../api.js";
import { fail } from "../checks.js";
import { unscoped } from "../scope.js";
import { WriteBehind } from "./behind.js";
import { type WriteTarget, type WriteThroughOptions, writeThrough } from "./through.js";

/** Options of {@link write}. */
export interface WriteOptions<T> extends Omit<WriteThroughOptions<T>, "to"> {
  /** The origin, for write-through; a {@link WriteBehind} of this cache, for write-behind. */
  readonly to: WriteTarget<T> | WriteBehind<T>;
  /** What `to` must be, for those who want to have it said. */
  readonly mode?: "through" | "behind" | undefined;
}

/**
 * Writes a value into a cache and to where it is kept for good: as {@link writeThrough} if `to` is a function, as
 * {@link WriteBehind.write} if it is a {@link WriteBehind}. With the latter `signal` says only that nothing is to be begun.
 *
 * Rejects with what these reject with, and with an {@link InvalidOptionError} if `to` is neither, is another cache's, or is
 * not what `mode` says.
 * @example
 * ```ts
 * await write(users, "user:42", user, { to: (_, value) => db.saveUser(value) });
 * await write(users, "user:42", user, { to: lastSeen }); // a WriteBehind
 * ```
 */
export async function write<T>(cache: Cache<T>, key: string, value: T, options: WriteOptions<T>): Promise<void> {
  const { to, mode, ...rest } = options ?? {};
  const isBehind = to instanceof WriteBehind;
  if (mode !== undefined && mode !== (isBehind ? "behind" : "through")) {
    fail("mode", mode, isBehind ? '"behind", as to is a WriteBehind' : '"through", as to is no WriteBehind');
  }
  if (!isBehind) {
    return writeThrough(cache, key, value, { ...rest, to });
  }
  const { signal, ...setOptions } = rest;
  signal?.throwIfAborted();
  if (to.cache === cache) {
    return to.write(key, value, setOptions);
  }
  const [base, fullKey] = unscoped(cache, key);
  return to.cache === base
    ? to.write(fullKey, value, setOptions)
    : fail("to", to, "a WriteBehind that was made for this cache, or for the one that this is a view of");
}
