/**
 * nearcache/express: keeps responses of Express (and of whatever calls middleware with Node's request and response) in a
 * cache. What does not say that it may be kept is not; docs/adapters.md has the rules (http/rules.ts).
 * @packageDocumentation
 * @module nearcache/express
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type Answer, answerOf, changedSince } from "./http/answer.js";
import { type ResolvedResponseOptions, type ResponseCacheOptions, resolveResponseOptions } from "./http/options.js";
import { record } from "./http/recorder.js";
import { ResponseStore } from "./http/store.js";
import { Turns } from "./http/turns.js";

export type { ResponseCacheOptions } from "./http/options.js";
export { responsePrefix } from "./http/store.js";

/** Middleware, as Express calls it. */
export type Middleware = (
  request: IncomingMessage & { readonly originalUrl?: string },
  response: ServerResponse,
  next: () => void,
) => void;

/**
 * Middleware that answers GET and HEAD requests from the cache, and keeps the responses that the handlers after it make.
 * Put it after what decides who may ask (authentication, rate limits) and before what is to be spared.
 *
 * Responses are kept that say so by `Cache-Control`, or, with `ttl`, that don't say anything; never with `Set-Cookie`, and
 * for requests with `Cookie` or `Authorization` only if they are `public`. A hit costs no handler; it answers
 * `If-None-Match` and `If-Modified-Since` by 304. A successful request of another method deletes what is kept for its URL.
 *
 * @throws {@link InvalidOptionError}
 * @example
 * ```ts
 * app.use("/products", cacheResponses({ cache, ttl: "30s" }));
 * ```
 */
export function cacheResponses(options: ResponseCacheOptions): Middleware {
  const resolved = resolveResponseOptions(options);
  const store = new ResponseStore(resolved);
  const turns = new Turns(resolved.waitMs, resolved.now);
  return (request, response, next) => {
    const url = request.originalUrl ?? request.url ?? "";
    const key = store.keyOf(request, undefined, url);
    if (!store.isEligible(request)) {
      pass(store, key, request, response, resolved);
      next();
      return;
    }
    const visit = (mayWait: boolean): void => {
      const found = store.find(key, request, (done) => response.once("close", done));
      if (found !== undefined) {
        send(response, answerOf(found, request, resolved.now(), resolved.hasXCache));
        return;
      }
      const slot = mayWait ? store.slotOf(key, request) : undefined;
      if (slot !== undefined && turns.wait(slot, () => visit(false))) {
        return;
      }
      const isMaker = slot !== undefined && request.method === "GET";
      keep(store, key, request, response, resolved, isMaker ? turns.begin(slot) : () => undefined);
      next();
    };
    visit(true);
  };
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  response.statusCode = status;
  for (const [name, value] of headers) {
    response.setHeader(name, value);
  }
  response.end(body);
}

/** Lets a request through that the cache has no part in, but for what it makes out of date. */
function pass(
  store: ResponseStore,
  key: string,
  request: IncomingMessage,
  response: ServerResponse,
  { hasXCache }: ResolvedResponseOptions,
): void {
  if (hasXCache) {
    response.setHeader("x-cache", "BYPASS");
  }
  if (!isSafe(request.method)) {
    response.once("finish", () => {
      if (response.statusCode < 400) {
        store.invalidate(key);
      }
    });
  }
}

function keep(
  store: ResponseStore,
  key: string,
  request: IncomingMessage,
  response: ServerResponse,
  { hasXCache, bodyBytesMax, ttlMs }: ResolvedResponseOptions,
  done: (isKept: boolean) => void,
): void {
  if (hasXCache) {
    response.setHeader("x-cache", "MISS");
  }
  const before = response.getHeaders();
  record(response, bodyBytesMax, ({ status, headers, body }) => {
    const own = changedSince(before, headers);
    done(store.keep(key, request, { status, all: headers, own, body }, ttlMs) !== undefined);
  });
  response.once("close", () => done(false));
}

function isSafe(method: string | undefined): boolean {
  return method === "GET" || method === "HEAD" || method === "OPTIONS" || method === "TRACE";
}
