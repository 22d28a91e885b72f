/** What a load needs from the cache that asked for it. */
import type { Envelope } from "../envelope.js";
import type { Packed, Snapshot } from "../values.js";
import type { TtlCheck } from "./context.js";
import type { Entry } from "./flight.js";
import type { Limiter } from "./limiter.js";
import type { ResolvedLoading } from "./options.js";
import type { SecondTier } from "./second-tier.js";

/** What became of a value that was to be stored. */
export type Stored = "stored" | "superseded" | "no-room";

/** What happened, for counters and whoever listens. */
export type LoadNote =
  | { readonly type: "load"; readonly key: string; readonly ms: number }
  | { readonly type: "loadFailed"; readonly key: string; readonly error: unknown; readonly ms: number }
  | { readonly type: "loadTimeout"; readonly key: string }
  | { readonly type: "coalesced"; readonly key: string }
  | { readonly type: "staleServed"; readonly key: string }
  | { readonly type: "earlyRefresh"; readonly key: string }
  | { readonly type: "shed"; readonly key: string }
  | { readonly type: "tierError"; readonly key: string; readonly error: unknown };

/** See the file's head. */
export interface LoadOwner {
  readonly tier: SecondTier | undefined;
  readonly options: Pick<ResolvedLoading, "isTierAwaited" | "tierLeaseMs" | "isTierWaitedFor">;
  readonly limiter: Limiter | undefined;
  readonly checkTtl: TtlCheck;

  now(): number;
  /** From 0 to 1, 1 excluded. */
  random(): number;

  /** The claim's token, which is positive; otherwise minus the milliseconds that another thread's claim lasts. */
  claim(key: string, leaseMs: number): number;
  /** Gives a claim back; whether another thread waits for it. */
  release(key: string, token: number): boolean;
  /** Whether nobody has written or deleted the key since it was claimed. */
  isCurrent(key: string, token: number): boolean;
  /** The store's stamp; see tags. */
  stamp(): number;

  /** Deletes a key from the store, and makes void what is being loaded of it. */
  discard(key: string): void;
  /** From now on a write or delete of these keys invalidates what depends on them. */
  depend(keys: readonly string[]): void;

  /** What the store has of a key, if no tag has invalidated it; not counted as a read. */
  read(key: string): Entry | undefined;
  snapshot(value: unknown): Snapshot;
  unpack(packed: Packed): Snapshot;
  /** Stores it if the claim is current. Throws what `set` throws, but for a lack of room. */
  store(key: string, token: number, snapshot: Snapshot, envelope: Envelope, ttlMs: number): Stored;

  note(note: LoadNote): void;
}
