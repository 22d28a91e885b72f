/**
 * What a cache needs from a second tier (L2), and what a second tier may ask of the cache. `nearcache/redis` is one; the
 * conformance suite in `nearcache/testing` says what any other has to keep to.
 *
 * A tier never throws into a read: what it can't answer is a miss that it counts. It stores remaining lifetimes, never
 * points in time, so that two machines' clocks need not agree.
 */

/** A value on its way to or from a second tier. */
export interface TierEntry {
  /** Which kind of value `bytes` is: one of the kinds in values.ts. */
  readonly kind: number;
  /** The encoded value. It stands for itself: no table of one process is needed to decode it. */
  readonly bytes: Uint8Array;
  /** Milliseconds until it is stale; `Infinity` if never, 0 if it is already. */
  readonly freshMs: number;
  /** Milliseconds until it is gone, at least `freshMs`; `Infinity` if never. */
  readonly liveMs: number;
  /** What loading it cost, in milliseconds; 0 if it was not loaded. */
  readonly loadMs: number;
  /** The tags that it carries. */
  readonly tags: readonly string[];
  /** The keys that it was built from, if there are any; it is no longer valid when one of them changes. */
  readonly dependsOn?: readonly string[] | undefined;
  /** Validators that the loader gave it, for conditional refreshes. */
  readonly etag?: string | undefined;
  /** As `etag`: what `Last-Modified` said. */
  readonly lastModified?: string | undefined;
}

/** What a look-up in a tier found. */
export interface TierAnswer {
  /**
   * The entry, if there is one that no tag or version has invalidated, and nothing that it was built from has changed. It
   * may be stale.
   */
  readonly entry: TierEntry | undefined;
  /**
   * Where the tier lets only one process load a key at a time: the right to load it, to be handed back with the write
   * or by {@link Tier.release}. A delete by anybody in the meantime cancels it, and the write with it.
   */
  readonly lease: string | undefined;
  /** Another process holds the lease: its value is on the way. */
  readonly isHeld: boolean;
  /**
   * The moment of the look-up, to be handed back with a value that is loaded because of it: where the key, one of the
   * value's tags or the version has changed since, the value may be older than the change, and must not be stored.
   * `undefined` where the tier could not be asked.
   */
  readonly asOf?: string | undefined;
}

/** How a look-up is made. */
export interface TierLookUp {
  /** Asks for a lease of so many milliseconds where there is no fresh entry. 0: no lease. */
  readonly leaseMs: number;
  /**
   * The keys that a value which is loaded because of this look-up will be built from. What is in the tier of them now is
   * what the value hangs on: the lease and the moment of the answer remember it.
   */
  readonly dependsOn?: readonly string[] | undefined;
}

/** How a value is written. */
export interface TierWrite {
  /** The value was loaded under this lease: it is stored only if the lease still holds. */
  readonly lease?: string | undefined;
  /**
   * The value was loaded without a lease, after a look-up of this moment: it is stored only if nothing has changed since.
   * A delete of a key that was not there leaves no trace, unless somebody held a lease on it: so whoever loads should
   * ask for one, even if it would not wait for others. Of no meaning beside a lease. Without either, the value is
   * as of now, and stored whatever there is.
   */
  readonly asOf?: string | undefined;
}

/**
 * A second tier. Every promise settles within the tier's own time-outs.
 *
 * Changes of a key are made in the order in which they were asked for, and a look-up finds what was asked for before it,
 * though it may still be under way: it waits for that, and no longer than it may take in all.
 */
export interface Tier {
  /** As shown in statistics, for example `redis`. */
  readonly name: string;

  /** Called once, by the cache that uses the tier. One tier serves one cache of one thread. */
  attach(host: TierHost): void;

  /** Looks a key up. Never rejects: what can't be had is no entry, no lease, not held. */
  get(key: string, how: TierLookUp): Promise<TierAnswer>;

  /**
   * Stores a value, and tells other processes. Rejects with a `TierError` if the tier could not. False: the lease was gone,
   * something has changed since the look-up, or the value depends on a key that the tier did not have then, so it could
   * not tell when that changes; the lease is given back.
   */
  set(key: string, entry: TierEntry, how: TierWrite): Promise<boolean>;

