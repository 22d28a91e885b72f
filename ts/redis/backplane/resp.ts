/**
 * The wire format between a client and Redis, as far as a backplane needs it: RESP3 and its older subset RESP2, read from
 * chunks of any size, strictly. What is no RESP, or larger than the limits below, is a {@link RespError} and the end of the
 * connection: after it nobody knows where the next message begins.
 *
 * It keeps bytes as bytes (keys need be no text), and knows nothing of sockets and commands. Attributes are read and left
 * out. Streamed types, which no server sends, are refused.
 */

/** A reply. Maps are lists of pairs, so that the same reply looks alike in both versions of the protocol. */
export type Reply = string | number | bigint | boolean | null | Buffer | ErrorReply | readonly Reply[];

/** An error that the server replied. `message` begins with a code in capitals, as in `NOPERM this user has no …`. */
export class ErrorReply extends Error {
  override readonly name = "ErrorReply";
}

/** What came is no RESP, or more than the limits allow. */
export class RespError extends Error {
  override readonly name = "RespError";
}

/** What a parser calls, in the order in which it reads. */
export interface RespHandler {
  reply(reply: Reply): void;
  /** A message that answers no command. */
  push(items: readonly Reply[]): void;
}

/** Simple strings, errors and numbers are a line; the longest that servers send are errors of a few hundred bytes. */
const LINE_BYTES_MAX = 8 * 1024;
/** The longest bulk string: a key or a batch of changes, far below what Redis allows for values. */
export const BULK_BYTES_MAX = 16 * 1024 * 1024;
/** One push names all keys that changed together; more than this is better dropped wholesale than one by one. */
export const ITEMS_MAX = 1 << 20;
/** `XREAD` nests four deep. */
const DEPTH_MAX = 8;

const CR = 13;
const LF = 10;

const AGGREGATES: Readonly<Record<string, "list" | "map" | "attribute" | "push">> = {
  "*": "list",
  "~": "list",
  "%": "map",
  "|": "attribute",
  ">": "push",
};

/** A list, map or push that is being filled. */
interface Open {
  readonly kind: "list" | "map" | "attribute" | "push";
  readonly items: Reply[];
  readonly length: number;
}

export class RespParser {
  readonly #handler: RespHandler;
  /** What has come and is not read yet: joined only when enough is there, so that large strings cost one copy. */
  #chunks: Buffer[] = [];
  #size = 0;
  #needed = 1;
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  /** Where the search for the end of a line goes on. */
  #searched = 0;
  readonly #open: Open[] = [];

  constructor(handler: RespHandler) {
    this.#handler = handler;
  }

  /**
   * Reads on. Calls the handler for everything that is complete.
   * @throws {@link RespError} where the bytes are no RESP. The parser is of no use afterwards.
   */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#needed) return;
    this.#buffer = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#size);
    this.#at = 0;
    while (this.#step()) {
      // Each step reads one line, with the string that belongs to it.
    }
    const rest = this.#buffer.subarray(this.#at);
    this.#searched -= this.#at;
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#size = rest.length;
    this.#buffer = rest;
  }

  /** False: not enough is there; `#needed` says how much would be. */
  #step(): boolean {
    const start = this.#at;
    const end = this.#lineEnd(start);
    if (end === -1) return false;
    const type = String.fromCharCode(this.#buffer[start] as number);
    const text = this.#buffer.toString("latin1", start + 1, end);
    if (type === "$" || type === "!" || type === "=") {
      return this.#bulk(type, text, start, end + 2);
    }
    this.#take(end + 2);
    const aggregate = AGGREGATES[type];
    if (aggregate) {
      this.#begin(aggregate, type, text);
    } else {
      this.#add(scalar(type, text, this.#buffer.subarray(start + 1, end)));
    }
    return true;
  }

  /** The index of the line's CR, or -1. */
  #lineEnd(start: number): number {
    const buffer = this.#buffer;
    let end = buffer.indexOf(CR, Math.max(this.#searched, start));
    if (end === -1) end = buffer.length;
    if (end - start > LINE_BYTES_MAX) throw new RespError(`a line of more than ${LINE_BYTES_MAX} bytes`);
    if (end + 1 >= buffer.length) {
      this.#searched = end;
      this.#needed = buffer.length - start + 1;
      return -1;
    }
    if (buffer[end + 1] !== LF) throw new RespError("a carriage return without a line feed");
    return end;
  }

  #bulk(type: string, text: string, start: number, from: number): boolean {
    if (type === "$" && text === "-1") {
      this.#take(from);
      this.#add(null);
      return true;
    }
    const length = count(text, BULK_BYTES_MAX, "a string");
    const end = from + length;
    if (this.#buffer.length < end + 2) {
      this.#searched = start;
      this.#needed = end + 2 - start;
      return false;
    }
    if (this.#buffer[end] !== CR || this.#buffer[end + 1] !== LF) throw new RespError("a string that does not end");
    this.#take(end + 2);
    const bytes = this.#buffer.subarray(from, end);
    this.#add(type === "$" ? bytes : type === "!" ? new ErrorReply(bytes.toString()) : verbatim(bytes));
    return true;
  }

  #take(until: number): void {
    this.#at = until;
    this.#searched = until;
    this.#needed = 1;
  }

  #begin(kind: Open["kind"], type: string, text: string): void {
    if (type === "*" && text === "-1") {
      this.#add(null);
      return;
    }
    if (kind === "push" && this.#open.length > 0) throw new RespError("a push inside of a reply");
    if (this.#open.length >= DEPTH_MAX) throw new RespError(`lists more than ${DEPTH_MAX} deep`);
    const length = count(text, ITEMS_MAX, "a list");
    this.#open.push({ kind, items: [], length: kind === "map" || kind === "attribute" ? 2 * length : length });
    this.#closeFull();
  }

  #add(reply: Reply): void {
    const open = this.#open.at(-1);
    if (open) {
      open.items.push(reply);
      this.#closeFull();
    } else {
      this.#handler.reply(reply);
    }
  }

  #closeFull(): void {
    const open = this.#open.at(-1);
    if (!open || open.items.length < open.length) return;
    this.#open.pop();
    if (open.kind === "attribute") return; // it belongs to what comes next, and nobody asks for it
    if (open.kind === "push") {
      this.#handler.push(open.items);
    } else {
      this.#add(open.kind === "map" ? pairs(open.items) : open.items);
    }
  }
}

