/**
 * From a JavaScript value to bytes (format.ts), in one pass that also proves that the value can come back equal.
 *
 * What the format can't keep exactly is refused, with the path to it: functions, symbols, instances of classes and
 * their subclasses, symbol keys, properties that aren't enumerable, named properties on arrays. An accessor is read
 * once, as `structuredClone` does, and its value stored. Invariant: `encode` leaves no reference to the value behind.
 */
import { types } from "node:util";
import { show, ValueTooLargeError } from "../errors.js";
import { DEPTH_MAX, Flag, Tag, VIEW_OF_PROTOTYPE } from "./format.js";
import { classOf, DETACHED, isDetached, notCacheable, pathOf, type Step } from "./refuse.js";
import type { Shapes } from "./shapes.js";

const NOT_LATIN = /[\u0100-\uffff]/;
const BUFFER_BYTES_START = 8 * 1024;
/** A larger buffer than this is not kept after the value that needed it. */
const BUFFER_BYTES_KEPT = 1024 * 1024;
/** Up to so many objects are searched one by one for a repeated one, more through a Map. */
const SEEN_LINEAR_MAX = 16;
/** After a value with other than Latin-1 strings, so many values are expected to have them too. */
const WIDE_STREAK = 256;
/** Typed arrays up to this length are checked for named properties; listing the keys of long ones costs too much. */
const VIEW_KEYS_CHECKED = 32;

