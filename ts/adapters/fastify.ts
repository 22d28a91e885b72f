/**
 * nearcache/fastify: keeps responses of Fastify 5 in a cache. What does not say that it may be kept is not; docs/adapters.md
 * has the rules (http/rules.ts).
 * @packageDocumentation
 * @module nearcache/fastify
 */
import { pipeline, Readable, Transform } from "node:stream";
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
import { ResponseStore } from "./http/store.js";

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
}

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
  readonly #visits = new WeakMap<FastifyRequest, Visit>();

  constructor(options: ResolvedResponseOptions) {
    this.#options = options;
    this.#store = new ResponseStore(options);
  }

  install(fastify: FastifyInstance): void {
    fastify.addHook("onRoute", ({ config }) => {
      // A mistake in a route's settings is told when the route is declared, not to its first visitor.
      const own = config?.responseCache;
      resolveTtlMs(own === false ? undefined : own?.ttl);
    });
    fastify.addHook("preHandler", (request, reply, next) => {
      if (!this.#answer(request, reply)) {
        next();
      }
    });
    fastify.addHook("onSend", (request, reply, payload, next) => {
      next(null, this.#keep(request, reply, payload));
    });
  }

  /** Answers from the cache, or notes what is to be done with the response; whether it has answered. */
  #answer(request: FastifyRequest, reply: FastifyReply): boolean {
    const { hasXCache, now } = this.#options;
    const config = request.routeOptions.config.responseCache;
    const key = this.#store.keyOf(request.raw, request.host, request.originalUrl);
    const ttlMs = (config === false ? undefined : resolveTtlMs(config?.ttl)) ?? this.#options.ttlMs;
    const before = reply.getHeaders();
    if (config === false || !this.#store.isEligible(request.raw)) {
      if (hasXCache) {
        reply.header("x-cache", "BYPASS");
      }
      if (!["GET", "HEAD", "OPTIONS", "TRACE"].includes(request.method)) {
        this.#visits.set(request, { key, ttlMs, before, kind: "changes" });
      }
      return false;
    }
    const found = this.#store.find(key, request.raw, (done) => reply.raw.once("close", done));
    this.#visits.set(request, { key, ttlMs, before, kind: found === undefined ? "new" : "kept" });
    if (found === undefined) {
      if (hasXCache) {
        reply.header("x-cache", "MISS");
      }
      return false;
    }
    const { status, headers } = answerOf(found, request.raw, now(), hasXCache);
    reply.code(status);
    for (const [name, value] of headers) {
      reply.header(name, value);
    }
    // Also for HEAD: Fastify counts the bytes, and Node leaves them out.
    const { buffer, byteOffset, byteLength } = found.response.body;
    reply.send(status === 304 || status === 204 ? undefined : Buffer.from(buffer, byteOffset, byteLength));
    return true;
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
    if (payload instanceof Readable) {
      return this.#tee(payload, body, () => this.#keepBytes(visit, request, reply, body));
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
    return this.#store.keep(visit.key, request.raw, { status: reply.statusCode, all, own, body: bytes }, visit.ttlMs)
      ?.etag;
  }
}
