/**
 * Responses in a cache: their keys, how they go in and come out.
 *
 * A key is `response|host|url|headers`. If responses vary by headers of the request, that entry holds the names of these
 * headers and a generation, and the responses are under `variant|generation|values`. Deleting the first makes all variants
 * unreachable, because the next one has another generation.
 *
 * Whatever the cache throws ends here: a response that can't be read is a miss, one that can't be stored is not.
 */
import { createHash, randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { NoRoomError, ValueTooLargeError } from "../../errors.js";
import { encodePart } from "../../keys.js";
import type { ResolvedResponseOptions } from "./options.js";
import { type Headers, judge, parseCacheControl, textOf, type Verdict, varyOf } from "./rules.js";

/** A response as it is kept. */
export interface StoredResponse {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string | readonly string[]])[];
  readonly body: Uint8Array;
  readonly etag: string;
  readonly lastModified: string | undefined;
  /** May be given to whoever asks, credentials or not. */
  readonly isPublic: boolean;
  /** When it was made, in milliseconds since the epoch; what it had spent in other caches counts. */
  readonly bornAt: number;
  /** Until when it is fresh. */
  readonly freshUntil: number;
}

/** What is known of a response when it is complete. */
export interface CompleteResponse {
  readonly status: number;
  /** All headers, which decide. */
  readonly all: Headers;
  /** Those that were set since the adapter saw the request, which are kept: what came before comes again. */
  readonly own: Headers;
  readonly body: Uint8Array;
}

/** Names of the headers that the variants of a response differ in. */
interface Variants {
  readonly vary: readonly string[];
  readonly generation: string;
}

/** Headers that belong to a connection or to one moment. */
const NOT_KEPT = new Set([
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer", "transfer-encoding"],
  ...["upgrade", "age", "date", "content-length", "x-cache"],
]);
const CREDENTIALS = ["authorization", "cookie"];

/** What the cache has for a request. */
export interface Found {
  readonly response: StoredResponse;
  readonly isFresh: boolean;
}

/** See the head of this file. */
export class ResponseStore {
  readonly #options: ResolvedResponseOptions;
  /** The keys whose stale responses a request is renewing in this thread. */
  readonly #renewing = new Set<string>();

  constructor(options: ResolvedResponseOptions) {
    this.#options = options;
  }

  /** The key of what a request asks for. */
  keyOf(request: IncomingMessage, host: string | undefined, url: string): string {
    const { headers } = this.#options;
    const values = headers.length === 0 ? "" : valuesOf(headers, request.headers);
    return `${responsePrefix(host ?? request.headers.host ?? "", url)}|${values}`;
  }

  /** Whether requests like this may be answered from the cache, and their responses kept. */
  isEligible(request: IncomingMessage): boolean {
    const isRead = request.method === "GET" || request.method === "HEAD";
    return isRead && request.headers.range === undefined && !this.#options.skip(request);
  }

