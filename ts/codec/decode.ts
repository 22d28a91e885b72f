/**
 * From bytes (format.ts) back to the value, frozen on the way when asked for.
 *
 * Runs no code of the user's. Two ways through an object: without references, children are read first and the object
 * is built whole (for a shape that is met often, by a function compiled for it); with references an object must exist
 * before its children, so it is made empty, numbered and filled.
 */
import { Flag, Tag, VIEW_BUFFER, VIEWS, type ViewConstructor } from "./format.js";
import type { Shape, Shapes } from "./shapes.js";

/** A shape is compiled at this many decodings in one thread: compiling costs as much as some hundred objects. */
const COMPILE_AFTER = 32;

/** Decodes the values of one store. */
export class Decoder {
  readonly #shapes: Shapes;
  #bytes: Buffer = Buffer.alloc(0);
  #view = new DataView(this.#bytes.buffer);
  #pos = 0;
  #latin = "";
  #latinPos = 0;
  #wide = "";
  #widePos = 0;
  #isFrozen = false;
  /** The objects by number while the value has references. */
  #objects: unknown[] | undefined = undefined;

  constructor(shapes: Shapes) {
    this.#shapes = shapes;
  }

  /** Which buffer the values are read from: set once per buffer, not per value. */
  use(buffer: ArrayBufferLike): void {
    this.#bytes = Buffer.from(buffer);
    this.#view = new DataView(buffer);
  }

  /** The value at `start`, `length` bytes long; deep-frozen if asked for, as far as its parts can be frozen. */
  decode(start: number, length: number, isFrozen: boolean): unknown {
    const bytes = this.#bytes;
    const flags = bytes[start] as number;
    let end = start + length;
    let wideBytes = 0;
    if (flags & Flag.widePool) {
      end -= 4;
      wideBytes = this.#view.getUint32(end, true);
    }
    if (flags & Flag.latinPool) {
      end -= 4;
      const latinBytes = this.#view.getUint32(end, true);
      end -= wideBytes;
      this.#latin = bytes.toString("latin1", end - latinBytes, end);
      this.#latinPos = 0;
    } else {
      end -= wideBytes;
    }
    if (wideBytes > 0) {
      this.#wide = bytes.toString("utf16le", end, end + wideBytes);
      this.#widePos = 0;
    }
    this.#isFrozen = isFrozen;
    this.#objects = flags & Flag.references ? [] : undefined;
    this.#pos = start + 1;
    const value = this.value();
    this.#latin = "";
    this.#wide = "";
    this.#objects = undefined;
    return value;
  }

  /** Whether readers may share the value at `start` once it is frozen. */
  isShareable(start: number): boolean {
    return ((this.#bytes[start] as number) & Flag.unshareable) === 0;
  }

  /** The next value. Public for the functions compiled from shapes. */
  value(): unknown {
    const tag = this.#bytes[this.#pos++] as number;
    if (tag < Tag.fixString) {
      return tag;
    }
    if (tag < Tag.null) {
      const from = this.#latinPos;
      this.#latinPos = from + (tag & 63);
      return this.#latin.slice(from, this.#latinPos);
    }
    switch (tag) {
      case Tag.record:
        return this.#record();
      case Tag.null:
        return null;
      case Tag.true:
        return true;
      case Tag.false:
        return false;
      case Tag.int8:
        return this.#view.getInt8(this.#pos++);
      case Tag.int16:
        this.#pos += 2;
        return this.#view.getInt16(this.#pos - 2, true);
      case Tag.int32:
        this.#pos += 4;
        return this.#view.getInt32(this.#pos - 4, true);
      case Tag.float:
        return this.#float();
      case Tag.string8:
        return this.#latinString(this.#bytes[this.#pos++] as number);
      case Tag.array8:
        return this.#array(this.#bytes[this.#pos++] as number);
      default:
        return this.#rareValue(tag);
    }
  }

  #rareValue(tag: number): unknown {
    switch (tag) {
      case Tag.undefined:
        return undefined;
      case Tag.string32:
        return this.#latinString(this.#uint32());
      case Tag.wideString:
        return this.#wideString(this.#uint32());
      case Tag.array32:
        return this.#array(this.#uint32());
      case Tag.object:
        return this.#object(this.#uint32(), {});
      case Tag.bareObject:
        return this.#object(this.#uint32(), Object.create(null) as object);
      case Tag.bigint64:
        this.#pos += 8;
        return this.#view.getBigInt64(this.#pos - 8, true);
      case Tag.bigint:
        return this.#bigint();
      case Tag.reference:
        return this.#objects?.[this.#uint32()];
      case Tag.date:
        return this.#number(new Date(this.#float()));
      case Tag.map:
        return this.#map(this.#uint32());
      case Tag.set:
        return this.#set(this.#uint32());
      case Tag.view:
        return this.#viewOn(this.#bytes[this.#pos++] as number);
      case Tag.arrayBuffer:
        return this.#number(this.#copy(this.#uint32()));
      default:
        throw new Error(`nearcache: unknown tag ${tag} in an encoded value (please report this)`);
    }
  }

  // --- objects ------------------------------------------------------------------------------------------------

  #record(): object {
    const id = this.#view.getUint16(this.#pos, true);
    this.#pos += 2;
    const shape = this.#shapes.at(id);
    if (this.#objects === undefined && shape.build !== null) {
      const object = shape.build(this);
      return this.#isFrozen ? Object.freeze(object) : object;
    }
    if (++shape.decoded === COMPILE_AFTER) {
      shape.build = compile(shape);
    }
    const object = this.#number({});
    for (const key of shape.keys) {
      define(object, key, this.value());
    }
    return this.#isFrozen ? Object.freeze(object) : object;
  }

