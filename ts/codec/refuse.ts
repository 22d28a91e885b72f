/**
 * How the encoder says no: the error for a value that could not come back as it was, with the path to the culprit.
 */
import { show, ValueNotCacheableError } from "../errors.js";

/** One step into a value: an index, a property's name, or for parts of sets and maps a text in angle brackets. */
export type Step = string | number;

/** Throws the error for the part of a value at `path`. */
export function notCacheable(path: string, reason: string): never {
  const message = `${path} ${reason}: it could not come back from the cache as it was.`;
  throw new ValueNotCacheableError("ERR_VALUE_NOT_CACHEABLE", message, { path });
}

/** Whether a buffer's memory was handed to somebody else, by `postMessage` for instance: what was in it is gone. */
export function isDetached(buffer: ArrayBufferLike): boolean {
  if (buffer.byteLength > 0) {
    return false;
  }
  try {
    // `ArrayBuffer.prototype.detached` would tell, from Node.js 21 on.
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/** Why a value with such a buffer is refused. */
export const DETACHED = "lies in memory that was transferred to somebody else";

/** The path to a part of a value, as one would write it: `value.list[3].name`. */
export function pathOf(steps: readonly Step[]): string {
  return steps.reduce<string>((path, step) => {
    if (typeof step === "number") {
      return `${path}[${step}]`;
    }
    if (step.startsWith("<") || /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(step)) {
      return `${path}.${step}`;
    }
    return `${path}[${show(step)}]`;
  }, "value");
}

/** The name of an object's class for a message; never runs an accessor of the object's. */
export function classOf(value: object): string {
  for (let at: object | null = value; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    const own: unknown = Object.getOwnPropertyDescriptor(at, "constructor")?.value;
    if (typeof own === "function" && own.name !== "") {
      return own.name;
    }
  }
  return "unnamed";
}
