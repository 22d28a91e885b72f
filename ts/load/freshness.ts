/**
 * The arithmetic of freshness: when an entry is fresh, stale or of no use, how its lifetime is spread, and when it is
 * refreshed early. Pure functions; whoever calls them brings the time and the dice.
 */
import type { Envelope } from "../envelope.js";

/** How a value is loaded and kept; every length of time in milliseconds. */
export interface LoadPolicy {
  /** How long a loaded value is fresh. `Infinity`: until it is evicted. */
  readonly ttlMs: number;
  /** How long it is served at once after that, while one refresh runs. */
  readonly staleForMs: number;
  /** How long after it was fresh it is served when a load fails or is too slow. */
  readonly staleIfErrorMs: number;
  /** After so long a caller gets the stale value, if there is one, and the load goes on. */
  readonly softTimeoutMs: number;
  /** After so long a load has failed. */
  readonly hardTimeoutMs: number;
  /** The part of the TTL by which lifetimes differ, from 0 to 1. */
  readonly jitter: number;
  /** How eagerly values are refreshed before their time; 0: never. */
  readonly beta: number;
  /** How long it is remembered that the origin has nothing. */
  readonly negativeTtlMs: number;
  /** After a failed load the next is tried after so long, doubled with each further failure. */
  readonly errorBackoffMs: number;
}

/** Longest pause between two tries of a load that keeps failing, in milliseconds. */
const BACKOFF_MAX_MS = 60_000;
/** An early refresh of a load that costs less, in milliseconds, saves nobody anything. */
const EARLY_LOAD_MS_MIN = 1;
/**
 * Before the last so many times `loadMs * beta` of an entry's life nobody refreshes it early, so that L0 need not ask.
 * The paper's rule would do so there once in e^9, about 8,000, reads.
 */
const EARLY_WINDOW = 9;

/** What an entry is good for now. */
export type Freshness = "fresh" | "stale" | "last-resort" | "gone";

/**
 * `fresh`: serve it. `stale`: serve it, and refresh it. `last-resort`: serve it only if a load fails or is too slow.
 * `gone`: as if it were not there.
 */
export function freshnessOf(envelope: Envelope, now: number, policy: LoadPolicy): Freshness {
  if (now < envelope.freshUntil) {
    return "fresh";
  }
  const staleMs = now - envelope.freshUntil;
  if (staleMs < Math.min(policy.staleForMs, envelope.liveForMs)) {
    return "stale";
  }
  return staleMs < Math.min(policy.staleIfErrorMs, envelope.liveForMs) ? "last-resort" : "gone";
}

/** How long an entry stays after it was fresh. */
export function liveForMs(policy: LoadPolicy): number {
  return Math.max(policy.staleForMs, policy.staleIfErrorMs);
}

/** A lifetime within `jitter` of `ttlMs`, shorter only: a TTL is a promise. `random` is from 0 to 1. */
export function spread(ttlMs: number, jitter: number, random: number): number {
  return Number.isFinite(ttlMs) ? ttlMs * (1 - jitter * random) : ttlMs;
}

/**
 * Whether a read at `now` refreshes the entry early, by the rule of Vattani, Chierichetti and Lowenstein, "Optimal
 * Probabilistic Cache Stampede Prevention" (VLDB 2015): the nearer its end and the dearer its load, the likelier.
 * `random` is from 0 (excluded) to 1.
 */
export function isRefreshedEarly(envelope: Envelope, now: number, beta: number, random: number): boolean {
  const lead = -envelope.loadMs * beta * Math.log(random);
  return envelope.loadMs >= EARLY_LOAD_MS_MIN && now + lead >= envelope.freshUntil;
}

/** Until when nobody need ask {@link isRefreshedEarly}. */
export function undisputedUntil(envelope: Envelope, beta: number): number {
  const { loadMs, freshUntil } = envelope;
  return loadMs >= EARLY_LOAD_MS_MIN ? freshUntil - loadMs * beta * EARLY_WINDOW : freshUntil;
}

/** Whether there is anything in an entry that a bare value would not say. */
export function isWorthAnEnvelope(envelope: Envelope, beta: number): boolean {
  const isEarly = beta > 0 && envelope.loadMs >= EARLY_LOAD_MS_MIN && Number.isFinite(envelope.freshUntil);
  const { tags, dependsOn, etag, lastModified, isUnread, liveForMs: beyond } = envelope;
  const isNoted = tags.length > 0 || dependsOn.length > 0 || etag !== undefined || lastModified !== undefined;
  return isEarly || isNoted || isUnread || beyond > 0;
}

/** How long to wait after so many failures in a row; `random` from 0 to 1 spreads it by half. */
export function backoffMs(policy: LoadPolicy, failures: number, random: number): number {
  const full = Math.min(policy.errorBackoffMs * 2 ** (failures - 1), BACKOFF_MAX_MS);
  return full * (1 - random / 2);
}
