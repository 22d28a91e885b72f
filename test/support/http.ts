// Express and Fastify behind one face, on real sockets, so that one suite tests both.
import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type Server,
  request as send,
} from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import express from "express";
import express4 from "express4";
import { fastify } from "fastify";
import { afterEach } from "vitest";
import { cacheResponses as forExpress, type ResponseCacheOptions } from "../../ts/adapters/express.js";
import { cacheResponses as forFastify } from "../../ts/adapters/fastify.js";

/** What a handler answers. */
export interface Reply {
  status?: number;
  headers?: OutgoingHttpHeaders;
  /** Text, bytes, or the chunks of a stream; an Error among them breaks it. */
  body?: string | Buffer | (string | Error)[];
  /** In Fastify: a stream of the web, or a `Response` with one, which has status and headers itself. */
  as?: "web stream" | "Response";
}

/** What a client gets. */
export interface Response {
  status: number;
  headers: IncomingHttpHeaders;
  body: string;
  /** The connection was cut before the end. */
  isBroken: boolean;
}

/** Asks the server. */
export type Ask = (path: string, headers?: OutgoingHttpHeaders, method?: string) => Promise<Response>;
type Handler = (request: { method: string; url: string; headers: IncomingHttpHeaders }) => Reply | Promise<Reply>;
type Start = (options: ResponseCacheOptions, handler: Handler, before?: OutgoingHttpHeaders) => Promise<Server>;

const running: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

function streamOf(chunks: (string | Error)[]): Readable {
  return Readable.from(
    (async function* () {
      for (const chunk of chunks) {
        if (chunk instanceof Error) throw chunk;
        yield Buffer.from(chunk);
      }
    })(),
  );
}

const startExpress =
  (make: typeof express): Start =>
  async (options, handler, before = {}) => {
    const app = make();
    app.use((_, response, next) => {
      response.set(before as Record<string, string>);
      next();
    });
    app.use(forExpress(options));
    const answer = async (request: express.Request, response: express.Response): Promise<void> => {
      const {
        status = 200,
        headers = {},
        body,
      } = await handler({
        method: request.method,
        url: request.originalUrl,
        headers: request.headers,
      });
      response.status(status).set(headers as Record<string, string>);
      if (Array.isArray(body)) {
        streamOf(body)
          .on("error", (error) => response.destroy(error))
          .pipe(response);
      } else {
        response.send(body);
      }
    };
    // Express 4 takes no notice of what a handler's promise rejects with.
    app.use((request, response, next) => void answer(request, response).catch(next));
    app.use(((_error, _request, response, _next) =>
      response.status(500).send("failed")) as express.ErrorRequestHandler);
    const server = createServer(app);
    await once(server.listen(0, "127.0.0.1"), "listening");
    running.push(() => new Promise((resolve) => server.close(resolve)));
    return server;
  };

const startFastify: Start = async (options, handler, before = {}) => {
  const app = fastify();
  app.addHook("onRequest", async (_, reply) => {
    reply.headers(before);
  });
  await app.register(forFastify, options);
  app.all("/*", async (request, reply) => {
    const { status = 200, headers = {}, body, as } = await handler(request);
    if (as === "Response") {
      return new Response(Readable.toWeb(streamOf(body as string[])) as ReadableStream, {
        status,
        headers: headers as Record<string, string>,
      });
    }
    reply.code(status).headers(headers);
    if (as === "web stream") {
      return Readable.toWeb(streamOf(body as string[]));
    }
    return Array.isArray(body) ? streamOf(body) : (body ?? "");
  });
  app.setErrorHandler((_, __, reply) => reply.code(500).send("failed"));
  await app.listen({ port: 0, host: "127.0.0.1" });
  running.push(() => app.close());
  return app.server;
};

/** The frameworks, and how to start a server of each. `before` are headers that something before the adapter sets. */
export const FRAMEWORKS = [
  ["express", startExpress(express)],
  ["express 4", startExpress(express4 as unknown as typeof express)],
  ["fastify", startFastify],
] as const;

/** A function that asks a server. */
export function client(server: Server): Ask {
  const { port } = server.address() as AddressInfo;
  return (path, headers = {}, method = "GET") =>
    new Promise((resolve, reject) => {
      const request = send({ host: "127.0.0.1", port, path, method, headers, agent: false }, (response) => {
        let body = "";
        const end = (isBroken: boolean) => () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body, isBroken });
        response
          .setEncoding("utf8")
          .on("data", (text: string) => (body += text))
          .on("end", end(false))
          .on("error", end(true));
      });
      request.on("error", reject).end();
    });
}
