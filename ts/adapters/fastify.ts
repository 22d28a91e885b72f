/**
 * nearcache/fastify: keeps responses of Fastify 5 in a cache. What does not say that it may be kept is not; docs/adapters.md
 * has the rules (http/rules.ts).
 * @packageDocumentation
 * @module nearcache/fastify
 */
import { pipeline, Readable, Transform } from "node:stream";
import { ReadableStream } from "node:stream/web";
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest, RegisterOptions } from "fastify";
import type { Duration } from "../units.js";
import { answerOf, changedSince } from "./http/answer.js";
import {
  type ResolvedResponseOptions,
  type ResponseCacheOptions,
  resolveResponseOptions,
  resolveTtlMs,
} from "./http/options.js";
import { Collector } from "./http/recorder.js";
import type { Headers } from "./http/rules.js";
import { type Found, ResponseStore } from "./http/store.js";
import { Turns } from "./http/turns.js";

export type { ResponseCacheOptions } from "./http/options.js";
export { responsePrefix } from "./http/store.js";

declare module "fastify" {
  interface FastifyContextConfig {
    /** For this route: `false`, its responses are not kept; a `ttl` in place of the plugin's. */
    responseCache?: false | { readonly ttl?: Duration };
  }
}

/** What the plugin knows of a request between its hooks. */
interface Visit {
  readonly key: string;
  readonly ttlMs: number | undefined;
  /** The headers that were there before the handler. */
  readonly before: Headers;
  /** `kept`: came from the cache; `new`: is to be kept; `changes`: may make what is kept out of date. */
  readonly kind: "kept" | "new" | "changes";
  /** Told when the response is kept, or will not be: others may wait for it. */
  readonly done: (isKept: boolean) => void;
}

const NOBODY_WAITS = (): void => undefined;

const plugin: FastifyPluginCallback<ResponseCacheOptions> = (fastify, given, done) => {
  // What is Fastify's own among the options has its effect there.
  const { prefix: _, logLevel: __, logSerializers: ___, ...options } = given as ResponseCacheOptions & RegisterOptions;
  try {
    new Plugin(resolveResponseOptions(options)).install(fastify);
    done();
  } catch (error) {
    // Fastify takes what a plugin throws for a crash.
    done(error as Error);
  }
};

/**
 * A plugin that answers GET and HEAD requests from the cache, and keeps the responses of the routes of the context in which
 * it is registered. It acts as a `preHandler` hook, after authentication in `onRequest` or `preValidation`.
 *
 * Responses are kept that say so by `Cache-Control`, or, with `ttl`, that don't say anything; never with `Set-Cookie`, and
 * for requests with `Cookie` or `Authorization` only if they are `public`. A hit costs no handler; it answers
 * `If-None-Match` and `If-Modified-Since` by 304. A successful request of another method deletes what is kept for its URL.
 * Bodies may be text, bytes, and Node's streams; responses made of web streams and `Response` objects are not kept.
 *
 * A route sets `config: { responseCache: false }` or `{ responseCache: { ttl: "5m" } }` for itself. Wrong options throw an
 * {@link InvalidOptionError} when the plugin is loaded.
 *
 * @example
 * ```ts
 * await server.register(cacheResponses, { cache, ttl: "30s" });
 * ```
 */
export const cacheResponses: FastifyPluginCallback<ResponseCacheOptions> = Object.assign(plugin, {
  // For the context in which it is registered, not for one of its own: what fastify-plugin does.
  [Symbol.for("skip-override")]: true,
  [Symbol.for("fastify.display-name")]: "nearcache",
});

class Plugin {
  readonly #options: ResolvedResponseOptions;
  readonly #store: ResponseStore;
  readonly #turns: Turns;
  readonly #visits = new WeakMap<FastifyRequest, Visit>();

  constructor(options: ResolvedResponseOptions) {
    this.#options = options;
    this.#store = new ResponseStore(options);
    this.#turns = new Turns(options.waitMs, options.now);
  }

