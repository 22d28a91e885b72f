/**
 * Write-through: the origin first, the cache once the origin has committed.
 *
 * Invariants. Writes of one key are made one after the other in a thread, so that the cache ends with what the origin ends
 * with. A write whose outcome is unknown (it failed, or its caller left) leaves no entry: what was cached may be out of
 * date, and what was to be written may never have arrived. What other threads and processes write at the same time is
 * not put in order here.
 */
import type { Cache } from "../api.js";
import { fail } from "../checks.js";
import { CacheClosedError, NoRoomError, show, ValueTooLargeError, WriteFailedError } from "../errors.js";
import { checkTtl, type SetOptions } from "../options.js";
import type { WriteTarget } from "../origin.js";
import { unscoped } from "../views.js";

/** Options of {@link writeThrough}. */
export interface WriteThroughOptions<T> extends SetOptions {
  /** The origin. What it throws, or rejects with, is the `cause` of the {@link WriteFailedError}. */
  readonly to: WriteTarget<T>;
  /** Rejects the call with the signal's reason. Whether the origin has the value is then unknown. */
  readonly signal?: AbortSignal | undefined;
}

/** One call, until its origin has settled. */
interface Write<T> {
  readonly cache: Cache<T>;
  readonly key: string;
  readonly value: T;
  readonly options: WriteThroughOptions<T>;
  /** Whether somebody still waits for it. */
  isWanted: boolean;
  /** Whether the origin has been asked. */
  isStarted: boolean;
}

/** The last write of each key that is under way, by cache. */
const turns = new WeakMap<object, Map<string, Promise<void>>>();

/**
 * Writes a value to its origin, and into the cache when the origin has committed. Until then readers get what was cached
 * before. Resolves when both have it. A value that the origin took and that is too large for the cache is not cached.
 *
 * Rejects with a {@link WriteFailedError} if the origin does not take it, and with the signal's reason if that aborts; the
 * key is deleted from the cache then, because the origin may have the new value or the old one. An origin that goes on
 * after its signal has aborted holds up later writes of that key, not of others.
 *
 * Rejects, before the origin is asked, for a wrong key, TTL or `to` and for a closed cache; after the origin has the value,
 * with {@link ValueNotCacheableError} if it can't be cached (the key is deleted then, too).
 *
 * @example
 * ```ts
 * await writeThrough(users, key`user:${user.id}`, user, { to: (_, value) => db.saveUser(value), ttl: "10m" });
 * ```
 */
export async function writeThrough<T>(
  cache: Cache<T>,
  key: string,
  value: T,
  options: WriteThroughOptions<T>,
): Promise<void> {
  if (typeof options?.to !== "function") {
    fail("to", options?.to, "a function that writes key and value to the origin");
  }
  const { signal } = options;
  if (options.ttl !== undefined) {
    checkTtl(options.ttl, Number.POSITIVE_INFINITY);
  }
  signal?.throwIfAborted();
  // What is wrong with the key or the cache comes out before the origin is asked.
  cache.has(key);
  const write: Write<T> = { cache, key, value, options, isWanted: true, isStarted: false };
  const done = inTurn(cache, key, () => perform(write));
  await (signal === undefined ? done : Promise.race([done, leaveOnAbort(write, signal, done)]));
}

/** Runs `body` when the writes of that key before it have settled. */
function inTurn<T>(cache: Cache<T>, key: string, body: () => Promise<void>): Promise<void> {
  const [base, fullKey] = unscoped(cache, key);
  const ofCache = turns.get(base) ?? new Map<string, Promise<void>>();
  turns.set(base, ofCache);
  const before = ofCache.get(fullKey);
  const result = before === undefined ? body() : before.then(body);
  // The next one waits for the end of this one, however it ends.
  const end = result.then(forget, forget);
  ofCache.set(fullKey, end);
  function forget(): void {
    if (ofCache.get(fullKey) === end) {
      ofCache.delete(fullKey);
    }
  }
  return result;
}

async function perform<T>(write: Write<T>): Promise<void> {
  if (!write.isWanted) {
    return;
  }
  write.isStarted = true;
  const { key, value, options } = write;
  try {
    await options.to(key, value, { signal: options.signal });
  } catch (cause) {
    deleteOpen(write);
    const message = `The write of ${show(key)} to its origin failed; whether the origin has it is unknown, and the cache has no entry for it.`;
    throw new WriteFailedError("ERR_WRITE_FAILED", message, { key, cause });
  }
  if (write.isWanted) {
    store(write);
  } else {
    // Its caller has left, and since then readers may have cached what the origin had before it committed.
    deleteOpen(write);
  }
}

function store<T>({ cache, key, value, options }: Write<T>): void {
  const { to: _, signal: __, ...setOptions } = options;
  try {
    cache.set(key, value, setOptions);
  } catch (error) {
    if (error instanceof CacheClosedError) {
      return;
    }
    cache.delete(key);
    if (!(error instanceof ValueTooLargeError || error instanceof NoRoomError)) {
      throw error;
    }
  }
}

/** Rejects when the signal aborts before the write is done. */
function leaveOnAbort<T>(write: Write<T>, signal: AbortSignal, done: Promise<void>): Promise<never> {
  return new Promise((_, reject) => {
    const leave = (): void => {
      write.isWanted = false;
      if (write.isStarted) {
        deleteOpen(write);
      }
      reject(signal.reason);
    };
    const stay = (): void => signal.removeEventListener("abort", leave);
    signal.addEventListener("abort", leave, { once: true });
    done.then(stay, stay);
  });
}

/** Deletes the key; a cache that was closed meanwhile has no entry anyway. */
function deleteOpen<T>({ cache, key }: Write<T>): void {
  try {
    cache.delete(key);
  } catch (error) {
    if (!(error instanceof CacheClosedError)) {
      throw error;
    }
  }
}
