/** How arguments are checked: every mistake is an error that says what was given and what is allowed. */
import { InvalidArgumentError, show } from "./errors.js";

/** The prefix that keys are asked for; all of them without one. */
export function prefixOf(options: { readonly prefix?: string | undefined }): string {
  const prefix: unknown = options?.prefix ?? "";
  if (typeof options !== "object" || options === null || typeof prefix !== "string") {
    throw invalid(`keys takes { prefix } with text for a prefix; it got ${show(prefix)}.`, options);
  }
  return prefix;
}

/** Values that can be iterated over; text, which can be, is a mistake. */
export function iterable<V>(values: Iterable<V>, method: string, what: string): Iterable<V> {
  if (typeof values === "string" || typeof values?.[Symbol.iterator] !== "function") {
    throw invalid(`${method} needs something to iterate over, with ${what}; it got ${show(values)}.`, values);
  }
  return values;
}

/** The error for an argument that is not what it has to be. */
export function invalid(message: string, value: unknown): InvalidArgumentError {
  return new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value });
}