  /** Deletes keys, and tells other processes. Rejects with a `TierError`. */
  delete(keys: readonly string[]): Promise<void>;

  /** Makes a key stale from now on, for what is left of its life. Rejects with a `TierError`. */
  expire(key: string): Promise<void>;

  /** Deletes all keys that fit a pattern in which `*` stands for any text. Resolves to how many. Rejects with a `TierError`. */
  deletePattern(pattern: string): Promise<number>;

  /** Makes all entries that carry one of the tags unreachable, whatever their number. Rejects with a `TierError`. */
  invalidateTags(tags: readonly string[]): Promise<void>;

  /** Makes all that was written before unreachable, whatever its amount. Rejects with a `TierError`. */
  bumpVersion(): Promise<void>;

  /** Gives a lease back without a value: the next who asks may load. Never rejects. */
  release(key: string, lease: string): Promise<void>;

  /** Says that these keys are in use, though they are read in this process only. Never rejects. */
  touch(keys: readonly string[]): Promise<void>;

  /** Waits for what is under way, then lets go of connections and timers. Never rejects. */
  close(): Promise<void>;

  /** Counters and states, for `cache.stats().l2`. */
  stats(): TierStats;
}

/** What a tier tells the cache that uses it. All calls are synchronous and cheap. */
export interface TierHost {
  /** Another process has written or deleted these keys: what this process holds of them is out of date. */
  invalidate(keys: readonly string[]): void;
  /** Another process has invalidated these tags. */
  invalidateTags(tags: readonly string[]): void;
  /** Messages were lost, or everything changed: all that came from the tier may be out of date. */
  invalidateAll(): void;
  /** Something that operators want to know. */
  report(event: TierEvent): void;
}

/** How other processes' writes reach this one. */
export type Coherence = "tracking" | "stream" | "ttl-only";

/** What a tier reports. */
export type TierEvent =
  | {
      /** The circuit breaker changed its state. */
      readonly type: "breaker";
      /** The state before. */
      readonly from: BreakerState;
      /** The state now. */
      readonly to: BreakerState;
      /** Where the breaker is that of one node of a Cluster: which, as `host:port`. */
      readonly node?: string;
    }
  | {
      /** How other processes' writes reach this one has changed. */
      readonly type: "coherence";
      /** The way before. */
      readonly from: Coherence;
      /** The way now. */
      readonly to: Coherence;
    }
  | {
      /** Messages of other processes were lost. */
      readonly type: "gap";
      /** How many, where that is known. */
      readonly missed: number | undefined;
    }
  | {
      /** An operation failed that nobody waits for. */
      readonly type: "error";
      /** What was tried. */
      readonly operation: string;
      /** What went wrong. */
      readonly error: Error;
    };

/** A circuit breaker's state. */
export type BreakerState = "closed" | "open" | "half-open";

/** A tier's counters since it was made. */
export interface TierStats {
  /** The tier's {@link Tier.name}. */
  readonly name: string;
  /** Look-ups that it answered. */
  readonly hits: number;
  /** Look-ups that it could not answer, for whatever reason. */
  readonly misses: number;
  /** Values written to it. */
  readonly writes: number;
  /** Operations that failed, for whatever reason. */
  readonly errors: number;
  /** Operations that ran into their time-out. */
  readonly timeouts: number;
  /** Values that could not be decoded, each of which was a miss. */
  readonly undecodable: number;
  /** Operations that were not tried because the breaker was open. */
  readonly skipped: number;
  /** The state of its circuit breaker. */
  readonly breaker: BreakerState;
  /** In a Cluster: the nodes whose own breaker is not closed, as `host:port`, the others being asked as ever. */
  readonly brokenNodes?: readonly string[];
  /** How other processes' writes reach this one at the moment. */
  readonly coherence: Coherence;
  /** Messages from other processes. */
  readonly messages: number;
  /** How often some of them were missed. */
  readonly gaps: number;
}
