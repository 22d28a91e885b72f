/** The caches that metrics are made of, each under its name. A cache that was closed is left out from then on. */
import type { Cache } from "../api.js";
import { fail } from "../checks.js";
import { CacheClosedError } from "../errors.js";
import type { CacheStats } from "../stats.js";

/** Ends what was begun; doing so again does nothing. */
export interface Observation extends Disposable {
  /** Takes the cache out of the metrics. */
  stop(): void;
}

/** See the head of this file. */
export class Sources {
  readonly #caches = new Map<string, Cache<unknown>>();

  get size(): number {
    return this.#caches.size;
  }

  /** Adds a cache. Throws an {@link InvalidOptionError} if the name is no text or another open cache has it. */
  add(name: unknown, cache: Cache<unknown>): string {
    if (typeof name !== "string" || name === "") {
      return fail("name", name, "text that tells this cache from others, not empty");
    }
    const other = this.#caches.get(name);
    if (other !== undefined && other !== cache && statsOf(other) !== undefined) {
      return fail("name", name, "a name that no other cache has in these metrics");
    }
    this.#caches.set(name, cache);
    return name;
  }

  /** Takes a cache out, if it is still the one of that name. */
  remove(name: string, cache: Cache<unknown>): void {
    if (this.#caches.get(name) === cache) {
      this.#caches.delete(name);
    }
  }

  /** The statistics of all that are open. */
  read(): [name: string, stats: CacheStats][] {
    const all: [string, CacheStats][] = [];
    for (const [name, cache] of this.#caches) {
      const stats = statsOf(cache);
      if (stats === undefined) {
        this.#caches.delete(name);
      } else {
        all.push([name, stats]);
      }
    }
    return all;
  }
}

function statsOf(cache: Cache<unknown>): CacheStats | undefined {
  try {
    return cache.stats();
  } catch (error) {
    if (error instanceof CacheClosedError) {
      return undefined;
    }
    throw error;
  }
}
