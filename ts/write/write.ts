/** One call for both write patterns: where the value goes says which. */
import type { Cache } from "../api.js";
import { fail } from "../checks.js";
import type { WriteOptions, WriteTarget } from "../origin.js";
import { unscoped } from "../views.js";
import { WriteBehind } from "./behind.js";
import { writeThrough } from "./through.js";

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
    // What is no function either, it refuses.
    return writeThrough(cache, key, value, { ...rest, to: to as WriteTarget<T> });
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