  #object(count: number, object: object): object {
    this.#number(object);
    for (let i = 0; i < count; i++) {
      define(object, this.value() as string, this.value());
    }
    return this.#isFrozen ? Object.freeze(object) : object;
  }

  #array(length: number): unknown[] {
    const array = this.#number(new Array<unknown>(length));
    for (let i = 0; i < length; i++) {
      if (this.#bytes[this.#pos] === Tag.hole) {
        this.#pos++;
      } else {
        array[i] = this.value();
      }
    }
    if (this.#isFrozen) {
      Object.freeze(array);
    }
    return array;
  }

  #map(size: number): Map<unknown, unknown> {
    const map = this.#number(new Map<unknown, unknown>());
    for (let i = 0; i < size; i++) {
      const key = this.value();
      map.set(key, this.value());
    }
    return map;
  }

  #set(size: number): Set<unknown> {
    const set = this.#number(new Set<unknown>());
    for (let i = 0; i < size; i++) {
      set.add(this.value());
    }
    return set;
  }

  #viewOn(index: number): ArrayBufferView {
    const byteLength = this.#uint32();
    if (index === VIEW_BUFFER) {
      const buffer = Buffer.allocUnsafe(byteLength);
      this.#bytes.copy(buffer, 0, this.#pos, this.#pos + byteLength);
      this.#pos += byteLength;
      return this.#number(buffer);
    }
    return this.#number(new (VIEWS[index] as ViewConstructor)(this.#copy(byteLength)));
  }

  #number<O extends object>(object: O): O {
    this.#objects?.push(object);
    return object;
  }

  // --- the rest -----------------------------------------------------------------------------------------------

  #copy(byteLength: number): ArrayBuffer {
    const copy = new Uint8Array(byteLength);
    copy.set(this.#bytes.subarray(this.#pos, this.#pos + byteLength));
    this.#pos += byteLength;
    return copy.buffer;
  }

  #latinString(length: number): string {
    const from = this.#latinPos;
    this.#latinPos = from + length;
    return this.#latin.slice(from, this.#latinPos);
  }

  #wideString(length: number): string {
    const from = this.#widePos;
    this.#widePos = from + length;
    return this.#wide.slice(from, this.#widePos);
  }

  #bigint(): bigint {
    const isNegative = this.#bytes[this.#pos++] === 1;
    const magnitude = BigInt(`0x${this.value() as string}`);
    return isNegative ? -magnitude : magnitude;
  }

  #float(): number {
    this.#pos += 8;
    return this.#view.getFloat64(this.#pos - 8, true);
  }

  #uint32(): number {
    this.#pos += 4;
    return this.#view.getUint32(this.#pos - 4, true);
  }
}

/** Sets an own property, whatever its name: assigning to `__proto__` would change the prototype instead. */
function define(object: object, key: string, value: unknown): void {
  if (key === "__proto__") {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    (object as Record<string, unknown>)[key] = value;
  }
}

/**
 * A function that builds the shape's objects as one literal, several times as fast as adding property after property.
 * Null where the process forbids code from strings; the slow way does the same. Keys are data: each is quoted.
 */
function compile(shape: Shape): Shape["build"] {
  // `"__proto__": v` in a literal would set the prototype; a computed name makes a property of it.
  const fields = shape.keys.map((key) => `${key === "__proto__" ? `["__proto__"]` : JSON.stringify(key)}:d.value()`);
  try {
    return new Function("d", `"use strict";return{${fields.join(",")}}`) as Shape["build"];
  } catch {
    return null;
  }
}
