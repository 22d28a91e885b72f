/**
 * The dimensions of a scope, and what they make of a key.
 *
 * A scoped key is `@name=value&name=value|key`, the names in ascending order, names and values encoded by keys.ts.
 *
 * Invariant: `|` ends the prefix of a scope and occurs in none before its end. So no prefix begins another, scopes that
 * differ in any dimension share no key, and a key within a scope may hold anything.
 */
import { invalid } from "./arguments.js";
import { show } from "./errors.js";
import { decodePart, encodePart, type KeyPart } from "./keys.js";

/** What a scope is made of: names of your choice with a value each, as in `{ tenant: "acme", user: 42 }`. */
export type ScopeDimensions = Readonly<Record<string, KeyPart>>;

/** Dimensions as they are kept: in ascending order of their names, values as text. */
export type Dimensions = Readonly<Record<string, string>>;

/** The dimensions of both; a dimension never changes its value. */
export function extend(outer: Dimensions, added: ScopeDimensions): Dimensions {
  if (typeof added !== "object" || added === null || Array.isArray(added) || Object.keys(added).length === 0) {
    throw invalid(`A scope needs dimensions, as in { tenant: "acme" }; it got ${show(added)}.`, added);
  }
  const all = new Map(Object.entries(outer));
  for (const [name, value] of Object.entries(added)) {
    const text = valueText(name, value);
    const before = all.get(name);
    if (before !== undefined && before !== text) {
      const message = `The scope has ${show(name)} ${show(before)}; a scope within it can't make it ${show(text)}.`;
      throw invalid(message, added);
    }
    all.set(name, text);
  }
  const sorted = [...all].sort(([a], [b]) => (a < b ? -1 : 1));
  // Not by assignment: a dimension named __proto__ is one like any other.
  return Object.freeze(Object.fromEntries(sorted));
}

function valueText(name: string, value: unknown): string {
  // An encoded part is made only to have the type checked; what is kept is the text itself.
  encodePart(value, `scope's ${show(name)}`);
  if (name === "" || value === "") {
    throw invalid(`The scope's ${show(name)} is ${show(value)}; names and values of dimensions can't be empty.`, value);
  }
  return String(value);
}

/** What the keys of a scope begin with. */
export function prefixOf(dimensions: Dimensions): string {
  const parts = Object.entries(dimensions).map(
    ([name, value]) => `${encodePart(name, "scope's name")}=${encodePart(value, "scope's value")}`,
  );
  return `@${parts.join("&")}|`;
}

/**
 * The scope and the key within it of a key as it stands in the cache; `undefined` if it has no scope. For a cache-wide
 * `loader`, which is called with the keys of the cache and serves all scopes.
 *
 * @example
 * ```ts
 * const cache = createCache<Report>({
 *   maxMemory: "256mb",
 *   ttl: "10m",
 *   loader: (key) => {
 *     const scoped = parseScopedKey(key);
 *     return scoped && db.report(scoped.dimensions.tenant, scoped.key);
 *   },
 * });
 * await cache.scope({ tenant: "acme" }).getOrLoad("sales");
 * ```
 */
export function parseScopedKey(key: string):
  | {
      /** The scope's dimensions, in ascending order of their names, values as text. */
      readonly dimensions: Dimensions;
      /** The key within the scope. */
      readonly key: string;
    }
  | undefined {
  const end = key.indexOf("|");
  if (!key.startsWith("@") || end === -1) {
    return undefined;
  }
  const pairs = key.slice(1, end).split("&");
  if (pairs.some((pair) => !/^[^=]+=[^=]+$/.test(pair))) {
    return undefined;
  }
  const dimensions = pairs.map((pair) => pair.split("=").map(decodePart) as [string, string]);
  return { dimensions: Object.freeze(Object.fromEntries(dimensions)), key: key.slice(end + 1) };
}
