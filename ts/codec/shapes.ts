/**
 * Shapes: the lists of keys that many objects have in common, each written once and then known by a small number.
 *
 * The table belongs to the store and not to the thread, because an object that one thread encodes is decoded by
 * another. It only ever grows: an id is in the shared table before the first record that uses it is stored, and never
 * changes its meaning, so a reader that meets an unknown id needs only to read the table again. Appending is a compare-
 * and-set on the table's version. What makes shapes without end (objects used as dictionaries) stays out: a key list
 * must be met {@link MEETINGS_MIN} times, and the table has a limit in shapes and in bytes.
 */
import type { Decoder } from "./decode.js";

/** Where the shared table lives: one byte string per store, replaced by compare-and-set. */
export interface SharedBlob {
  sharedBlobGet(): Uint8Array | undefined;
  sharedBlobSet(bytes: Uint8Array, expectedVersion: number): boolean;
  sharedBlobVersion(): number;
}

/** A list of keys that has a number. */
export interface Shape {
  readonly id: number;
  readonly keys: readonly string[];
  /** How often this thread has decoded it; it is compiled when that pays. */
  decoded: number;
  /** Builds an object of this shape from the values that the decoder reads next, in order. */
  build: ((decoder: Decoder) => object) | null;
}

/** Objects with more keys are dictionaries, not records. */
const KEYS_MAX = 64;
/** A key list gets a number when this thread meets it for this many times. */
const MEETINGS_MIN = 2;
/** How many shapes and how many bytes of them a store may have. */
const SHAPES_MAX = 4096;
const TABLE_BYTES_MAX = 256 * 1024;
/** The finder forgets the key lists that have no number when it has grown by this many nodes. */
const NODES_MAX = 16_384;

/** One step of the finder: the keys so far lead here, the next key leads on. */
class Node {
  lastKey: string | undefined = undefined;
  lastNode: Node | undefined = undefined;
  next: Map<string, Node> | undefined = undefined;
  shape: Shape | null = null;
  meetings = 0;
}

/** No shape has a number: every object's keys are written out, so that its bytes can be read in any process. */
export const NO_SHAPES: Pick<Shapes, "find"> = { find: () => null };

/** One thread's view of a store's shape table. */
export class Shapes {
  readonly #blob: SharedBlob;
  readonly #shapes: Shape[] = [];
  #root = new Node();
  #nodes = 0;
  #version = -1;
  #bytesRead = 0;
  #isFull = false;

  constructor(blob: SharedBlob) {
    this.#blob = blob;
  }

  /** The shape of an object with these keys, in this order; null: write the keys out. */
  find(keys: readonly string[]): Shape | null {
    const count = keys.length;
    if (count === 0 || count > KEYS_MAX) {
      return null;
    }
    let node = this.#root;
    for (let i = 0; i < count; i++) {
      const key = keys[i] as string;
      node = node.lastKey === key ? (node.lastNode as Node) : this.#step(node, key);
    }
    return node.shape ?? this.#meet(node, keys);
  }

  /** The shape of that number, which some thread has put into the table. */
  at(id: number): Shape {
    if (id >= this.#shapes.length) {
      this.#read();
    }
    const shape = this.#shapes[id];
    if (shape === undefined) {
      throw new Error(`nearcache: shape ${id} is not in the table of ${this.#shapes.length} (please report this)`);
    }
    return shape;
  }

  #step(node: Node, key: string): Node {
    node.next ??= new Map();
    let child = node.next.get(key);
    if (child === undefined) {
      child = new Node();
      node.next.set(key, child);
      this.#nodes++;
    }
    node.lastKey = key;
    node.lastNode = child;
    return child;
  }

  #meet(node: Node, keys: readonly string[]): Shape | null {
    if (this.#nodes > NODES_MAX) {
      this.#forgetUnnumbered();
    }
    if (++node.meetings < MEETINGS_MIN || this.#isFull) {
      return null;
    }
    return this.#append(node, keys.slice());
  }

  /** Puts the keys into the shared table, unless another thread has done so or there is no room. */
  #append(node: Node, keys: readonly string[]): Shape | null {
    const line = Buffer.from(`${JSON.stringify(keys)}\n`);
    for (;;) {
      const table = this.#read();
      if (node.shape !== null) {
        return node.shape;
      }
      if (this.#shapes.length >= SHAPES_MAX || table.byteLength + line.byteLength > TABLE_BYTES_MAX) {
        this.#isFull = true;
        return null;
      }
      this.#blob.sharedBlobSet(Buffer.concat([table, line]), this.#version);
    }
  }

  /** Takes over what other threads have appended. The version is read first: at worst it is too old, and a set fails. */
  #read(): Uint8Array {
    const version = this.#blob.sharedBlobVersion();
    const table = this.#blob.sharedBlobGet() ?? new Uint8Array(0);
    const added = Buffer.from(table.buffer, table.byteOffset, table.byteLength).toString("utf8", this.#bytesRead);
    for (const line of added.split("\n")) {
      if (line !== "") {
        this.#add(JSON.parse(line) as string[]);
      }
    }
    this.#bytesRead = table.byteLength;
    this.#version = version;
    return table;
  }

  #add(keys: readonly string[]): void {
    const shape: Shape = { id: this.#shapes.length, keys, decoded: 0, build: null };
    this.#shapes.push(shape);
    this.#nodeOf(keys).shape ??= shape;
  }

  #nodeOf(keys: readonly string[]): Node {
    return keys.reduce((node, key) => this.#step(node, key), this.#root);
  }

  #forgetUnnumbered(): void {
    this.#root = new Node();
    for (const shape of this.#shapes) {
      this.#nodeOf(shape.keys).shape ??= shape;
    }
    this.#nodes = 0;
  }
}
