// What one framework has and the other has not.
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import compression from "node:zlib";
import { fastify } from "fastify";
import { afterEach, describe, expect, test } from "vitest";
import { cacheResponses as forExpress } from "../../ts/adapters/express.js";
import { cacheResponses as forFastify } from "../../ts/adapters/fastify.js";
import { newCache } from "../support/caches.js";
import { client } from "../support/http.js";

const running: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
});

/** Middleware in front of a handler that speaks to Node's response directly. */
async function plain(handler: RequestListener) {
  const middleware = forExpress({ cache: newCache(), ttl: "1m", xCache: false });
  const server = createServer((request, response) => middleware(request, response, () => handler(request, response)));
  await once(server.listen(0, "127.0.0.1"), "listening");
  running.push(() => new Promise((resolve) => server.close(resolve)));
  return client(server);
}

describe("the middleware, with Node's own response", () => {
  test.each([
    ["an object", { "Set-Cookie": "a=1" }],
    ["a flat list", ["Set-Cookie", "a=1"]],
    ["pairs", [["Set-Cookie", "a=1"]]],
  ])("sees headers that writeHead gets as %s", async (_, headers) => {
    let calls = 0;
    const ask = await plain((_request, response) => {
      calls += 1;
      response.writeHead(200, headers as never).end("body");
    });
    await ask("/");
    await ask("/");
    expect(calls).toBe(2);
  });

  test("keeps what is written in pieces, in any encoding, and headers of writeHead", async () => {
    let calls = 0;
    const ask = await plain((_request, response) => {
      calls += 1;
      response.writeHead(200, "Fine", { "X-Made": "here" });
      response.write("fc", "latin1", () => undefined);
      response.write("c3bc", "hex");
      response.write(new Uint8Array([0x21]));
      response.end(() => undefined);
      response.end();
    });
    for (const _ of [1, 2]) {
      expect(await ask("/")).toMatchObject({ body: "fcü!", headers: { "x-made": "here" } });
    }
    expect(calls).toBe(1);
  });

  test("does not keep a body that is not as long as it says", async () => {
    let calls = 0;
    const ask = await plain((_request, response) => {
      calls += 1;
      response.strictContentLength = false;
      response.setHeader("content-length", "10");
      response.end("short", () => response.destroy());
    });
    for (const _ of [1, 2]) await ask("/").catch(() => undefined);
    expect(calls).toBe(2);
  });

  test("keeps compressed bodies as they are, one per encoding", async () => {
    let calls = 0;
    const ask = await plain((request, response) => {
      calls += 1;
      const isZipped = request.headers["accept-encoding"] === "gzip";
      response.writeHead(200, { vary: "accept-encoding", ...(isZipped ? { "content-encoding": "gzip" } : {}) });
      response.end(isZipped ? compression.gzipSync("body") : "body");
    });
    for (const _ of [1, 2]) {
      expect((await ask("/", { "accept-encoding": "gzip" })).headers["content-encoding"]).toBe("gzip");
      expect((await ask("/")).body).toBe("body");
    }
    expect(calls).toBe(2);
  });
});

describe("the plugin", () => {
  async function build(options: object = {}) {
    const app = fastify();
    running.push(() => app.close());
    const calls: string[] = [];
    await app.register(async (inner) => {
      await inner.register(forFastify, { cache: newCache(), ttl: "1m", xCache: true, ...options });
      inner.addHook("onRequest", async ({ url }) => void calls.push(`request ${url}`));
      inner.get("/kept", async () => ({ calls: calls.push("kept") }));
      inner.get("/never", { config: { responseCache: false } }, async () => "x");
      inner.get("/short", { config: { responseCache: { ttl: "10s" } } }, async () => "x");
      inner.get("/web", async () => new Blob(["web"]).stream());
    });
    app.get("/outside", async () => "x");
    return { calls, get: async (url: string) => await app.inject({ url }) };
  }

  test("runs hooks that come before the handler also for hits, and the serializer once", async () => {
    const { calls, get } = await build();
    const [first, second] = [await get("/kept"), await get("/kept")];
    expect([first.headers["x-cache"], second.headers["x-cache"]]).toEqual(["MISS", "HIT"]);
    expect(second.json()).toEqual(first.json());
    expect(second.headers["content-type"]).toBe(first.headers["content-type"]);
    expect(second.headers.etag).toBe(first.headers.etag);
    expect(calls).toEqual(["request /kept", "kept", "request /kept"]);
  });

  test("takes each route's own settings, and leaves routes outside of its context alone", async () => {
    let now = 0;
    const { get } = await build({ now: () => now });
    for (const url of ["/never", "/short", "/outside"]) await get(url);
    expect((await get("/never")).headers["x-cache"]).toBe("BYPASS");
    expect((await get("/short")).headers["x-cache"]).toBe("HIT");
    expect((await get("/outside")).headers).not.toHaveProperty("x-cache");
    now = 10_001;
    expect((await get("/short")).headers["x-cache"]).toBe("MISS");
  });

  test("answers HEAD of Fastify's own HEAD routes", async () => {
    const app = fastify({ exposeHeadRoutes: true });
    running.push(() => app.close());
    await app.register(forFastify, { cache: newCache(), ttl: "1m", xCache: true });
    app.get("/", async () => "12345");
    await app.inject({ url: "/" });
    const head = await app.inject({ method: "HEAD", url: "/" });
    expect([head.statusCode, head.headers["content-length"], head.headers["x-cache"], head.body]).toEqual([
      200,
      "5",
      "HIT",
      "",
    ]);
  });

  test("keeps web streams", async () => {
    const { get } = await build();
    for (const _ of [1, 2]) expect(await get("/web")).toMatchObject({ body: "web", statusCode: 200 });
    expect((await get("/web")).headers["x-cache"]).toBe("HIT");
  });

  test("refuses a route's wrong settings when the route is declared", async () => {
    const app = fastify();
    running.push(() => app.close());
    await app.register(forFastify, { cache: newCache() });
    const declare = () => app.get("/", { config: { responseCache: { ttl: "soon" as "1s" } } }, async () => "x");
    expect(declare).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTION", option: "ttl" }));
  });

  test("takes Fastify's own options beside its own", async () => {
    const app = fastify();
    running.push(() => app.close());
    await app.register(forFastify, { cache: newCache(), prefix: "/api", logLevel: "warn" });
    await app.ready();
  });
});