function scalar(type: string, text: string, bytes: Buffer): Reply {
  switch (type) {
    case "+":
      return bytes.toString();
    case "-":
      return new ErrorReply(bytes.toString());
    case ":":
      return integer(text);
    case "(":
      if (!/^[+-]?\d+$/.test(text)) throw new RespError("a number that is none");
      return BigInt(text.replace(/^\+/, ""));
    case ",":
      return double(text);
    case "#":
      if (text !== "t" && text !== "f") throw new RespError("a boolean that is neither");
      return text === "t";
    case "_":
      if (text !== "") throw new RespError("a null with something in it");
      return null;
    default:
      throw new RespError(`a message of unknown type (byte ${type.charCodeAt(0)})`);
  }
}

/** Whole numbers that a double can't hold come as bigints. */
function integer(text: string): number | bigint {
  if (!/^[+-]?\d{1,19}$/.test(text)) throw new RespError("a number that is none");
  const number = Number(text);
  return Number.isSafeInteger(number) ? number + 0 : BigInt(text.replace(/^\+/, ""));
}

function double(text: string): number {
  if (text === "inf" || text === "+inf") return Number.POSITIVE_INFINITY;
  if (text === "-inf") return Number.NEGATIVE_INFINITY;
  if (text === "nan" || text === "-nan") return Number.NaN;
  if (!/^[+-]?\d+(\.\d*)?(e[+-]?\d+)?$/i.test(text)) throw new RespError("a number that is none");
  return Number(text);
}

/** A length: digits alone, and no more than the limit. */
function count(text: string, max: number, what: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new RespError(`${what} of no known length`);
  const length = Number(text);
  if (length > max) throw new RespError(`${what} of ${length}, ${max} at most`);
  return length;
}

/** Three letters say what kind of text it is; nobody here asks. */
function verbatim(bytes: Buffer): Buffer {
  if (bytes.length < 4 || bytes[3] !== 58) throw new RespError("a verbatim string without its kind");
  return bytes.subarray(4);
}

function pairs(items: readonly Reply[]): Reply[] {
  const found: Reply[] = [];
  for (let i = 0; i < items.length; i += 2) {
    found.push([items[i] as Reply, items[i + 1] as Reply]);
  }
  return found;
}

/** A command as it goes over the wire. */
export function encodeCommand(parts: readonly (string | Uint8Array)[]): Buffer {
  const pieces: Uint8Array[] = [Buffer.from(`*${parts.length}\r\n`)];
  for (const part of parts) {
    const bytes = typeof part === "string" ? Buffer.from(part) : part;
    pieces.push(Buffer.from(`$${bytes.length}\r\n`), bytes, END);
  }
  return Buffer.concat(pieces);
}

const END = Buffer.from("\r\n");
