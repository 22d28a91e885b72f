/**
 * The fetches of an {@link LRUCache} that are under way: one per key in this thread, which all who ask for the key share.
 * A `set` or `delete` of the key aborts its fetch; nothing is stored of one that was aborted.
 */

/** How a fetch ends: what is stored, or why nothing is. */
export interface FetchEnd<V> {
  /** A value was fetched, or `undefined` if there is none. */
  fetched(value: V | undefined): void;
  /** It failed. What is returned here is what those who wait get; throws what they get instead. */
  failed(error: unknown): V | undefined;
}

interface Fetch<V> {
  readonly abort: AbortController;
  readonly promise: Promise<V | undefined>;
  readonly stale: V | undefined;
}

/** See the head of this file. */
export class Fetches<V> {
  readonly #running = new Map<string, Fetch<V>>();

  /** The fetch of a key, if there is one. */
  get(key: string): Pick<Fetch<V>, "promise" | "stale"> | undefined {
    return this.#running.get(key);
  }

  /** Starts one. */
  start(
    key: string,
    stale: V | undefined,
    signal: AbortSignal | undefined,
    // biome-ignore lint/suspicious/noConfusingVoidType: as lru-cache has it.
    fetch: (signal: AbortSignal) => V | undefined | void | PromiseLike<V | undefined | void>,
    end: FetchEnd<V>,
  ): Promise<V | undefined> {
    const abort = new AbortController();
    const follow = (): void => abort.abort(signal?.reason);
    if (signal?.aborted) {
      follow();
    }
    signal?.addEventListener("abort", follow, { once: true });
    const promise = this.#run(key, abort.signal, fetch, end).finally(() =>
      signal?.removeEventListener("abort", follow),
    );
    // Whoever was given the stale value does not wait for this: a failure is no unhandled one.
    promise.catch(() => undefined);
    this.#running.set(key, { abort, promise, stale });
    return promise;
  }

  /** Ends a key's fetch; what it brings is not stored. */
  abort(key: string, why: string): void {
    const fetch = this.#running.get(key);
    if (fetch !== undefined) {
      this.#running.delete(key);
      fetch.abort.abort(new Error(why));
    }
  }

  /** Ends all fetches. */
  abortAll(why: string): void {
    for (const key of this.#running.keys()) {
      this.abort(key, why);
    }
  }

  async #run(
    key: string,
    signal: AbortSignal,
    // biome-ignore lint/suspicious/noConfusingVoidType: as lru-cache has it.
    fetch: (signal: AbortSignal) => V | undefined | void | PromiseLike<V | undefined | void>,
    end: FetchEnd<V>,
  ): Promise<V | undefined> {
    // The entry in #running is there before anything of this runs.
    await Promise.resolve();
    const aborted = new Promise<never>((_, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
      }
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    try {
      const value = (await Promise.race([fetch(signal), aborted])) as V | undefined;
      this.#running.delete(key);
      end.fetched(value);
      return value;
    } catch (error) {
      const isReplaced = signal.aborted && !this.#running.has(key);
      this.#running.delete(key);
      if (isReplaced) {
        throw error;
      }
      return end.failed(error);
    }
  }
}
