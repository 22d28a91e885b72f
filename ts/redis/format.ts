/**
 * How an entry lies in Redis. A ruler of the first 64 bytes, numbers big-endian:
 *
 * ```
 * 0     2   3     4    5            6        8          16          24           32       40      48     56          60
 * "nc"  ver flags kind compression  reserved revision   lease until lease token  stale ms load ms clock  meta length data length
 * ```
 *
 * Then the meta data (tags, validators, what it depends on), then the value's bytes as they are stored, and nothing after them.
 *
 * - *revision*: grows with each write of the key, and is never used twice. Written by the scripts (scripts.ts).
 * - *lease until*, *lease token*: who may load the key and until when, by the server's clock in microseconds. Zeros: nobody.
 * - *stale ms*: for how long the entry is served although it is stale. Redis' own expiry is when it is gone, so what is
 *   left of its freshness is the rest of its life less this. No clock but the server's has a say.
 * - *clock*: the tag clock when the value was looked up. An invalidation of one of its tags since then makes it invalid.
 *
 * A *placeholder* is a header alone: nothing is known of the key but who is loading it.
 */
import type { TierEntry } from "../tier.js";
import type { Dependency } from "./revisions.js";

export const HEADER_BYTES = 64;
const MAGIC = "nc";
const FORMAT_VERSION = 1;
/** The bytes before the revision, which the scripts put in. */
export const HEAD_BYTES = 8;
/** The revision of what is not there. */
export const NO_REVISION = "0000000000000000";
export const TOKEN_BYTES = 8;

const At = {
  version: 2,
  flags: 3,
  kind: 4,
  compression: 5,
  revision: 8,
  leaseToken: 24,
  staleMs: 32,
  loadMs: 40,
  clock: 48,
  metaBytes: 56,
  dataBytes: 60,
} as const;

const Flag = { placeholder: 1, stale: 2 } as const;

/** A length of time that stands for ever where a number is needed: 3,000 years. */
const FOREVER_MS = 1e14;

/** The bytes of a value as they are stored, and how they were made. */
export interface Stored {
  /** One of {@link Compression}. */
  readonly compression: number;
  readonly bytes: Uint8Array;
}

export const Compression = { none: 0, gzip: 1, brotli: 2, zstd: 3 } as const;

/** What {@link decode} found: an entry whose bytes may still be compressed. */
export interface Decoded {
  readonly entry: TierEntry;
  readonly compression: number;
  readonly revision: string;
  readonly clock: number;
  /** What it was built from. */
  readonly dependencies: readonly Dependency[];
  /** Somebody may hold the lease on this; the lease script knows. */
  readonly isPlaceholder: boolean;
}

/** What bytes under one of our keys turned out to be where they can't be decoded. */
export class UndecodableError extends Error {}

/** The two parts of a stored entry between which the revision belongs, and its life in Redis, 0 for no end. */
export function encode(
  entry: TierEntry,
  stored: Stored,
  clock: number,
  dependencies: readonly Dependency[],
): { head: Buffer; tail: Buffer; pxMs: number } {
  const { pxMs, staleMs } = lifetimes(entry);
  const meta = encodeMeta(entry, dependencies);
  const all = Buffer.alloc(HEADER_BYTES + meta.byteLength + stored.bytes.byteLength);
  writeStart(all, 0, entry.kind, stored.compression);
  all.writeDoubleBE(staleMs, At.staleMs);
  all.writeDoubleBE(entry.loadMs, At.loadMs);
  all.writeDoubleBE(clock, At.clock);
  all.writeUInt32BE(meta.byteLength, At.metaBytes);
  all.writeUInt32BE(stored.bytes.byteLength, At.dataBytes);
  all.set(meta, HEADER_BYTES);
  all.set(stored.bytes, HEADER_BYTES + meta.byteLength);
  return { head: all.subarray(0, HEAD_BYTES), tail: all.subarray(HEAD_BYTES + 8), pxMs };
}

/** The head of a placeholder; the lease script adds the rest. */
export function placeholderHead(): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  writeStart(head, Flag.placeholder, 0, Compression.none);
  return head;
}

function writeStart(bytes: Buffer, flags: number, kind: number, compression: number): void {
  bytes.write(MAGIC, "latin1");
  bytes[At.version] = FORMAT_VERSION;
  bytes[At.flags] = flags;
  bytes[At.kind] = kind;
  bytes[At.compression] = compression;
}

function lifetimes({ freshMs, liveMs }: TierEntry): { pxMs: number; staleMs: number } {
  if (freshMs === Number.POSITIVE_INFINITY) {
    return { pxMs: 0, staleMs: 0 };
  }
  const fresh = Math.max(0, Math.ceil(freshMs));
  const staleMs = liveMs === Number.POSITIVE_INFINITY ? FOREVER_MS : Math.max(0, Math.ceil(liveMs) - fresh);
  return { pxMs: Math.min(fresh + staleMs, 2 * FOREVER_MS), staleMs };
}

/**
 * Takes stored bytes apart, with what is left of their life in milliseconds (-1: no end).
 * @throws {@link UndecodableError} for what this version did not write, or did not write so.
 */
