/**
 * Listens to what a handler writes into a response, without holding anything back: status, headers and body reach the
 * client as before, and a copy of them whoever asked for it, when the handler has ended the response. A response that is
 * never ended, because its source failed or its client left, is not reported.
 */
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Headers } from "./rules.js";

/** What was written. */
export interface Recorded {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
}

/** Calls `onEnd` with what was written, unless that is more than `bytesMax`. */
export function record(response: ServerResponse, bytesMax: number, onEnd: (recorded: Recorded) => void): void {
  const { write, end, writeHead } = response;
  const body = new Collector(bytesMax);
  // Headers that are given to writeHead alone never show in getHeaders().
  let direct: OutgoingHttpHeaders = {};
  let isEnded = false;
  response.writeHead = function (this: ServerResponse, ...given: unknown[]) {
    direct = { ...direct, ...headersOf(given[given.length - 1]) };
    return Reflect.apply(writeHead, this, given);
  } as typeof writeHead;
  response.write = function (this: ServerResponse, ...given: unknown[]) {
    body.add(given[0], given[1]);
    return Reflect.apply(write, this, given);
  } as typeof write;
  response.end = function (this: ServerResponse, ...given: unknown[]) {
    const isFirst = !isEnded;
    isEnded = true;
    if (isFirst) {
      body.add(given[0], given[1]);
    }
    const result = Reflect.apply(end, this, given);
    const bytes = isFirst ? body.bytes() : undefined;
    if (bytes !== undefined) {
      onEnd({ status: this.statusCode, headers: { ...this.getHeaders(), ...direct }, body: bytes });
    }
    return result;
  } as typeof end;
}

/** The chunks of a body, as long as they are not too many. */
export class Collector {
  readonly #bytesMax: number;
  #chunks: Buffer[] | undefined = [];
  #size = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Adds a chunk as `write` takes it; anything else is none. */
  add(chunk: unknown, encoding?: unknown): void {
    if (this.#chunks === undefined || (typeof chunk !== "string" && !(chunk instanceof Uint8Array))) {
      return;
    }
    const isEncoding = typeof encoding === "string" && Buffer.isEncoding(encoding);
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, isEncoding ? encoding : "utf8") : Buffer.from(chunk);
    this.#size += bytes.length;
    if (this.#size > this.#bytesMax) {
      this.#chunks = undefined;
    } else {
      this.#chunks.push(bytes);
    }
  }

  /** All of it; `undefined` if it was too much. */
  bytes(): Buffer | undefined {
    return this.#chunks === undefined ? undefined : Buffer.concat(this.#chunks);
  }
}

/** The headers that writeHead was given: an object, or names and values in turns. */
function headersOf(given: unknown): OutgoingHttpHeaders {
  if (typeof given !== "object" || given === null) {
    return {};
  }
  if (!Array.isArray(given)) {
    return Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]));
  }
  const flat = given.flat() as string[];
  return Object.fromEntries(
    Array.from({ length: flat.length / 2 }, (_, index) => [flat[2 * index]?.toLowerCase(), flat[2 * index + 1]]),
  );
}
