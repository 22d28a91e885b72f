/**
 * The loading API of one handle: what to do when a value is there, stale or missing. flights.ts does the loading,
 * freshness.ts the arithmetic.
 */
import { invalid } from "../arguments.js";
import type { Clock } from "../clock.js";
import type { Envelope } from "../envelope.js";
import { show } from "../errors.js";
import type { NativeCache } from "../native.js";
import type { Packed, Snapshot, Values } from "../values.js";
import { Batch } from "./batch.js";
import type { BatchLoader, Loader, TtlCheck } from "./context.js";
import type { Entries } from "./entries.js";
import type { Entry, LoadRequest } from "./flight.js";
import type { Flights } from "./flights.js";
import { freshnessOf, isRefreshedEarly, type LoadPolicy } from "./freshness.js";
import { Limiter } from "./limiter.js";
import { type ResolvedLoad, type ResolvedLoading, resolveLoad } from "./options.js";
import type { LoadNote, LoadOwner, Stored } from "./owner.js";
import type { SecondTier } from "./second-tier.js";

/** What loading needs from its cache. */
export interface LoadingParts {
  readonly native: NativeCache;
  readonly values: Values;
  readonly entries: Entries;
  readonly flights: Flights;
  readonly clock: Clock;
  readonly random: () => number;
  readonly tier: SecondTier | undefined;
  readonly options: ResolvedLoading;
  readonly checkTtl: TtlCheck;
  /** Runs something that may throw the addon's errors. */
  readonly call: <R>(body: () => R, key?: unknown) => R;
  readonly note: (note: LoadNote) => void;
}

/** See the file's head. */
export class Loading implements LoadOwner {
  readonly tier: SecondTier | undefined;
  readonly options: ResolvedLoading;
  readonly limiter: Limiter | undefined;
  readonly checkTtl: TtlCheck;
  readonly note: (note: LoadNote) => void;

  readonly #parts: LoadingParts;
  readonly #policy: LoadPolicy;

  constructor(parts: LoadingParts) {
    const { options } = parts;
    this.#parts = parts;
    this.#policy = options.policy;
    this.tier = parts.tier;
    this.options = options;
    this.limiter = options.limit === undefined ? undefined : new Limiter(options.limit);
    this.checkTtl = parts.checkTtl;
    this.note = parts.note;
  }

  // --- the API --------------------------------------------------------------------------------------------------

  /** The options of one call. Throws what is wrong with them. */
  resolve(options: unknown): ResolvedLoad {
    return resolveLoad(options, this.#policy, this.checkTtl);
  }

  /** The loader of a call: its own, or the cache's. */
  loaderOf(given: unknown, method: string): Loader<unknown> {
    const loader = given ?? this.options.loader;
    if (typeof loader !== "function") {
      const way = given === undefined ? "pass one, or give createCache a loader" : "it must be a function";
      throw invalid(`${method} has no function that loads (${show(given)}): ${way}.`, given);
    }
    return loader as Loader<unknown>;
  }

  /** A value was read that is fresh: is it time to refresh it all the same? */
  considerEarly(key: string, envelope: Envelope, loader: Loader<unknown>, load: ResolvedLoad): void {
    const { beta } = load.policy;
    const now = this.now();
    if (beta > 0 && now >= envelope.retryAt && isRefreshedEarly(envelope, now, beta, 1 - this.random())) {
      this.note({ type: "earlyRefresh", key });
      this.#parts.flights.refresh(this, requestOf(key, loader, load), { value: undefined, envelope });
    }
  }

  /** The value of a key that `get` did not find. */
  load(key: string, loader: Loader<unknown>, load: ResolvedLoad, extra: Partial<LoadRequest> = {}): Promise<unknown> {
    const { flights, entries } = this.#parts;
    const request = { ...requestOf(key, loader, load), ...extra };
    const entry = this.#parts.call(() => entries.read(key), key);
    const { envelope } = entry ?? {};
    if (entry !== undefined && envelope === undefined) {
      request.decided?.();
      return Promise.resolve(entry.value);
    }
    if (entry === undefined || envelope === undefined) {
      return flights.join(this, request, undefined, load.signal);
    }
    const now = this.now();
    const freshness = freshnessOf(envelope, now, load.policy);
    const isLeftAlone = now < envelope.retryAt;
    if (freshness === "stale" && !isLeftAlone) {
      flights.refresh(this, requestOf(key, loader, load), entry);
    }
    if (freshness === "fresh" || freshness === "stale" || (freshness === "last-resort" && isLeftAlone)) {
      if (freshness !== "fresh") {
        this.note({ type: "staleServed", key });
      }
      request.decided?.();
      return Promise.resolve(entry.value);
    }
    return flights.join(this, request, freshness === "gone" ? undefined : entry, load.signal);
  }

  /** The values of the keys that `get` did not find, with one call of the batch loader. */
  loadMany(keys: readonly string[], loader: BatchLoader<unknown>, load: ResolvedLoad): Promise<unknown[]> {
    const batch = new Batch(loader, keys.length, this.limiter);
    const one = async (key: string): Promise<unknown> => {
      let isDecided = false;
      const decided = (): void => {
        if (!isDecided) {
          isDecided = true;
          batch.decided();
        }
      };
      try {
        return await this.load(key, batch.load, load, { isBatched: true, decided });
      } finally {
        decided();
      }
    };
    return Promise.all(keys.map(one));
  }

  /** Loads a key for whoever reads it next, marked as unread. */
  refreshUnread(key: string, loader: Loader<unknown>, load: ResolvedLoad): void {
    const request = { ...requestOf(key, loader, load), isUnread: true };
    this.#parts.flights.refresh(this, request, this.read(key));
  }

  close(reason: unknown): void {
    this.#parts.flights.closeOwner(this, reason);
  }

  // --- what a load needs ----------------------------------------------------------------------------------------

  now(): number {
    return this.#parts.clock.now();
  }

  random(): number {
    return this.#parts.random();
  }

  claim(key: string, leaseMs: number): number {
    return this.#parts.call(() => this.#parts.native.claim(key, leaseMs), key);
  }

  release(key: string, token: number): boolean {
    return Number.isInteger(token) && (this.#parts.native.releaseClaim(key, token) & AWAITED) !== 0;
  }

  isCurrent(key: string, token: number): boolean {
    return Number.isInteger(token) && this.#parts.native.isClaimCurrent(key, token);
  }

  stamp(): number {
    return this.#parts.native.stamp();
  }

  discard(key: string): void {
    this.#parts.call(() => this.#parts.native.delete(key), key);
  }

  depend(keys: readonly string[]): void {
    this.#parts.native.depend(keys as string[]);
  }

  read(key: string): Entry | undefined {
    return this.#parts.call(() => this.#parts.entries.read(key), key);
  }

  snapshot(value: unknown): Snapshot {
    return this.#parts.call(() => this.#parts.values.snapshot(value));
  }

  unpack(packed: Packed): Snapshot {
    return this.#parts.values.unpack(packed);
  }

  store(key: string, token: number, snapshot: Snapshot, envelope: Envelope, ttlMs: number): Stored {
    return this.#parts.entries.store(key, token, snapshot, envelope, ttlMs, this.#policy.beta);
  }
}

/** The bit of `releaseClaim` that says that another handle waits. */
const AWAITED = 2;

function requestOf(key: string, loader: Loader<unknown>, load: ResolvedLoad): LoadRequest {
  return { key, loader, policy: load.policy, tags: load.tags, dependsOn: load.dependsOn };
}