/** Encodes values of one store. Not re-entrant; see {@link isBusy}. */
export class Encoder {
  /** True while a value is being encoded: an accessor of that value may call into the cache again. */
  isBusy = false;
  /** Holds the bytes of the last value, from 0. */
  buffer: Buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES_START);

  readonly #shapes: Pick<Shapes, "find">;
  readonly #bytesMax: number;
  #view = new DataView(this.buffer.buffer);
  #pos = 0;
  #flags = 0;
  #latin = "";
  #wide = "";
  #wideStreak = 0;
  #isMixed = false;
  #depth = 0;
  readonly #path: Step[] = [];
  readonly #seen: unknown[] = [];
  #seenCount = 0;
  #seenMap: Map<unknown, number> | undefined = undefined;

  constructor(shapes: Pick<Shapes, "find">, bytesMax: number) {
    this.#shapes = shapes;
    this.#bytesMax = bytesMax;
  }

  /** Writes `value` into {@link buffer} and returns how many bytes it took. */
  encode(value: object): number {
    this.isBusy = true;
    try {
      let isMixed = this.#wideStreak > 0;
      this.#wideStreak = Math.max(0, this.#wideStreak - 1);
      let length = this.#encodeOnce(value, isMixed);
      if (length < 0) {
        isMixed = true;
        this.#wideStreak = WIDE_STREAK;
        length = this.#encodeOnce(value, isMixed);
      }
      return length;
    } finally {
      this.#reset();
      this.isBusy = false;
    }
  }

  /** Gives back a buffer that an unusually large value has made grow. */
  trim(): void {
    if (this.buffer.byteLength > BUFFER_BYTES_KEPT) {
      this.#resize(BUFFER_BYTES_START, 0);
    }
  }

  /** -1 when the Latin-1 pool turned out to hold other strings, which `isMixed` sorts into the wide pool. */
  #encodeOnce(value: object, isMixed: boolean): number {
    this.#reset();
    this.#isMixed = isMixed;
    this.#pos = 1;
    this.#writeObject(value, "");
    const latin = this.#latin;
    const wide = this.#wide;
    if (!isMixed && latin !== "" && NOT_LATIN.test(latin)) {
      return -1;
    }
    this.#room(latin.length + wide.length * 2 + 8);
    if (latin !== "") {
      this.#flags |= Flag.latinPool;
      this.#pos += this.buffer.write(latin, this.#pos, "latin1");
    }
    if (wide !== "") {
      this.#flags |= Flag.widePool;
      this.#pos += this.buffer.write(wide, this.#pos, "utf16le");
    }
    if (latin !== "") {
      this.#uint32(latin.length);
    }
    if (wide !== "") {
      this.#uint32(wide.length * 2);
    }
    this.buffer[0] = this.#flags;
    this.#checkSize(this.#pos);
    return this.#pos;
  }

  #reset(): void {
    this.#latin = "";
    this.#wide = "";
    this.#flags = 0;
    this.#depth = 0;
    for (let i = 0; i < this.#seenCount && i <= SEEN_LINEAR_MAX; i++) {
      this.#seen[i] = undefined;
    }
    this.#seenCount = 0;
    this.#seenMap = undefined;
  }

  // --- values -------------------------------------------------------------------------------------------------

  #write(value: unknown, step: Step): void {
    if (this.#pos + 16 > this.buffer.byteLength) {
      this.#room(16);
    }
    switch (typeof value) {
      case "string":
        this.#writeString(value);
        return;
      case "number":
        this.#writeNumber(value);
        return;
      case "boolean":
        this.buffer[this.#pos++] = value ? Tag.true : Tag.false;
        return;
      case "object":
        if (value === null) {
          this.buffer[this.#pos++] = Tag.null;
        } else {
          this.#writeObject(value, step);
        }
        return;
      case "undefined":
        this.buffer[this.#pos++] = Tag.undefined;
        return;
      case "bigint":
        this.#writeBigint(value);
        return;
      default:
        this.#fail(`is a ${typeof value}`, step);
    }
  }

  #writeString(value: string): void {
    const length = value.length;
    const buffer = this.buffer;
    if (this.#isMixed && NOT_LATIN.test(value)) {
      buffer[this.#pos++] = Tag.wideString;
      this.#uint32(length);
      this.#wide += value;
      return;
    }
    this.#latin += value;
    if (length < 64) {
      buffer[this.#pos++] = Tag.fixString | length;
    } else if (length < 256) {
      buffer[this.#pos++] = Tag.string8;
      buffer[this.#pos++] = length;
    } else {
      buffer[this.#pos++] = Tag.string32;
      this.#uint32(length);
      // A long string counts at once, so that an endless sum of them is refused before it is built.
      this.#checkSize(this.#pos + this.#latin.length);
    }
  }

  #writeNumber(value: number): void {
    const buffer = this.buffer;
    const integer = value | 0;
    if (integer !== value || (integer === 0 && Object.is(value, -0))) {
      buffer[this.#pos] = Tag.float;
      this.#view.setFloat64(this.#pos + 1, value, true);
      this.#pos += 9;
    } else if (integer >= 0 && integer < 128) {
      buffer[this.#pos++] = integer;
    } else if (integer >= -128 && integer < 128) {
      buffer[this.#pos++] = Tag.int8;
      buffer[this.#pos++] = integer;
    } else if (integer >= -32_768 && integer < 32_768) {
      buffer[this.#pos] = Tag.int16;
      this.#view.setInt16(this.#pos + 1, integer, true);
      this.#pos += 3;
    } else {
      buffer[this.#pos] = Tag.int32;
      this.#view.setInt32(this.#pos + 1, integer, true);
      this.#pos += 5;
    }
  }

  #writeBigint(value: bigint): void {
    if (BigInt.asIntN(64, value) === value) {
      this.buffer[this.#pos] = Tag.bigint64;
      this.#view.setBigInt64(this.#pos + 1, value, true);
      this.#pos += 9;
      return;
    }
    this.buffer[this.#pos++] = Tag.bigint;
    this.buffer[this.#pos++] = value < 0n ? 1 : 0;
    this.#writeString((value < 0n ? -value : value).toString(16));
  }

  // --- objects ------------------------------------------------------------------------------------------------

  #writeObject(value: object, step: Step): void {
    const reference = this.#see(value);
    if (reference >= 0) {
      this.#flags |= Flag.references;
      this.#head(Tag.reference, reference);
      return;
    }
    this.#path[this.#depth] = step;
    if (++this.#depth > DEPTH_MAX) {
      this.#depth--;
      this.#fail(`is nested deeper than ${DEPTH_MAX} levels`, step);
    }
    const prototype = Object.getPrototypeOf(value) as object | null;
    if (Array.isArray(value)) {
      this.#writeArray(value, prototype);
    } else if (prototype === Object.prototype) {
      this.#writePlain(value as Record<string, unknown>);
    } else if (prototype === null) {
      this.#writeKeyed(Tag.bareObject, this.#keysOf(value), value as Record<string, unknown>);
    } else {
      this.#flags |= Flag.unshareable;
      this.#writeBuiltin(value, prototype);
    }
    this.#depth--;
  }

  #writePlain(value: Record<string, unknown>): void {
    const keys = this.#keysOf(value);
    const shape = this.#shapes.find(keys);
    if (shape === null) {
      this.#writeKeyed(Tag.object, keys, value);
      return;
    }
    this.#room(3);
    this.buffer[this.#pos++] = Tag.record;
    this.#view.setUint16(this.#pos, shape.id, true);
    this.#pos += 2;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string;
      this.#write(value[key], key);
    }
  }

  #writeKeyed(tag: number, keys: readonly string[], value: Record<string, unknown>): void {
    this.#head(tag, keys.length);
    for (const key of keys) {
      this.#room(5);
      this.#writeString(key);
      this.#write(value[key], key);
    }
  }

  /** An object's keys, once it is sure that there is nothing but enumerable properties with text for a name. */
  #keysOf(value: object): string[] {
    const keys = Object.keys(value);
    if (Object.getOwnPropertyNames(value).length !== keys.length) {
      const hidden = Object.getOwnPropertyNames(value).find((name) => !keys.includes(name));
      this.#failHere(`has the property ${show(hidden)}, which is not enumerable`);
    }
    this.#refuseSymbols(value);
    return keys;
  }

  #refuseSymbols(value: object): void {
    const symbols = Object.getOwnPropertySymbols(value);
    if (symbols.length > 0) {
      this.#failHere(`has the symbol key ${String(symbols[0])}`);
    }
  }

  #writeArray(value: readonly unknown[], prototype: object | null): void {
    if (prototype !== Array.prototype) {
      this.#failHere(`is an instance of a class (${classOf(value)})`);
    }
    const length = value.length;
    this.#checkSize(this.#pos + length);
    if (length < 256) {
      this.#room(2);
      this.buffer[this.#pos++] = Tag.array8;
      this.buffer[this.#pos++] = length;
    } else {
      this.#head(Tag.array32, length);
    }
    let present = length;
    for (let i = 0; i < length; i++) {
      const element = value[i];
      if (element === undefined && !Object.hasOwn(value, i)) {
        this.#room(1);
        this.buffer[this.#pos++] = Tag.hole;
        present--;
      } else {
        this.#write(element, i);
      }
    }
    if (Object.keys(value).length !== present) {
      const named = Object.keys(value).find((key) => !/^\d+$/.test(key)) ?? Object.keys(value)[present];
      this.#failHere(`is an array with the property ${show(named)} beside its elements`);
    }
    this.#refuseSymbols(value);
  }

  #writeBuiltin(value: object, prototype: object): void {
    if (prototype === Date.prototype && types.isDate(value)) {
      this.#refuseProperties(value);
      this.#room(9);
      this.buffer[this.#pos] = Tag.date;
      this.#view.setFloat64(this.#pos + 1, value.getTime(), true);
      this.#pos += 9;
    } else if (prototype === Map.prototype && types.isMap(value)) {
      this.#refuseProperties(value);
      this.#head(Tag.map, value.size);
      for (const [key, element] of value) {
        this.#write(key, `<key ${show(key)}>`);
        this.#write(element, `<value of ${show(key)}>`);
      }
    } else if (prototype === Set.prototype && types.isSet(value)) {
      this.#refuseProperties(value);
      this.#head(Tag.set, value.size);
      for (const element of value) {
        this.#write(element, `<element ${show(element)}>`);
      }
    } else if (prototype === ArrayBuffer.prototype && types.isArrayBuffer(value)) {
      this.#refuseProperties(value);
      this.#head(Tag.arrayBuffer, value.byteLength);
      this.#bytes(this.#memory(value, 0, value.byteLength));
    } else if (ArrayBuffer.isView(value) && VIEW_OF_PROTOTYPE.has(prototype)) {
      this.#writeView(value, VIEW_OF_PROTOTYPE.get(prototype) ?? 0);
    } else {
      this.#failHere(`is an instance of a class (${classOf(value)})`);
    }
  }

  #writeView(value: ArrayBufferView, view: number): void {
    const elements = types.isTypedArray(value) ? value.length : 0;
    if (elements <= VIEW_KEYS_CHECKED && Object.keys(value).length !== elements) {
      this.#failHere("has named properties beside its elements");
    }
    this.#refuseSymbols(value);
    this.#room(2);
    this.buffer[this.#pos++] = Tag.view;
    this.buffer[this.#pos++] = view;
    this.#room(4);
    this.#uint32(value.byteLength);
    this.#bytes(this.#memory(value.buffer, value.byteOffset, value.byteLength));
  }

  #memory(buffer: ArrayBufferLike, offset: number, length: number): Uint8Array {
    return isDetached(buffer) ? this.#failHere(DETACHED) : new Uint8Array(buffer, offset, length);
  }

  #refuseProperties(value: object): void {
    const names = Object.getOwnPropertyNames(value);
    if (names.length > 0) {
      this.#failHere(`is a ${classOf(value)} with the property ${show(names[0])}`);
    }
    this.#refuseSymbols(value);
  }

  /** The number of an object that was met before, or -1 for a new one, which gets the next number. */
  #see(value: object): number {
    const count = this.#seenCount;
    if (this.#seenMap !== undefined) {
      const known = this.#seenMap.get(value);
      if (known !== undefined) {
        return known;
      }
      this.#seenMap.set(value, count);
      this.#seenCount = count + 1;
      return -1;
    }
    const seen = this.#seen;
    for (let i = 0; i < count; i++) {
      if (seen[i] === value) {
        return i;
      }
    }
    seen[count] = value;
    this.#seenCount = count + 1;
    if (count === SEEN_LINEAR_MAX) {
      this.#seenMap = new Map(seen.map((object, index) => [object, index]));
    }
    return -1;
  }

  // --- bytes --------------------------------------------------------------------------------------------------

  #head(tag: number, count: number): void {
    this.#room(5);
    this.buffer[this.#pos++] = tag;
    this.#uint32(count);
  }

  #uint32(value: number): void {
    this.#view.setUint32(this.#pos, value, true);
    this.#pos += 4;
  }

  #bytes(bytes: Uint8Array): void {
    this.#room(bytes.byteLength);
    this.buffer.set(bytes, this.#pos);
    this.#pos += bytes.byteLength;
  }

  /** Makes sure that `bytes` more fit, with some to spare. */
  #room(bytes: number): void {
    const needed = this.#pos + bytes;
    if (needed > this.buffer.byteLength) {
      this.#checkSize(this.#pos);
      this.#resize(Math.max(needed + 64, this.buffer.byteLength * 2), this.#pos);
    }
  }

  #resize(byteLength: number, kept: number): void {
    const grown = Buffer.allocUnsafeSlow(byteLength);
    this.buffer.copy(grown, 0, 0, kept);
    this.buffer = grown;
    this.#view = new DataView(grown.buffer);
  }

  #checkSize(length: number): void {
    const max = this.#bytesMax;
    if (length > max) {
      const message = `The value takes at least ${length} bytes, maxValueSize is ${max}: raise it or cache less.`;
      throw new ValueTooLargeError("ERR_VALUE_TOO_LARGE", message, { length, max });
    }
  }

  // --- errors -------------------------------------------------------------------------------------------------

  /** The object that is being written is at fault. */
  #failHere(reason: string): never {
    notCacheable(pathOf(this.#path.slice(1, this.#depth)), reason);
  }

  /** The child `step` of the object that is being written is at fault. */
  #fail(reason: string, step: Step): never {
    notCacheable(pathOf([...this.#path.slice(1, this.#depth), step]), reason);
  }
}