export function decode(bytes: Buffer, pttlMs: number): Decoded {
  const problem = problemOf(bytes);
  if (problem !== undefined) {
    throw new UndecodableError(problem);
  }
  const flags = bytes[At.flags] as number;
  const metaEnd = HEADER_BYTES + bytes.readUInt32BE(At.metaBytes);
  const { dependencies, ...notes } = decodeMeta(bytes.subarray(HEADER_BYTES, metaEnd));
  const entry: TierEntry = {
    kind: bytes[At.kind] as number,
    bytes: bytes.subarray(metaEnd),
    ...remaining(flags, bytes.readDoubleBE(At.staleMs), pttlMs),
    loadMs: bytes.readDoubleBE(At.loadMs),
    ...notes,
    ...(dependencies.length > 0 && { dependsOn: dependencies.map(({ key }) => key) }),
  };
  return {
    entry,
    compression: bytes[At.compression] as number,
    revision: bytes.toString("hex", At.revision, At.revision + 8),
    clock: bytes.readDoubleBE(At.clock),
    dependencies,
    isPlaceholder: (flags & Flag.placeholder) !== 0,
  };
}

/** The revision of what can't be decoded, as far as the scripts take it for an entry. */
export function revisionOf(bytes: Buffer): string {
  const hasOne = bytes.byteLength >= At.leaseToken + TOKEN_BYTES && bytes.toString("latin1", 0, 3) === `${MAGIC}\x01`;
  return hasOne ? bytes.toString("hex", At.revision, At.revision + 8) : NO_REVISION;
}

function problemOf(bytes: Buffer): string | undefined {
  if (bytes.byteLength < HEADER_BYTES || bytes.toString("latin1", 0, MAGIC.length) !== MAGIC) {
    return "it is no entry of nearcache";
  }
  if (bytes[At.version] !== FORMAT_VERSION) {
    return `it has format version ${bytes[At.version]}, this is version ${FORMAT_VERSION}`;
  }
  const length = HEADER_BYTES + bytes.readUInt32BE(At.metaBytes) + bytes.readUInt32BE(At.dataBytes);
  return length === bytes.byteLength ? undefined : `it has ${bytes.byteLength} bytes and should have ${length}`;
}

function remaining(flags: number, staleMs: number, pttlMs: number): { freshMs: number; liveMs: number } {
  const isStale = (flags & Flag.stale) !== 0;
  if (pttlMs < 0) {
    return { freshMs: isStale ? 0 : Number.POSITIVE_INFINITY, liveMs: Number.POSITIVE_INFINITY };
  }
  const liveMs = staleMs >= FOREVER_MS ? Number.POSITIVE_INFINITY : pttlMs;
  return { freshMs: isStale ? 0 : Math.max(0, pttlMs - staleMs), liveMs };
}

// --- meta data: a count of tags and each tag, then the two validators, then each key that the value depends on and its
// --- revision; texts with their lengths before them ---------------------------------------------------------------------

/** A validator that is not there. */
const ABSENT = 0xff_ff_ff_ff;

function encodeMeta({ tags, etag, lastModified }: TierEntry, dependencies: readonly Dependency[]): Buffer {
  const isEmpty = tags.length === 0 && dependencies.length === 0;
  if (isEmpty && etag === undefined && lastModified === undefined) {
    return Buffer.alloc(0);
  }
  const count = Buffer.alloc(4);
  count.writeUInt32BE(tags.length);
  const pairs = dependencies.flatMap(({ key, revision }) => [key, revision]);
  return Buffer.concat([count, ...[...tags, etag, lastModified, ...pairs].flatMap(encodeText)]);
}

function encodeText(text: string | undefined): Buffer[] {
  const bytes = Buffer.from(text ?? "");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text === undefined ? ABSENT : bytes.byteLength);
  return [length, bytes];
}

interface Meta extends Pick<TierEntry, "tags" | "etag" | "lastModified"> {
  readonly dependencies: readonly Dependency[];
}

function decodeMeta(meta: Buffer): Meta {
  if (meta.byteLength === 0) {
    return { tags: [], dependencies: [] };
  }
  try {
    const texts: (string | undefined)[] = [];
    const count = meta.readUInt32BE(0);
    for (let at = 4; at < meta.byteLength; ) {
      const length = meta.readUInt32BE(at);
      at += 4;
      texts.push(length === ABSENT ? undefined : meta.toString("utf8", at, at + length));
      at += length === ABSENT ? 0 : length;
    }
    const tags = texts.slice(0, count).filter((tag) => tag !== undefined);
    const pairs = texts.slice(count + 2).filter((text) => text !== undefined);
    if (tags.length !== count || texts.length !== count + 2 + pairs.length || pairs.length % 2 !== 0) {
      throw new UndecodableError("its tags can't be read");
    }
    return { tags, etag: texts[count], lastModified: texts[count + 1], dependencies: pairsOf(pairs) };
  } catch (error) {
    throw error instanceof UndecodableError ? error : new UndecodableError("its meta data can't be read");
  }
}

function pairsOf(texts: readonly string[]): Dependency[] {
  const dependencies: Dependency[] = [];
  for (let at = 0; at < texts.length; at += 2) {
    dependencies.push({ key: texts[at] as string, revision: texts[at + 1] as string });
  }
  return dependencies;
}
