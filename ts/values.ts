/**
 * Values between JavaScript and a store: which kind a value has, how its bytes are written, and how a read's answer
 * becomes a value again. Strings, numbers and null cross into the addon as they are; booleans and bigints have a text
 * form of one or a few bytes; bytes stay bytes; every other object goes through the codec.
 *
 * Owns the scratch memory that the addon copies a value into, and the codec's buffers. What is read from scratch must
 * be taken out before the next call into the addon.
 */
import { markAsUntransferable } from "node:worker_threads";
import { Decoder } from "./codec/decode.js";
import { Encoder } from "./codec/encode.js";
import { deepFreeze } from "./codec/freeze.js";
import type { Codec } from "./codec/pluggable.js";
import { DETACHED, isDetached, notCacheable } from "./codec/refuse.js";
import { NO_SHAPES, Shapes } from "./codec/shapes.js";
import { type Envelope, open, seal } from "./envelope.js";
import { InvalidArgumentError, show, ValueNotCacheableError } from "./errors.js";
import { Header, type NativeCache, type RawValue, SCRATCH_DATA } from "./native.js";

/**
 * The kinds that TypeScript writes and reads as bytes. Those of strings, numbers and null are the addon's, which
 * converts them itself; TypeScript meets them inside an envelope and in second tiers.
 */
export const Kind = {
  ...{ bytes: 0, boolean: 7, bigint: 8, object: 9, buffer: 10, custom: 11, enveloped: 12 },
  ...{ ascii: 1, utf8: 2, utf16: 13, float: 5, null: 6 },
} as const;

const SCRATCH_BYTES = 128 * 1024;
/** Larger scratch is given back after the read that needed it. */
const SCRATCH_BYTES_KEPT = 1024 * 1024;
/** L0 keeps only values up to this size, so that its share of the heap is bounded (see l0.ts). */
const L0_VALUE_BYTES_MAX = 64 * 1024;

/** A boolean's byte. In pooled memory, which costs less to hand to the addon than a few bytes on V8's heap. */
const TRUE = Buffer.from([1]);
const FALSE = Buffer.from([0]);

/** New scratch memory, as the addon is opened with. */
export function newScratch(byteLength: number = SCRATCH_BYTES): ArrayBuffer {
  const scratch = new ArrayBuffer(byteLength);
  // The addon holds on to its memory: it must not move to another thread.
  markAsUntransferable(scratch);
  return scratch;
}

/** A value's bytes and what they are. */
export interface Packed {
  readonly kind: number;
  readonly bytes: Uint8Array;
}

/** A value taken apart once, to be stored in several places and to be handed to several callers that must not share it. */
export interface Snapshot {
  readonly packed: Packed;
  /** The value as a reader of the cache gets it. */
  give(): unknown;
}

/** Writes and reads the values of one store for one thread. */
export class Values {
  /** Whether the value that {@link read} returned last may be shared between readers, that is, may enter L0. */
  isShareable = false;
  /** What the entry that {@link read} returned last remembers; `undefined` if it has nothing to. */
  envelope: Envelope | undefined = undefined;
  /** The scratch header; see `Header`. */
  header: Int32Array;

  readonly #native: NativeCache;
  readonly #codec: Codec | undefined;
  readonly #isFrozen: boolean;
  readonly #shapes: Shapes;
  readonly #bytesMax: number;
  readonly #decoder: Decoder;
  #encoder: Encoder;
  #scratch: Buffer;
  /** What {@link #encode} made. */
  #kind = 0;
  #bytes: Uint8Array;
  /** For snapshots, whose bytes are not in scratch, whose size has no limit, and which other processes may read. */
  #spare: { encoder: Encoder; decoder: Decoder } | undefined = undefined;

  constructor(native: NativeCache, scratch: ArrayBuffer, bytesMax: number, isFrozen: boolean, codec?: Codec) {
    this.#native = native;
    this.#codec = codec;
    this.#isFrozen = isFrozen;
    this.#bytesMax = bytesMax;
    this.#shapes = new Shapes(native);
    this.#encoder = new Encoder(this.#shapes, bytesMax);
    this.#decoder = new Decoder(this.#shapes);
    this.#decoder.use(scratch);
    this.#scratch = Buffer.from(scratch);
    this.#bytes = this.#scratch;
    this.header = new Int32Array(scratch);
  }

  /** Stores a value; throws before anything is changed if it can't come back as it is. */
  write(key: string, value: unknown, ttlMs: number | undefined): void {
    if (typeof value === "string" || typeof value === "number" || value === null) {
      // An argument that is not passed costs the addon nothing to look at.
      if (ttlMs === undefined) {
        this.#native.set(key, value);
      } else {
        this.#native.set(key, value, ttlMs);
      }
      return;
    }
    const length = this.#encode(value, this.#encoder);
    if (ttlMs === undefined) {
      this.#native.setBytes(key, this.#kind, this.#bytes, length);
    } else {
      this.#native.setBytes(key, this.#kind, this.#bytes, length, ttlMs);
    }
    this.#encoder.trim();
  }

