/** What a load brought, as it is stored: in the store with an envelope, in the second tier as an entry; and the way back. */
import { type Envelope, newEnvelope } from "../envelope.js";
import type { TierEntry } from "../tier.js";
import { type Context, NOT_MODIFIED } from "./context.js";
import type { Flight, LoadedValue } from "./flight.js";
import { liveForMs, spread } from "./freshness.js";

/** What is stored of a loaded value, and for how long. */
export function prepare(flight: Flight, context: Context, loaded: unknown): LoadedValue {
  const { policy, isUnread } = flight.request;
  const { said } = context;
  const before = loaded === NOT_MODIFIED ? flight.stale : undefined;
  const value = before === undefined ? loaded : before.value;
  const isNegative = value === null;
  const wanted = said.isCached ? (said.ttlMs ?? (isNegative ? policy.negativeTtlMs : policy.ttlMs)) : 0;
  const ttlMs = wanted === 0 ? 0 : Math.max(1, spread(wanted, policy.jitter, flight.owner.random()));
  const now = flight.owner.now();
  const envelope = newEnvelope(now + ttlMs, Number.isFinite(ttlMs) ? liveForMs(policy) : 0);
  envelope.loadMs = now - flight.startedAt;
  envelope.stamp = flight.stamp;
  envelope.isNegative = isNegative;
  envelope.isUnread = isUnread === true;
  envelope.tags = said.tags.length > 0 ? said.tags : (before?.envelope?.tags ?? []);
  envelope.dependsOn = said.dependsOn.length > 0 ? said.dependsOn : (before?.envelope?.dependsOn ?? []);
  envelope.etag = said.etag ?? before?.envelope?.etag;
  envelope.lastModified = said.lastModified ?? before?.envelope?.lastModified;
  return { snapshot: flight.owner.snapshot(value), envelope, ttlMs };
}

/** Whether the second tier may have it: if it depends on something, what the tier had of that before the load is known. */
export function isFitForTier({ lease, asOf, watched }: Flight, { envelope }: LoadedValue): boolean {
  const { dependsOn } = envelope;
  const isKnown = lease !== undefined || asOf !== undefined;
  return dependsOn.length === 0 || (isKnown && dependsOn.every((key) => watched.includes(key)));
}

export function toTier({ snapshot, envelope, ttlMs }: LoadedValue): TierEntry {
  const { tags, dependsOn, etag, lastModified, loadMs } = envelope;
  return {
    ...snapshot.packed,
    freshMs: ttlMs,
    liveMs: ttlMs + envelope.liveForMs,
    ...{ loadMs, tags, etag, lastModified },
    ...(dependsOn.length > 0 && { dependsOn }),
  };
}

/** The envelope of what was found in the second tier, asked for at `stamp`. */
export function envelopeOf(found: TierEntry, value: unknown, stamp: number, now: number): Envelope {
  const envelope = newEnvelope(now + found.freshMs, found.liveMs - found.freshMs);
  envelope.loadMs = found.loadMs;
  envelope.stamp = stamp;
  envelope.tags = found.tags;
  envelope.dependsOn = found.dependsOn ?? envelope.dependsOn;
  envelope.etag = found.etag;
  envelope.lastModified = found.lastModified;
  envelope.isNegative = value === null;
  return envelope;
}