  install(fastify: FastifyInstance): void {
    fastify.addHook("onRoute", ({ config }) => {
      // A mistake in a route's settings is told when the route is declared, not to its first visitor.
      const own = config?.responseCache;
      resolveTtlMs(own === false ? undefined : own?.ttl);
    });
    fastify.addHook("preHandler", (request, reply, next) => this.#visit(request, reply, next, true));
    fastify.addHook("onSend", (request, reply, payload, next) => {
      next(null, this.#keep(request, reply, payload));
    });
  }

  /** Answers from the cache, or notes what is to be done with the response and goes on, at once or in its turn. */
  #visit(request: FastifyRequest, reply: FastifyReply, next: () => void, mayWait: boolean): void {
    const { hasXCache } = this.#options;
    const config = request.routeOptions.config.responseCache;
    const key = this.#store.keyOf(request.raw, request.host, request.originalUrl);
    const ttlMs = (config === false ? undefined : resolveTtlMs(config?.ttl)) ?? this.#options.ttlMs;
    const before = reply.getHeaders();
    if (config === false || !this.#store.isEligible(request.raw)) {
      if (hasXCache) {
        reply.header("x-cache", "BYPASS");
      }
      if (!["GET", "HEAD", "OPTIONS", "TRACE"].includes(request.method)) {
        this.#visits.set(request, { key, ttlMs, before, kind: "changes", done: NOBODY_WAITS });
      }
      next();
      return;
    }
    const found = this.#store.find(key, request.raw, (done) => reply.raw.once("close", done));
    if (found !== undefined) {
      this.#visits.set(request, { key, ttlMs, before, kind: "kept", done: NOBODY_WAITS });
      this.#send(request, reply, found);
      return;
    }
    const slot = mayWait ? this.#store.slotOf(key, request.raw) : undefined;
    if (slot !== undefined && this.#turns.wait(slot, () => this.#visit(request, reply, next, false))) {
      return;
    }
    const isMaker = slot !== undefined && request.method === "GET";
    const done = isMaker ? this.#turns.begin(slot) : NOBODY_WAITS;
    reply.raw.once("close", () => done(false));
    this.#visits.set(request, { key, ttlMs, before, kind: "new", done });
    if (hasXCache) {
      reply.header("x-cache", "MISS");
    }
    next();
  }

  #send(request: FastifyRequest, reply: FastifyReply, found: Found): void {
    const { now, hasXCache } = this.#options;
    const { status, headers } = answerOf(found, request.raw, now(), hasXCache);
    reply.code(status);
    for (const [name, value] of headers) {
      reply.header(name, value);
    }
    // Also for HEAD: Fastify counts the bytes, and Node leaves them out.
    const { buffer, byteOffset, byteLength } = found.response.body;
    reply.send(status === 304 || status === 204 ? undefined : Buffer.from(buffer, byteOffset, byteLength));
  }

  /** Keeps a response on its way to the client; gives what is to be sent. */
  #keep(request: FastifyRequest, reply: FastifyReply, payload: unknown): unknown {
    const visit = this.#visits.get(request);
    if (visit?.kind === "changes" && reply.statusCode < 400) {
      this.#store.invalidate(visit.key);
    }
    if (visit?.kind !== "new") {
      return payload;
    }
    const body = new Collector(this.#options.bodyBytesMax);
    const source = streamOf(payload, reply);
    if (source !== undefined) {
      return this.#tee(source, body, () => this.#keepBytes(visit, request, reply, body));
    }
    if (payload === null || payload === undefined || typeof payload === "string" || payload instanceof Uint8Array) {
      body.add(payload);
      const etag = this.#keepBytes(visit, request, reply, body);
      if (etag !== undefined) {
        reply.header("etag", etag);
      }
    }
    return payload;
  }

  /** The same stream, with an ear at it. An error of the source ends it, and a client that leaves ends the source. */
  #tee(source: Readable, body: Collector, onEnd: () => void): Readable {
    const tee = new Transform({
      transform(chunk: unknown, encoding, next) {
        body.add(chunk, encoding);
        next(null, chunk);
      },
      flush(next) {
        onEnd();
        next();
      },
    });
    pipeline(source, tee, () => undefined);
    return tee;
  }

  #keepBytes(visit: Visit, request: FastifyRequest, reply: FastifyReply, body: Collector): string | undefined {
    const bytes = body.bytes();
    if (bytes === undefined) {
      return undefined;
    }
    const all = reply.getHeaders();
    const own = changedSince(visit.before, all);
    const complete = { status: reply.statusCode, all, own, body: bytes };
    const kept = this.#store.keep(visit.key, request.raw, complete, visit.ttlMs);
    visit.done(kept !== undefined);
    return kept?.etag;
  }
}

/** A payload that is a stream, of Node or of the web, or a `Response` with one; what that says of itself goes to the reply. */
function streamOf(payload: unknown, reply: FastifyReply): Readable | undefined {
  if (payload instanceof Readable) {
    return payload;
  }
  if (payload instanceof ReadableStream) {
    return Readable.fromWeb(payload);
  }
  if (!(payload instanceof Response) || payload.body === null) {
    return undefined;
  }
  reply.code(payload.status);
  for (const [name, value] of payload.headers) {
    reply.header(name, value);
  }
  return Readable.fromWeb(payload.body as ReadableStream);
}
