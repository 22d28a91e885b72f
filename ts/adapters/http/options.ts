/** What users of the HTTP adapters may ask for, checked once when the adapter is made. */
import type { IncomingMessage } from "node:http";
import type { Cache } from "../../api.js";
import { asRecord, countOption, fail, flagOption, functionOption, msOption } from "../../checks.js";
import type { Duration } from "../../units.js";

/** Options of the HTTP adapters. */
export interface ResponseCacheOptions {
  /**
   * The cache that responses go into. Give a view (`scoped(cache, { use: "http" })`) of one that other code uses: whoever
   * can set its keys can make up responses.
   */
  readonly cache: Cache<unknown>;
  /**
   * How long a response is kept that does not say so itself by `Cache-Control: s-maxage` or `max-age`, or by `Expires`.
   * Default: such responses are not kept. What a response says of itself always counts, also if it says not to keep it.
   * From 1 ms to a year.
   */
  readonly ttl?: Duration | undefined;
  /**
   * Names of the request's headers that are part of the key, for responses that depend on them and don't say so by `Vary`.
   * With `cookie` or `authorization` here, each user has responses of their own. Default: none.
   */
  readonly headers?: readonly string[] | undefined;
  /** The statuses that are kept. Default 200, 203, 204, 300, 301 and 308. 404 and 410 may be added, none from 500 up. */
  readonly statuses?: readonly number[] | undefined;
  /** The largest body that is kept, in bytes; larger ones pass through. Default 1 MiB (1,048,576); up to 1 GiB. */
  readonly maxBodySize?: number | undefined;
  /**
   * How long a request waits at most while another one in this thread makes the response that it wants, up to an hour; 0:
   * not at all, each calls its handler. Requests with credentials never wait. Default 5 s.
   */
  readonly maxWait?: Duration | undefined;
  /** Whether responses say by `x-cache` where they come from: HIT, STALE, MISS or BYPASS. Default `false`. */
  readonly xCache?: boolean | undefined;
  /** Leaves out requests for which it returns true, for example those of signed-in users. */
  readonly skip?: ((request: IncomingMessage) => boolean) | undefined;
  /** Told of errors of the cache, which never reach the client. Default: a process warning. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** The time in milliseconds since the epoch, for tests. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** Options as the adapters use them. */
export interface ResolvedResponseOptions {
  readonly cache: Cache<unknown>;
  readonly ttlMs: number | undefined;
  readonly headers: readonly string[];
  readonly statuses: ReadonlySet<number>;
  readonly bodyBytesMax: number;
  readonly waitMs: number;
  readonly hasXCache: boolean;
  readonly skip: (request: IncomingMessage) => boolean;
  readonly onError: (error: unknown) => void;
  readonly now: () => number;
}

const NAMES = ["cache", "ttl", "headers", "statuses", "maxBodySize", "maxWait", "xCache", "skip", "onError", "now"];
const STATUSES = [200, 203, 204, 300, 301, 308];
const HOUR_MS = 3_600_000;
const YEAR_MS = 31_536_000_000;

/** Checks options. Throws an {@link InvalidOptionError}. */
export function resolveResponseOptions(options: ResponseCacheOptions): ResolvedResponseOptions {
  asRecord("options", options, NAMES);
  if (typeof (options?.cache as Partial<Cache<unknown>> | undefined)?.get !== "function") {
    fail("cache", options?.cache, "a cache made by createCache, or a view of one");
  }
  return {
    cache: options.cache,
    ttlMs: resolveTtlMs(options.ttl),
    headers: resolveHeaders(options.headers),
    statuses: new Set(resolveStatuses(options.statuses)),
    bodyBytesMax: countOption("maxBodySize", options.maxBodySize, 0, 2 ** 30, 1_048_576),
    waitMs: msOption("maxWait", options.maxWait, 0, HOUR_MS, 5_000),
    hasXCache: flagOption("xCache", options.xCache, false),
    skip: functionOption("skip", options.skip) ?? (() => false),
    onError: functionOption("onError", options.onError) ?? warn,
    now: functionOption("now", options.now) ?? Date.now,
  };
}

/** A TTL for responses in milliseconds, `undefined` if there is none. */
export function resolveTtlMs(ttl: unknown): number | undefined {
  return ttl === undefined ? undefined : msOption("ttl", ttl, 1, YEAR_MS, 0);
}

function resolveHeaders(headers: unknown = []): string[] {
  if (!Array.isArray(headers) || headers.some((name) => typeof name !== "string" || !/^[\w-]+$/.test(name))) {
    return fail("headers", headers, "a list of names of headers");
  }
  return [...new Set(headers.map((name: string) => name.toLowerCase()))].sort();
}

function resolveStatuses(statuses: unknown = STATUSES): number[] {
  // 206 is a part, 304 none: neither stands for the whole response.
  const isFine = (status: unknown): boolean =>
    Number.isInteger(status) && Number(status) >= 200 && Number(status) < 500 && status !== 206 && status !== 304;
  return Array.isArray(statuses) && statuses.every(isFine)
    ? (statuses as number[])
    : fail(
        "statuses",
        statuses,
        "a list of statuses from 200 to 499 but 206 and 304; errors of the server are never kept",
      );
}

function warn(error: unknown): void {
  process.emitWarning(`A response was not cached: ${String(error)}`, "NearcacheWarning");
}
