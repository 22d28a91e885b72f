/**
 * A change as an entry of the stream: one field, `nearcache1` (the format's version in its name), with JSON of the source
 * and of what changed. Whoever can write to Redis can write anything there, so what is read is checked to the last type.
 */
import type { Change } from "./backplane.js";
import type { Reply } from "./resp.js";

const FIELD = "nearcache1";
/** Ours by its name, whatever the version. */
const OUR_FIELDS = /^nearcache\d+$/;

/** An entry that was read: a change, or one that is spoilt (ours, but not readable), or foreign. */
export type ReadEntry =
  | { readonly kind: "change"; readonly source: string; readonly change: Change }
  | { readonly kind: "spoilt" }
  | { readonly kind: "foreign" };

/** Short names, as every change carries them. */
interface Wire {
  readonly s: string;
  readonly k?: readonly string[];
  readonly t?: readonly string[];
  readonly a?: true;
  readonly v?: number;
}

/** The field and the value of an entry. */
export function encodeEntry(source: string, { keys, tags, all, version }: Change): [field: string, value: string] {
  const wire: Wire = {
    s: source,
    ...(keys && keys.length > 0 && { k: keys }),
    ...(tags && tags.length > 0 && { t: tags }),
    ...(all && { a: true }),
    ...(version !== undefined && { v: version }),
  };
  return [FIELD, JSON.stringify(wire)];
}

/** Reads the fields of an entry, as `XREAD` replies them. */
export function decodeEntry(fields: Reply): ReadEntry {
  if (!Array.isArray(fields)) return { kind: "foreign" };
  const names = fields.filter((_, index) => index % 2 === 0).map(String);
  if (!names.some((name) => OUR_FIELDS.test(name))) return { kind: "foreign" };
  if (names.length !== 1 || names[0] !== FIELD) return { kind: "spoilt" };
  const wire = parse(String(fields[1]));
  if (!isWire(wire)) return { kind: "spoilt" };
  const change: Change = {
    ...(wire.k && { keys: wire.k }),
    ...(wire.t && { tags: wire.t }),
    ...(wire.a && { all: true }),
    ...(wire.v !== undefined && { version: wire.v }),
  };
  return { kind: "change", source: wire.s, change };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isWire(value: unknown): value is Wire {
  if (typeof value !== "object" || value === null) return false;
  const { s, k, t, a, v } = value as Record<string, unknown>;
  const isVersion = v === undefined || (Number.isSafeInteger(v) && (v as number) >= 0);
  return typeof s === "string" && isTexts(k) && isTexts(t) && (a === undefined || a === true) && isVersion;
}

function isTexts(value: unknown): value is readonly string[] | undefined {
  return value === undefined || (Array.isArray(value) && value.every((item) => typeof item === "string"));
}

/** Whether an `XRANGE` of one id found it. */
export function hasEntry(reply: Reply): boolean {
  return Array.isArray(reply) && reply.length > 0;
}

/** The entries of an `XRANGE` or of one stream of an `XREAD`, as pairs of id and fields. */
export function entriesOf(reply: Reply): [id: string, fields: Reply][] {
  if (reply === null) return [];
  if (!Array.isArray(reply)) throw new TypeError("a reply that lists no entries");
  return reply.map((entry: Reply) => {
    if (!Array.isArray(entry) || entry.length !== 2) throw new TypeError("an entry that is no pair");
    return [String(entry[0]), entry[1] as Reply];
  });
}
