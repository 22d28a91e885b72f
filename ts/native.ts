/**
 * The addon as TypeScript sees it. How it is found is addon.ts's affair; a change here raises the version there and in
 * crates/node/src/lib.rs.
 */

/** What the store is opened with. `fingerprint` is JSON of the options that all who attach must agree on. */
export interface NativeOptions {
  name?: string;
  maxMemory: number;
  maxValueSize?: number;
  maxEntries?: number;
  /** "balanced", "objects" or "bytes"; "balanced" by default. */
  objective?: string;
  defaultTtlMs: number;
  shards?: number;
  /** For tests that must come out the same; random by default. */
  seed?: number;
  fingerprint: string;
  scratch: ArrayBuffer;
  watch: boolean;
}

/** What a read returns: a value; `undefined` for a miss; `true`: look into scratch; `false`: scratch is too small. */
export type RawValue = string | number | null | boolean | undefined;

/** One thread's handle on a store. Every method throws `Error`s with a `code` (see errors.ts). */
export interface NativeCache {
  get(key: string): RawValue;
  peek(key: string): RawValue;
  set(key: string, value: string | number | null, ttlMs?: number): void;
  setBytes(key: string, kind: number, bytes: Uint8Array, length: number, ttlMs?: number): void;
  /** As `set` and `setBytes` if there is no such entry; whether they stored it. */
  setIfAbsent(key: string, value: string | number | null, ttlMs?: number): boolean;
  setBytesIfAbsent(key: string, kind: number, bytes: Uint8Array, length: number, ttlMs?: number): boolean;
  has(key: string): boolean;
  delete(key: string): boolean;
  /** Milliseconds left, Infinity, or undefined when there is no such entry. */
  ttl(key: string): number | undefined;
  touch(key: string, ttlMs?: number): boolean;
  /**
   * Claims a key that is about to be loaded, for `leaseMs` milliseconds at most. Above 0: the token of the claim, no
   * other claim's. Below 0: somebody (perhaps this handle) holds it for so many milliseconds yet, at least 1, and it is
   * marked as awaited. A claim whose time is over, that was superseded, or whose handle is gone is taken over. Any write
   * or delete of the key by any thread supersedes its claim. Throws `ERR_NO_ROOM` when a million keys are claimed.
   */
  claim(key: string, leaseMs: number): number;
  /** Lets a claim end `leaseMs` from now; false, and nothing done, if it was superseded, taken over or released. */
  extendClaim(key: string, token: number, leaseMs: number): boolean;
  /**
   * Gives a claim back. Bit 0: it was still ours and current. Bit 1: somebody was told that it is held, and nobody has
   * taken it over since (also of a superseded claim).
   */
  releaseClaim(key: string, token: number): number;
  /** The source has changed, though the entry stays: as `delete` to claims and to what depends on the key. */
  noteChange(key: string): void;
  /** Whether a claim is still ours, and the key unwritten since it was made. A hint: `setClaimed` decides. */
  isClaimCurrent(key: string, token: number): boolean;
  /**
   * As `set` and `setBytes`, over whatever entry is there, if the claim is still ours and the key unwritten since; whether
   * they stored it. The claim stays. With a `ttlMs` of 0 they delete the key.
   */
  setClaimed(key: string, token: number, value: string | number | null, ttlMs?: number): boolean;
  setBytesClaimed(key: string, token: number, kind: number, bytes: Uint8Array, length: number, ttlMs?: number): boolean;
  /** The present stamp, from 1 upwards: what an entry with tags or dependencies remembers, taken before its load. */
  stamp(): number;
  /**
   * Invalidates all entries with any of these tags whose stamp is below the one returned, and lets every L0 drop what it
   * has. Call it after the source was changed. Tags have the limits of keys.
   */
  invalidateTags(tags: string[]): number;
  /** Whether an entry with these tags, loaded at `stamp`, is valid: each was last invalidated at `stamp` or before. */
  tagsAreCurrent(tags: string[], stamp: number): boolean;
  /**
   * From now on every write, delete, `deletePrefix` and `clear` of these keys invalidates the entries that depend on them
   * (`setClaimed`, eviction and expiry don't). Call it, and `stamp`, before the load reads anything; the order of the two is free.
   */
  depend(keys: string[]): void;
  /** Whether an entry that depends on these keys, loaded at `stamp`, is valid: none of them was written since. */
  dependenciesAreCurrent(keys: string[], stamp: number): boolean;
  deletePrefix(prefix: string): number;
  clear(): void;
  size(): number;
  scan(cursor: number, prefix: string, limit: number): { cursor: number; keys: string[] };
  /** The keys of watched entries that changed since the last call; null: too many, forget everything. */
  drainChanges(): string[] | null;
  signal(): ArrayBuffer | null;
  sharedBlobGet(): Uint8Array | undefined;
  sharedBlobSet(bytes: Uint8Array, expectedVersion: number): boolean;
  sharedBlobVersion(): number;
  replaceScratch(scratch: ArrayBuffer): void;
  /** Counts reads that this thread's L0 answered; eviction takes their number into account. */
  addHits(count: number): void;
  /** What the last read found is stale: it was counted as a hit. */
  addStale(): void;
  stats(): NativeStats;
  close(): void;
}

/** The store's counters, summed over all threads. */
export interface NativeStats {
  hits: number;
  /** Those of the hits that were stale. */
  stale: number;
  misses: number;
  sets: number;
  deletes: number;
  evictions: number;
  expirations: number;
  rejections: number;
  /** Shards that were cleared because a thread panicked while it changed them. */
  repairs: number;
  entries: number;
  memoryUsed: number;
  memoryMax: number;
  maxValueSize: number;
}

/** The limits that the engine was built with. */
export interface NativeLimits {
  keyBytesMax: number;
  ttlMsMax: number;
  memoryMin: number;
  memoryMax: number;
  tickMs: number;
}

/** The addon. */
export interface NativeModule {
  open(options: NativeOptions): NativeCache;
  /** The package's version that it was built for. */
  version: string;
  abiVersion: number;
  limits: NativeLimits;
}

/** The slots of the scratch header, in 32-bit words; bytes follow at {@link SCRATCH_DATA}. */
export const Header = { kind: 0, length: 1, watched: 2, expiry: 3, head: 4 } as const;

/** Where a value's bytes begin in scratch. */
export const SCRATCH_DATA = 32;
