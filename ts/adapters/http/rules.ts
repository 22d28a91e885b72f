/**
 * Which responses may be kept for others, and for how long: the part of RFC 9111 that a shared cache inside of a server
 * needs. Where the RFC leaves a choice, the choice is not to keep. No input, however malformed, makes these throw.
 */

/** Headers as Node has them: names in lower case. */
export type Headers = Readonly<Record<string, unknown>>;

/** Directives of a Cache-Control header, in lower case; `""` where there is no value. */
export type Directives = ReadonlyMap<string, string>;

/** How long a response may be served. */
export interface Lifetime {
  /** Milliseconds from when it was made. */
  readonly freshMs: number;
  /** Milliseconds after that in which it may be served while another request renews it. */
  readonly staleMs: number;
}

/** What is decided about a response. */
export interface Verdict extends Lifetime {
  /** Said to be for everybody (`public`, `s-maxage`), requests with credentials included. */
  readonly isPublic: boolean;
  /** Seconds that it had spent in other caches before. */
  readonly age: number;
}

/** Lifetimes of more than a year say "for ever", by convention. */
const SECONDS_MAX = 31_536_000;
const FORBIDDEN = ["private", "no-store", "no-cache"];

/** The directives of a Cache-Control header. A name with a value in quotes counts as the name, with that value. */
export function parseCacheControl(header: unknown): Directives {
  const directives = new Map<string, string>();
  for (const match of textOf(header).matchAll(/([^\s,=;"]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,;"]*)))?/g)) {
    const name = (match[1] as string).toLowerCase();
    // The first of two that contradict each other counts, unless the second is stricter: a zero always wins.
    const value = match[2] ?? match[3] ?? "";
    if (!directives.has(name) || Number(value) === 0) {
      directives.set(name, value);
    }
  }
  return directives;
}

/**
 * Whether a response may be kept, and how: `undefined` if not.
 * @param ttlMs How long if it does not say so itself; `undefined`: not at all then.
 * @param nowMs Milliseconds since the epoch.
 */
export function judge(headers: Headers, ttlMs: number | undefined, nowMs: number): Verdict | undefined {
  const control = parseCacheControl(headers["cache-control"]);
  const isForbidden = FORBIDDEN.some((name) => control.has(name));
  if (isForbidden || headers["set-cookie"] !== undefined || varyOf(headers) === undefined) {
    return undefined;
  }
  const age = seconds(textOf(headers.age)) ?? 0;
  const ownMs = ownLifetime(control, headers, nowMs);
  const freshMs = (ownMs ?? ttlMs ?? 0) - age * 1_000;
  if (!(freshMs > 0)) {
    return undefined;
  }
  const isStrict = control.has("must-revalidate") || control.has("proxy-revalidate");
  const staleMs = isStrict ? 0 : (seconds(control.get("stale-while-revalidate")) ?? 0) * 1_000;
  return { freshMs, staleMs, isPublic: control.has("public") || control.has("s-maxage"), age };
}

/** What the response says of its lifetime, in milliseconds. Something unreadable counts as expired. */
function ownLifetime(control: Directives, headers: Headers, nowMs: number): number | undefined {
  for (const name of ["s-maxage", "max-age"]) {
    if (control.has(name)) {
      return (seconds(control.get(name)) ?? 0) * 1_000;
    }
  }
  if (headers.expires === undefined) {
    return undefined;
  }
  const expires = Date.parse(textOf(headers.expires));
  const date = Date.parse(textOf(headers.date));
  return Number.isNaN(expires) ? 0 : expires - (Number.isNaN(date) ? nowMs : date);
}

/** The names of the request's headers that the response depends on; `undefined` if it depends on more than headers. */
export function varyOf(headers: Headers): string[] | undefined {
  const names = textOf(headers.vary)
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "");
  return names.includes("*") ? undefined : [...new Set(names)].sort();
}

/**
 * Whether the one who asks has the response already: weak comparison of entity tags, or else of dates.
 * @param request The request's headers.
 */
export function isNotModified(request: Headers, etag: string | undefined, lastModified: string | undefined): boolean {
  if (request["if-none-match"] !== undefined) {
    const tags = textOf(request["if-none-match"]);
    const wanted = etag?.replace(/^W\//, "");
    const given: string[] = tags.match(/"[^"]*"/g) ?? [];
    return tags.trim() === "*" || (wanted !== undefined && given.includes(wanted));
  }
  const since = Date.parse(textOf(request["if-modified-since"]));
  return lastModified !== undefined && Date.parse(lastModified) <= since;
}

/** A header's value as text; several values as one list. */
export function textOf(header: unknown): string {
  return Array.isArray(header) ? header.join(", ") : header === undefined || header === null ? "" : String(header);
}

function seconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), SECONDS_MAX) : undefined;
}
