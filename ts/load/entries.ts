/**
 * Entries of the store as the loading layer sees them: a value and, in its envelope, what it remembers. Judges whether
 * an entry still counts (its tags, what it depends on) and rewrites envelopes without losing another thread's write.
 */
import type { Clock } from "../clock.js";
import { type Envelope, newEnvelope } from "../envelope.js";
import { fromNative, NoRoomError, ValueTooLargeError } from "../errors.js";
import { Header, type NativeCache } from "../native.js";
import { Kind, type Snapshot, Values } from "../values.js";
import type { Entry } from "./flight.js";
import { isWorthAnEnvelope } from "./freshness.js";
import type { Stored } from "./owner.js";

/** How long a claim lasts that is given back in the same call, in milliseconds: only a dead thread lets it lapse. */
const REWRITE_CLAIM_MS = 1_000;

/** See the file's head. */
export class Entries {
  readonly #native: NativeCache;
  readonly #values: Values;
  readonly #clock: Clock;
  readonly #ttlMsMax: number;

  constructor(native: NativeCache, values: Values, clock: Clock, ttlMsMax: number) {
    this.#native = native;
    this.#values = values;
    this.#clock = clock;
    this.#ttlMsMax = ttlMsMax;
  }

  /** Whether no tag of the entry, and nothing that it was built from, has been invalidated since it was loaded. */
  isValid(envelope: Envelope): boolean {
    const { tags, dependsOn, stamp } = envelope;
    return (
      (tags.length === 0 || this.#native.tagsAreCurrent(tags as string[], stamp)) &&
      (dependsOn.length === 0 || this.#native.dependenciesAreCurrent(dependsOn as string[], stamp))
    );
  }

  /** Whether readers may be given the entry without a word. */
  isFresh(envelope: Envelope): boolean {
    return this.#clock.now() < envelope.freshUntil && this.isValid(envelope);
  }

  /** What the store has of a key, fresh or stale, if it is valid. Not counted as a read. */
  read(key: string): Entry | undefined {
    const raw = this.#native.peek(key);
    if (raw === undefined) {
      return undefined;
    }
    const value = this.#values.read(raw, key);
    const { envelope } = this.#values;
    return envelope === undefined || this.isValid(envelope) ? { value, envelope } : undefined;
  }

  /** As {@link read}, if it is fresh. */
  readFresh(key: string): Entry | undefined {
    const entry = this.read(key);
    const isFresh = entry?.envelope === undefined || this.#clock.now() < entry.envelope.freshUntil;
    return isFresh ? entry : undefined;
  }

  /** Whether a key has a fresh entry. Values are not decoded for it, but where an envelope has to be looked into. */
  has(key: string): boolean {
    const raw = this.#native.peek(key);
    if (raw === undefined) {
      return false;
    }
    const isBare = typeof raw !== "boolean" || (raw && this.#values.header[Header.kind] !== Kind.enveloped);
    return isBare || this.readFresh(key) !== undefined;
  }

  /** Stores a value under a claim. Throws what the addon throws, but for a lack of room. */
  store(key: string, token: number, snapshot: Snapshot, envelope: Envelope, ttlMs: number, beta: number): Stored {
    if (!Number.isInteger(token)) {
      return "superseded";
    }
    const ttl = this.#engineTtl(ttlMs);
    try {
      const isStored = isWorthAnEnvelope(envelope, beta)
        ? this.#storeSealed(key, token, snapshot, envelope, ttl)
        : this.#storeBare(key, token, snapshot, ttl);
      return isStored ? "stored" : "superseded";
    } catch (error) {
      const known = fromNative(error, key);
      if (known instanceof ValueTooLargeError || known instanceof NoRoomError) {
        return "no-room";
      }
      throw known;
    }
  }

  /** Stores a value with an envelope, whatever is there. */
  write(key: string, snapshot: Snapshot, envelope: Envelope, ttlMs: number): void {
    this.#watchDependencies(envelope);
    const sealed = Values.seal(envelope, snapshot.packed, key);
    this.#native.setBytes(key, Kind.enveloped, sealed, sealed.byteLength, this.#engineTtl(ttlMs));
  }

  /**
   * Rewrites what an entry remembers. `change` gets its envelope (a bare entry: one that is fresh as long as it lives)
   * and returns how long the entry is to live, in milliseconds; 0: not at all. `busy`: a load has the claim.
   */
  rewrite(key: string, change: (envelope: Envelope) => number): "done" | "missing" | "busy" {
    const token = this.#native.claim(key, REWRITE_CLAIM_MS);
    if (token <= 0) {
      return "busy";
    }
    try {
      const entry = this.read(key);
      if (entry === undefined) {
        return "missing";
      }
      // A bare entry's life is the store's to know; 0: it ended this moment.
      const envelope = entry.envelope ?? newEnvelope(this.#clock.now() + (this.#native.ttl(key) ?? 0), 0);
      const liveMs = change(envelope);
      if (liveMs > 0) {
        this.#storeSealed(key, token, this.#values.snapshot(entry.value), envelope, this.#engineTtl(liveMs));
      }
      return "done";
    } finally {
      this.#native.releaseClaim(key, token);
    }
  }

  /** Somebody has read an entry that was refreshed in the background. */
  markRead(key: string): void {
    this.rewrite(key, (envelope) => {
      envelope.isUnread = false;
      return envelope.freshUntil + envelope.liveForMs - this.#clock.now();
    });
  }

  #storeSealed(key: string, token: number, snapshot: Snapshot, envelope: Envelope, ttlMs: number): boolean {
    this.#watchDependencies(envelope);
    const sealed = Values.seal(envelope, snapshot.packed, key);
    return this.#native.setBytesClaimed(key, token, Kind.enveloped, sealed, sealed.byteLength, ttlMs);
  }

  #storeBare(key: string, token: number, { packed, give }: Snapshot, ttlMs: number): boolean {
    switch (packed.kind) {
      case Kind.ascii:
      case Kind.utf8:
      case Kind.utf16:
      case Kind.float:
      case Kind.null:
        return this.#native.setClaimed(key, token, give() as string | number | null, ttlMs);
      default:
        return this.#native.setBytesClaimed(key, token, packed.kind, packed.bytes, packed.bytes.byteLength, ttlMs);
    }
  }

  #watchDependencies({ dependsOn }: Envelope): void {
    if (dependsOn.length > 0) {
      this.#native.depend(dependsOn as string[]);
    }
  }

  #engineTtl(ms: number): number {
    return ms === Number.POSITIVE_INFINITY ? ms : Math.min(Math.ceil(ms), this.#ttlMsMax);
  }
}
