/**
 * Keys put together from parts that may hold anything: no part can pose as a separator or as another part.
 *
 * Invariant: an encoded part holds no {@link SEPARATORS separator}, and different parts have different encodings. What
 * stands between separators can therefore be read back in one way only.
 */
import { InvalidArgumentError, show } from "./errors.js";

/** What a key may be put together from. A number and its text are the same part: 42 and "42". */
export type KeyPart = string | number | bigint | boolean;

/** ASCII but letters, digits, `_`, `-`, `.`, `~`: never in an encoded part, but for `%`, which begins an escape. */
const RESERVED = /[\0-,/:-@[-^`{-}\x7f]/g;
const SEPARATORS = /[\0-$&-,/:-@[-^`{-}\x7f]/;
const ENDS_WITH_SEPARATOR = /[\0-$&-,/:-@[-^`{-}\x7f]$/;

/** Templates that were checked before: each place in the source has one array of literals, for ever. */
const checked = new WeakSet<TemplateStringsArray>();

/**
 * A key from a template: key`user:${id}:profile`. What is put in is encoded, so that no value can forge another key: with
 * `id` "1:profile" the key above is `user:1%3Aprofile:profile`. Letters, digits, `-`, `_`, `.`, `~` and everything beyond
 * ASCII stay as they are; other characters become `%` and two hexadecimal digits.
 *
 * Values must stand between separators (`:`, `/`, `|`, a space, …; not `-`, `_`, `.`, `~`) or at an end of the key, so
 * that two templates give the same key only if they have the same parts.
 *
 * @throws {@link InvalidArgumentError} for a value that is `undefined`, `null`, an object or no finite number, and for a
 * template in which a value touches a letter, another value or a `%`.
 *
 * @example
 * ```ts
 * users.get(key`user:${id}:profile`);
 * pages.deletePrefix(key`page:${tenant}/`);
 * ```
 */
export function key(literals: TemplateStringsArray, ...parts: KeyPart[]): string {
  if (!checked.has(literals)) {
    checkTemplate(literals);
    checked.add(literals);
  }
  let result = literals[0] as string;
  for (let index = 0; index < parts.length; index++) {
    result += encodePart(parts[index], `part ${index + 1} of the key`) + literals[index + 1];
  }
  return result;
}

/**
 * A part as it stands in a key.
 * @param what What the part is, for the error's message.
 * @internal
 */
export function encodePart(part: unknown, what: string): string {
  return partText(part, what).replace(RESERVED, escapeOf);
}

/** The inverse of {@link encodePart}. @internal */
export function decodePart(text: string): string {
  return text.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function partText(part: unknown, what: string): string {
  if (typeof part === "string") {
    return part;
  }
  if (typeof part === "boolean" || typeof part === "bigint" || (typeof part === "number" && Number.isFinite(part))) {
    return String(part);
  }
  const message = `The ${what} is ${show(part)}; allowed are text, finite numbers, bigints and booleans.`;
  throw new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value: part });
}

function escapeOf(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`;
}

function checkTemplate(literals: TemplateStringsArray): void {
  const last = literals.length - 1;
  for (const [index, literal] of literals.entries()) {
    const isOutermost = literal === "" && (index === 0 || index === last);
    const isOpenBefore = index > 0 && literal.search(SEPARATORS) !== 0;
    const isOpenAfter = index < last && !ENDS_WITH_SEPARATOR.test(literal);
    if (literal.includes("%") || (!isOutermost && (isOpenBefore || isOpenAfter))) {
      const message =
        `The text ${show(literal)} in a key's template leaves open where a value ends: put a separator ` +
        "(such as : or /; not - _ . ~ or %) between values and what stands beside them.";
      throw new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value: literal });
    }
  }
}