  /**
   * The response that is kept for a request, if it may have it now. Of those that ask for a stale one, the first gets
   * none, and so renews it; the others get it until `onDone` says that this one is done.
   */
  find(key: string, request: IncomingMessage, onDone: (done: () => void) => void): Found | undefined {
    const response = this.#read(key, request);
    if (response === undefined) {
      return undefined;
    }
    const isFresh = this.#options.now() < response.freshUntil;
    if (!isFresh && !this.#renewing.has(key)) {
      this.#renewing.add(key);
      onDone(() => this.#renewing.delete(key));
      return undefined;
    }
    return { response, isFresh };
  }

  /**
   * What requests have in common that may share one response; `undefined` for those whose responses are likely to be
   * their own.
   */
  slotOf(key: string, request: IncomingMessage): string | undefined {
    if (this.#hasCredentials(request) || parseCacheControl(request.headers["cache-control"]).has("no-store")) {
      return undefined;
    }
    try {
      const found = this.#options.cache.peek(key) as StoredResponse | Variants | undefined;
      return found !== undefined && "vary" in found ? variantKey(found, request.headers) : key;
    } catch {
      // It was told of when the response was looked for.
      return undefined;
    }
  }

  /** Keeps a response, if it may be kept; gives what was kept. */
  keep(
    key: string,
    request: IncomingMessage,
    response: CompleteResponse,
    ttlMs: number | undefined,
  ): StoredResponse | undefined {
    const { cache, now } = this.#options;
    const verdict = this.#judge(request, response, ttlMs);
    if (verdict === undefined) {
      return undefined;
    }
    const { all, own, status, body } = response;
    const stored: StoredResponse = {
      status,
      headers: Object.entries(own)
        .filter(([name, value]) => !NOT_KEPT.has(name) && value !== undefined)
        .map(([name, value]) => [name, Array.isArray(value) ? value.map(String) : String(value)]),
      body,
      etag: textOf(all.etag) || etagOf(body),
      lastModified: textOf(all["last-modified"]) || undefined,
      isPublic: verdict.isPublic,
      bornAt: now() - verdict.age * 1_000,
      freshUntil: now() + verdict.freshMs,
    };
    const ttl = verdict.freshMs + verdict.staleMs;
    try {
      const vary = varyOf(all) ?? [];
      cache.set(vary.length === 0 ? key : this.#variantKey(key, vary, request, ttl), stored, { ttl });
      return stored;
    } catch (error) {
      if (!(error instanceof ValueTooLargeError || error instanceof NoRoomError)) {
        this.#options.onError(error);
      }
      return undefined;
    }
  }

  /** A request has changed what is behind a URL: what was kept for it is out of date. */
  invalidate(key: string): void {
    try {
      this.#options.cache.delete(key);
    } catch (error) {
      this.#options.onError(error);
    }
  }

  /** The key of a variant; the list of what variants differ in only grows, and outlives each of them. */
  #variantKey(key: string, vary: readonly string[], request: IncomingMessage, ttl: number): string {
    const { cache } = this.#options;
    const found = cache.get(key) as StoredResponse | Variants | undefined;
    const known = found !== undefined && "vary" in found ? found : undefined;
    const isKnown = known !== undefined && vary.every((name) => known.vary.includes(name));
    const variants = isKnown
      ? known
      : { vary: [...new Set([...vary, ...(known?.vary ?? [])])].sort(), generation: randomUUID() };
    if (!isKnown || (cache.ttl(key) ?? 0) < ttl) {
      cache.set(key, variants, { ttl });
    }
    return variantKey(variants, request.headers);
  }

  /** Whether a request comes with what may make its response somebody's own, beyond what the key tells apart. */
  #hasCredentials(request: IncomingMessage): boolean {
    return CREDENTIALS.some((name) => request.headers[name] !== undefined && !this.#options.headers.includes(name));
  }

  #read(key: string, request: IncomingMessage): StoredResponse | undefined {
    try {
      const found = this.#options.cache.get(key) as StoredResponse | Variants | undefined;
      const response =
        found !== undefined && "vary" in found
          ? (this.#options.cache.get(variantKey(found, request.headers)) as StoredResponse | undefined)
          : found;
      const mayHave = response !== undefined && (response.isPublic || !this.#hasCredentials(request));
      return mayHave ? response : undefined;
    } catch (error) {
      this.#options.onError(error);
      return undefined;
    }
  }

  #judge(request: IncomingMessage, response: CompleteResponse, ttlMs: number | undefined): Verdict | undefined {
    const { status, all, body } = response;
    const isWhole = all["content-length"] === undefined || Number(all["content-length"]) === body.length;
    const isWanted = request.method === "GET" && !parseCacheControl(request.headers["cache-control"]).has("no-store");
    if (!isWhole || !isWanted || body.length > this.#options.bodyBytesMax || !this.#options.statuses.has(status)) {
      return undefined;
    }
    const verdict = judge(all, ttlMs, this.#options.now());
    return verdict?.isPublic || !this.#hasCredentials(request) ? verdict : undefined;
  }
}

/**
 * What the keys of all kept responses begin with whose host is `host` and whose URL begins with `url`.
 *
 * @param host As in the `Host` header, with the port.
 * @param url Path and query, as requested.
 * @example `cache.deletePrefix(responsePrefix("shop.example", "/products/"));`
 */
export function responsePrefix(host: string, url: string): string {
  // A bar in a URL is the same as its escape, by the rules for URLs.
  return `response|${encodePart(host.toLowerCase(), "host")}|${url.replaceAll("|", "%7C")}`;
}

function variantKey({ vary, generation }: Variants, request: Headers): string {
  return `variant|${generation}|${valuesOf(vary, request)}`;
}

function valuesOf(names: readonly string[], headers: Headers): string {
  return names
    .map((name) => (headers[name] === undefined ? name : `${name}=${encodePart(textOf(headers[name]), "header")}`))
    .join("&");
}

function etagOf(body: Uint8Array): string {
  return `"${createHash("sha256").update(body).digest("base64url").slice(0, 27)}"`;
}
