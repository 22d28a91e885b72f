/** What `set` is told, and what the store and the second tier get of it. */
import type { Envelope } from "../envelope.js";
import type { SetOptions } from "../options.js";
import type { TierEntry } from "../tier.js";
import type { Snapshot } from "../values.js";

/** A value that is to be set. */
export interface Write {
  readonly snapshot: Snapshot;
  readonly envelope: Envelope;
  /** What the call said; `undefined`: as the cache. */
  readonly ttlMs: number | undefined;
  readonly freshMs: number;
  readonly totalMs: number;
}

/** Whether an entry of `set` has anything to remember. */
export function hasNotes({ tags, dependsOn, liveForMs }: Envelope): boolean {
  return tags.length > 0 || dependsOn.length > 0 || liveForMs > 0;
}

/**
 * As the second tier stores it; `undefined` for what is not to be there: the tier does not know what depends on what, and
 * would keep it when what it was built from is gone.
 */
export function tierEntryOf({ snapshot, envelope, freshMs, totalMs }: Write): TierEntry | undefined {
  const { tags, dependsOn } = envelope;
  const entry = { ...snapshot.packed, freshMs, liveMs: totalMs, loadMs: 0, tags };
  return dependsOn.length > 0 ? undefined : entry;
}

/** What `set` may be told. */
export const SET_OPTIONS = ["ttl", "tags", "dependsOn", "staleFor"];

/** Whether `set` is told more than how long the entry lives. */
export function isMoreThanTtl(options: SetOptions | null): boolean {
  return (
    options !== null &&
    (options.tags !== undefined || options.dependsOn !== undefined || options.staleFor !== undefined)
  );
}
