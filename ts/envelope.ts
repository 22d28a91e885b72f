/**
 * What an entry remembers beside its value: until when it is fresh, what loading it cost, which tags it carries. Stored
 * in front of the value, as a value of kind `enveloped`; entries that have nothing to remember are stored bare.
 *
 *     kind u8 | flags u8 | freshUntil f64 | liveForMs f32 | loadMs f32
 *     | stamp f64 (marked) | retryAt f64, failures u8 (failed) | length u16, JSON (noted) | the value's bytes
 *
 * Times are the monotonic clock's (clock.ts), so an envelope means something in this process only. Little-endian.
 */

/** See the file's head. */
export interface Envelope {
  /** From then on the entry is stale, in the monotonic clock's milliseconds. */
  freshUntil: number;
  /** How long it stays beyond that, in milliseconds. */
  liveForMs: number;
  /** What its load cost, in milliseconds. */
  loadMs: number;
  /** The store's stamp when its load began; only invalidations of its tags after that count. */
  stamp: number;
  /** After a load that failed: not before then is another one tried. */
  retryAt: number;
  /** How many loads in a row have failed. */
  failures: number;
  /** Nobody has read it since it was refreshed in the background. */
  isUnread: boolean;
  /** Not what the origin said but that it has nothing. */
  isNegative: boolean;
  tags: readonly string[];
  dependsOn: readonly string[];
  etag: string | undefined;
  lastModified: string | undefined;
}

/** The rest of an envelope, in JSON. */
interface Notes {
  t?: readonly string[];
  d?: readonly string[];
  e?: string;
  m?: string;
}

const Flag = { stamped: 1, failed: 2, noted: 4, unread: 8, negative: 16 } as const;
const BASE_BYTES = 18;
const NOTES_BYTES_MAX = 0xffff;
const FAILURES_MAX = 255;
const NONE: readonly string[] = [];

/** An envelope of an entry that is fresh until then. */
export function newEnvelope(freshUntil: number, liveForMs: number): Envelope {
  return {
    freshUntil,
    liveForMs,
    loadMs: 0,
    stamp: 0,
    retryAt: 0,
    failures: 0,
    isUnread: false,
    isNegative: false,
    tags: NONE,
    dependsOn: NONE,
    etag: undefined,
    lastModified: undefined,
  };
}

/** What was read from the front of an entry. */
export interface Opened {
  readonly envelope: Envelope;
  /** The kind of the value behind it. */
  readonly kind: number;
  /** Where the value's bytes begin. */
  readonly start: number;
}

/** Puts an envelope in front of a value's bytes; `undefined` if its tags and validators are too long for one. */
export function seal(envelope: Envelope, kind: number, value: Uint8Array): Buffer | undefined {
  const notes = notesOf(envelope);
  const notesBytes = notes === undefined ? 0 : Buffer.byteLength(notes);
  if (notesBytes > NOTES_BYTES_MAX) {
    return undefined;
  }
  const isStamped = envelope.tags.length > 0 || envelope.dependsOn.length > 0;
  const isFailed = envelope.failures > 0;
  const head = BASE_BYTES + (isStamped ? 8 : 0) + (isFailed ? 9 : 0) + (notes === undefined ? 0 : 2 + notesBytes);
  const bytes = Buffer.allocUnsafe(head + value.byteLength);
  bytes[0] = kind;
  bytes[1] =
    (isStamped ? Flag.stamped : 0) |
    (isFailed ? Flag.failed : 0) |
    (notes === undefined ? 0 : Flag.noted) |
    (envelope.isUnread ? Flag.unread : 0) |
    (envelope.isNegative ? Flag.negative : 0);
  bytes.writeDoubleLE(envelope.freshUntil, 2);
  bytes.writeFloatLE(envelope.liveForMs, 10);
  bytes.writeFloatLE(envelope.loadMs, 14);
  let at = BASE_BYTES;
  if (isStamped) {
    at = bytes.writeDoubleLE(envelope.stamp, at);
  }
  if (isFailed) {
    at = bytes.writeDoubleLE(envelope.retryAt, at);
    at = bytes.writeUInt8(Math.min(envelope.failures, FAILURES_MAX), at);
  }
  if (notes !== undefined) {
    at = bytes.writeUInt16LE(notesBytes, at);
    at += bytes.write(notes, at);
  }
  bytes.set(value, at);
  return bytes;
}

/** Reads the envelope that begins at `start`. */
export function open(bytes: Buffer, start: number): Opened {
  const flags = bytes[start + 1] as number;
  const envelope = newEnvelope(bytes.readDoubleLE(start + 2), bytes.readFloatLE(start + 10));
  envelope.loadMs = bytes.readFloatLE(start + 14);
  envelope.isUnread = (flags & Flag.unread) !== 0;
  envelope.isNegative = (flags & Flag.negative) !== 0;
  let at = start + BASE_BYTES;
  if ((flags & Flag.stamped) !== 0) {
    envelope.stamp = bytes.readDoubleLE(at);
    at += 8;
  }
  if ((flags & Flag.failed) !== 0) {
    envelope.retryAt = bytes.readDoubleLE(at);
    envelope.failures = bytes[at + 8] as number;
    at += 9;
  }
  if ((flags & Flag.noted) !== 0) {
    const length = bytes.readUInt16LE(at);
    const notes = JSON.parse(bytes.toString("utf8", at + 2, at + 2 + length)) as Notes;
    envelope.tags = notes.t ?? NONE;
    envelope.dependsOn = notes.d ?? NONE;
    envelope.etag = notes.e;
    envelope.lastModified = notes.m;
    at += 2 + length;
  }
  return { envelope, kind: bytes[start] as number, start: at };
}

function notesOf({ tags, dependsOn, etag, lastModified }: Envelope): string | undefined {
  if (tags.length === 0 && dependsOn.length === 0 && etag === undefined && lastModified === undefined) {
    return undefined;
  }
  const notes: Notes = {
    ...(tags.length === 0 ? {} : { t: tags }),
    ...(dependsOn.length === 0 ? {} : { d: dependsOn }),
    ...(etag === undefined ? {} : { e: etag }),
    ...(lastModified === undefined ? {} : { m: lastModified }),
  };
  return JSON.stringify(notes);
}
