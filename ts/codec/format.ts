/**
 * The byte format of an encoded object (value kind 9), version 1. One value is
 *
 *     flags u8 | body | latin pool | wide pool | [latin length u32] [wide length u32]
 *
 * All strings of a value are gathered in a pool, so that decoding makes one string and cuts it, instead of crossing
 * into native code once per string: Latin-1 strings in one pool, the others as UTF-16 in a second. Both keep every
 * JavaScript string exactly, lone surrogates included. The lengths at the end exist only with their flag, in bytes.
 *
 * The body is one value: a tag byte, then what the tag asks for. Objects are numbered in the order in which they
 * begin, which is what `REFERENCE` refers to. Numbers are little-endian. Only encode.ts and decode.ts read this file.
 */

/** Bits of the first byte. */
export const Flag = {
  latinPool: 1,
  widePool: 2,
  /** The body has references: objects must exist before their children are read. */
  references: 4,
  /** The value holds something that can't be frozen (Date, Map, Set, bytes), so no two readers may share it. */
  unshareable: 8,
} as const;

/** 0 to 0x7f is the number itself; 0x80 to 0xbf a Latin-1 string of 0 to 63 characters; the rest is here. */
export const Tag = {
  fixString: 0x80,
  null: 0xc0,
  undefined: 0xc1,
  false: 0xc2,
  true: 0xc3,
  /** An array index that is not there. */
  hole: 0xc4,
  int8: 0xc5,
  int16: 0xc6,
  int32: 0xc7,
  float: 0xc8,
  /** Latin-1, length u8 or u32. */
  string8: 0xc9,
  string32: 0xca,
  /** UTF-16, length in code units u32. */
  wideString: 0xcb,
  /** A bigint of 64 bits, or its digits in hexadecimal: sign u8, then a pooled string. */
  bigint64: 0xcc,
  bigint: 0xcd,
  array8: 0xce,
  array32: 0xcf,
  /** A plain object whose keys are in the shape table: shape u16, then the values. */
  record: 0xd0,
  /** A plain object with its keys: count u32, then key and value by turns. */
  object: 0xd1,
  /** The same with no prototype. */
  bareObject: 0xd2,
  reference: 0xd3,
  date: 0xd4,
  map: 0xd5,
  set: 0xd6,
  /** A view on bytes: index into {@link VIEWS} u8, length in bytes u32, the bytes. */
  view: 0xd7,
  arrayBuffer: 0xd8,
} as const;

/** Objects nested deeper than this are refused: encoder, decoder and deep comparison all recurse. */
export const DEPTH_MAX = 500;

/** A way to see bytes. */
export type ViewConstructor = {
  new (buffer: ArrayBuffer, offset?: number, length?: number): ArrayBufferView;
  readonly prototype: object;
  readonly name: string;
  readonly BYTES_PER_ELEMENT?: number;
};

const float16 = (globalThis as { Float16Array?: ViewConstructor }).Float16Array;

/** Every kind of view that comes back as what it was. Order is format: add at the end only. */
export const VIEWS: readonly (ViewConstructor | undefined)[] = [
  Uint8Array as ViewConstructor,
  Buffer as unknown as ViewConstructor,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
  float16,
] as readonly (ViewConstructor | undefined)[];

/** The index in {@link VIEWS} of the `Buffer` class. */
export const VIEW_BUFFER = 1;

/** From a view's prototype to its index in {@link VIEWS}. A subclass's prototype is not in it. */
export const VIEW_OF_PROTOTYPE: ReadonlyMap<object, number> = new Map(
  VIEWS.flatMap((view, index) => (view ? [[view.prototype, index] as const] : [])),
);