  /** The value behind a read's answer, which is not `undefined`. `key` is read again if scratch was too small. */
  read(raw: RawValue, key: string): unknown {
    this.envelope = undefined;
    if (typeof raw !== "boolean") {
      this.isShareable = typeof raw !== "string" || raw.length <= L0_VALUE_BYTES_MAX;
      return raw;
    }
    return raw ? this.#decodeScratch() : this.#readLarge(key);
  }

  /** Takes a value apart without storing it yet. Its bytes stand for themselves, also in another process. */
  snapshot(value: unknown): Snapshot {
    const packed = this.#pack(value);
    const isPrimitive = typeof value !== "object" || value === null;
    return isPrimitive ? { packed, give: () => value } : this.unpack(packed);
  }

  /** What was taken apart, here or in another process. Throws what the codec throws, at the first `give`. */
  unpack(packed: Packed): Snapshot {
    let shared: unknown;
    const give = (): unknown => {
      if (shared !== undefined) {
        return shared;
      }
      // The decoder reads from the beginning of a buffer, and these bytes may lie in a pool.
      const bytes = Buffer.from(new Uint8Array(packed.bytes).buffer);
      const { decoder } = this.#spareCodec();
      decoder.use(bytes.buffer);
      const own = this.#decode(packed.kind, bytes, 0, bytes.byteLength, decoder);
      shared = this.isShareable ? own : undefined;
      return own;
    };
    return { packed, give };
  }

