/** What an adapter sends for a response that was kept: status, headers and body, as the request wants it. */
import type { IncomingMessage } from "node:http";
import { isNotModified } from "./rules.js";
import type { Found } from "./store.js";

/** A response to be sent. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string | string[]])[];
  /** `undefined`: none. */
  readonly body: Uint8Array | undefined;
}

/** Headers that describe a body, and have no place where there is none. */
const OF_BODY = new Set(["content-type", "content-encoding", "content-language", "content-range"]);

/** The answer to a request. */
export function answerOf(
  { response, isFresh }: Found,
  request: IncomingMessage,
  nowMs: number,
  hasXCache: boolean,
): Answer {
  const isModified = response.status >= 300 || !isNotModified(request.headers, response.etag, response.lastModified);
  const kept = response.headers.filter(([name]) => name !== "etag" && (isModified || !OF_BODY.has(name)));
  const headers: [string, string | string[]][] = kept.map(([name, value]) => [
    name,
    typeof value === "string" ? value : [...value],
  ]);
  headers.push(["etag", response.etag]);
  headers.push(["age", String(Math.max(0, Math.floor((nowMs - response.bornAt) / 1_000)))]);
  if (hasXCache) {
    headers.push(["x-cache", isFresh ? "HIT" : "STALE"]);
  }
  if (!isModified) {
    return { status: 304, headers, body: undefined };
  }
  if (response.status !== 204) {
    headers.push(["content-length", String(response.body.length)]);
  }
  return { status: response.status, headers, body: request.method === "HEAD" ? undefined : response.body };
}

/** The headers of `now` that are not as they were. */
export function changedSince(before: Readonly<Record<string, unknown>>, now: Readonly<Record<string, unknown>>) {
  return Object.fromEntries(Object.entries(now).filter(([name, value]) => String(before[name]) !== String(value)));
}
