/** What `cache.stats()` returns, put together from the store's counters and this thread's L0. */
import type { Events, LatencyStats, LoadStats } from "./events.js";
import type { L0 } from "./l0.js";
import type { NativeStats } from "./native.js";
import type { TierStats } from "./tier.js";

/** A cache's counters since it was created, and what it holds now. */
export interface CacheStats {
  /** Reads that found a fresh value, by all threads. What other threads' L0 answered is added about once a second. */
  readonly hits: number;
  /**
   * Reads that found a value which is not fresh any more, or which a tag or a dependency has invalidated, by all threads:
   * `get` says `undefined`, `getOrLoad` loads, and may serve what is only stale (see {@link LoadStats.staleServed}).
   */
  readonly stale: number;
  /** Reads that found none, by all threads. With `hits` and `stale` these are all reads. */
  readonly misses: number;
  /** `hits / (hits + stale + misses)`, from 0 to 1; 0 before the first read. */
  readonly hitRatio: number;
  /** Values stored, by all threads. */
  readonly sets: number;
  /** Entries deleted by `delete` and its like. */
  readonly deletes: number;
  /** Entries that had to make room for others. */
  readonly evictions: number;
  /** Entries whose time had come. */
  readonly expirations: number;
  /** New entries that were let go instead of older, more useful ones. */
  readonly rejections: number;
  /**
   * How often a part of the store (one of its shards) was emptied and put in order because a call panicked in the middle
   * of changing it. 0 unless there is a bug in the engine: please report it.
   */
  readonly repairs: number;
  /** Entries in the shared store, those included whose expiry has not been noticed yet. */
  readonly entries: number;
  /** Memory in bytes: what the store uses, and its budget. */
  readonly memory: {
    /** Bytes in use, index and headers included. */
    readonly used: number;
    /** Bytes that the store may use: `maxMemory`. */
    readonly max: number;
  };
  /** This thread's L0: reads that it answered, and how many values it holds. */
  readonly l0: {
    /** Reads that it answered. */
    readonly hits: number;
    /** Values that it holds. */
    readonly entries: number;
  };
  /** What loading has done by this handle. */
  readonly loads: LoadStats;
  /** How long this handle's reads took. */
  readonly latency: LatencyStats;
  /** The second tier, if there is one. */
  readonly l2: L2Stats | undefined;
}

/** What is known of a second tier. */
export interface L2Stats extends TierStats {
  /** How often its circuit breaker changed its state. */
  readonly breakerChanges: number;
}

export function buildStats(native: NativeStats, l0: L0, events: Events, l2: TierStats | undefined): CacheStats {
  const reads = native.hits + native.misses;
  const hits = native.hits - native.stale;
  return {
    hits,
    stale: native.stale,
    misses: native.misses,
    hitRatio: reads === 0 ? 0 : hits / reads,
    sets: native.sets,
    deletes: native.deletes,
    evictions: native.evictions,
    expirations: native.expirations,
    rejections: native.rejections,
    repairs: native.repairs,
    entries: native.entries,
    memory: { used: native.memoryUsed, max: native.memoryMax },
    l0: { hits: l0.hits, entries: l0.size },
    loads: events.loadStats(),
    latency: events.latencyStats(),
    l2: l2 === undefined ? undefined : { ...l2, breakerChanges: events.count("breaker") },
  };
}