  /**
   * Puts an envelope in front of a value's bytes, as they are stored with kind `enveloped`. Throws
   * {@link InvalidArgumentError} when the tags and validators are too long.
   */
  static seal(envelope: Envelope, packed: Packed, key: string): Buffer {
    const sealed = seal(envelope, packed.kind, packed.bytes);
    if (sealed === undefined) {
      const message = `The tags, dependencies and validators of key ${show(key)} take more than 65,535 bytes; give it fewer or shorter ones.`;
      throw new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value: envelope.tags, key });
    }
    return sealed;
  }

  // --- writing ------------------------------------------------------------------------------------------------

  #spareCodec(): { encoder: Encoder; decoder: Decoder } {
    this.#spare ??= { encoder: new Encoder(NO_SHAPES, 2 ** 31), decoder: new Decoder(this.#shapes) };
    return this.#spare;
  }

  #pack(value: unknown): Packed {
    if (typeof value === "string") {
      return packText(value);
    }
    if (typeof value === "number") {
      const bytes = Buffer.allocUnsafe(8);
      bytes.writeDoubleLE(value);
      return { kind: Kind.float, bytes };
    }
    if (value === null) {
      return { kind: Kind.null, bytes: new Uint8Array(0) };
    }
    const { encoder } = this.#spareCodec();
    const length = this.#encode(value, encoder);
    const packed = { kind: this.#kind, bytes: Uint8Array.prototype.slice.call(this.#bytes, 0, length) };
    encoder.trim();
    return packed;
  }

  /** Turns a value into `#kind` and `#bytes`, and returns the length. */
  #encode(value: unknown, encoder: Encoder): number {
    switch (typeof value) {
      case "object":
        return this.#encodeObject(value as object, encoder);
      case "boolean":
        this.#kind = Kind.boolean;
        this.#bytes = value ? TRUE : FALSE;
        return 1;
      case "bigint":
        this.#kind = Kind.bigint;
        this.#bytes = Buffer.from(value.toString(), "latin1");
        return this.#bytes.byteLength;
      case "undefined":
        throw new ValueNotCacheableError(
          "ERR_VALUE_NOT_CACHEABLE",
          "undefined can't be cached, because get() says undefined for a key that is not there. Cache null instead, or delete the key.",
          { path: "value" },
        );
      default:
        return notCacheable("value", `is a ${typeof value}`);
    }
  }

  #encodeObject(value: object, encoder: Encoder): number {
    const prototype = Object.getPrototypeOf(value) as object | null;
    if ((prototype === Uint8Array.prototype || prototype === Buffer.prototype) && ArrayBuffer.isView(value)) {
      const bytes = value as Uint8Array;
      if (bytes.byteLength === 0 && isDetached(bytes.buffer)) {
        return notCacheable("value", DETACHED);
      }
      // Short ones go through the codec when they carry named properties, which refuses them and says why.
      if (bytes.byteLength > 32 || Object.keys(bytes).length === bytes.byteLength) {
        this.#kind = prototype === Buffer.prototype ? Kind.buffer : Kind.bytes;
        this.#bytes = bytes.buffer instanceof ArrayBuffer ? bytes : Buffer.from(bytes);
        return bytes.byteLength;
      }
    }
    if (this.#codec !== undefined) {
      this.#bytes = encodeCustom(this.#codec, value);
      this.#kind = Kind.custom;
      return this.#bytes.byteLength;
    }
    // An accessor of the value that is being encoded has called set(): it gets an encoder of its own.
    const free = encoder.isBusy ? new Encoder(this.#shapes, this.#bytesMax) : encoder;
    const length = free.encode(value);
    this.#kind = Kind.object;
    this.#bytes = free.buffer;
    return length;
  }

  // --- reading ------------------------------------------------------------------------------------------------

  #decodeScratch(): unknown {
    const header = this.header;
    const length = header[Header.length] as number;
    const kind = header[Header.kind] as number;
    const value =
      kind === Kind.enveloped
        ? this.#decodeEnveloped(length)
        : this.#decode(kind, this.#scratch, SCRATCH_DATA, length, this.#decoder);
    this.isShareable &&= length <= L0_VALUE_BYTES_MAX;
    return value;
  }

  #decodeEnveloped(length: number): unknown {
    const { envelope, kind, start } = open(this.#scratch, SCRATCH_DATA);
    this.envelope = envelope;
    return this.#decode(kind, this.#scratch, start, SCRATCH_DATA + length - start, this.#decoder);
  }

  /** Reads into larger scratch until the value fits, which another thread may overwrite with a larger one meanwhile. */
  #readLarge(key: string): unknown {
    let raw: RawValue = false;
    while (raw === false) {
      const length = (this.header[Header.length] as number) >>> 0;
      this.#useScratch(newScratch(Math.ceil((SCRATCH_DATA + length) / 4096 + 1) * 4096));
      raw = this.#native.peek(key);
    }
    const value = raw === true ? this.#decodeScratch() : raw;
    this.isShareable = false;
    if (this.#scratch.byteLength > SCRATCH_BYTES_KEPT) {
      this.#useScratch(newScratch());
    }
    return value;
  }

  #useScratch(scratch: ArrayBuffer): void {
    this.#native.replaceScratch(scratch);
    this.#decoder.use(scratch);
    this.#scratch = Buffer.from(scratch);
    this.header = new Int32Array(scratch);
  }

  #decode(kind: number, bytes: Buffer, start: number, length: number, decoder: Decoder): unknown {
    this.isShareable = false;
    switch (kind) {
      case Kind.object:
        this.isShareable = this.#isFrozen && decoder.isShareable(start);
        return decoder.decode(start, length, this.#isFrozen);
      case Kind.buffer: {
        const copy = Buffer.allocUnsafe(length);
        bytes.copy(copy, 0, start, start + length);
        return copy;
      }
      case Kind.bytes:
        return copyBytes(bytes, start, length);
      case Kind.boolean:
        this.isShareable = true;
        return bytes[start] === 1;
      case Kind.bigint:
        this.isShareable = true;
        return BigInt(bytes.toString("latin1", start, start + length));
      case Kind.ascii:
      case Kind.utf8:
      case Kind.utf16:
        this.isShareable = true;
        return bytes.toString(ENCODINGS[kind], start, start + length);
      case Kind.float:
        this.isShareable = true;
        return bytes.readDoubleLE(start);
      case Kind.null:
        this.isShareable = true;
        return null;
      case Kind.custom:
        return this.#decodeCustom(copyBytes(bytes, start, length));
      default:
        throw new Error(`nearcache: there is no kind of value ${kind}`);
    }
  }

  #decodeCustom(bytes: Uint8Array): unknown {
    if (this.#codec === undefined) {
      throw new Error("nearcache: the value was written with a codec that this cache does not have");
    }
    const value = this.#codec.decode(bytes);
    this.isShareable = this.#isFrozen && deepFreeze(value);
    return value;
  }
}

const ENCODINGS = { [Kind.ascii]: "latin1", [Kind.utf8]: "utf8", [Kind.utf16]: "utf16le" } as const;

const ASCII = /^[\0-\x7f]*$/;

/** Text as the addon would store it, but for lone surrogates, which UTF-8 can't express. */
function packText(text: string): Packed {
  if (ASCII.test(text)) {
    return { kind: Kind.ascii, bytes: Buffer.from(text, "latin1") };
  }
  const utf8 = Buffer.from(text, "utf8");
  return utf8.toString("utf8") === text
    ? { kind: Kind.utf8, bytes: utf8 }
    : { kind: Kind.utf16, bytes: Buffer.from(text, "utf16le") };
}

/** Bytes with memory of their own: a view on pooled memory would show other values through `.buffer`. */
function copyBytes(bytes: Buffer, start: number, length: number): Uint8Array {
  const copy = new Uint8Array(length);
  copy.set(bytes.subarray(start, start + length));
  return copy;
}

function encodeCustom(codec: Codec, value: object): Uint8Array {
  const bytes: unknown = codec.encode(value);
  if (!(bytes instanceof Uint8Array)) {
    const message = `codec.encode must return a Uint8Array, it returned ${show(bytes)}.`;
    throw new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value: bytes });
  }
  return bytes;
}
