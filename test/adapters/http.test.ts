// nearcache/express and nearcache/fastify, by one suite: what is kept, for whom, how long; and what comes back.
import type { OutgoingHttpHeaders } from "node:http";
import { describe, expect, test } from "vitest";
import { type ResponseCacheOptions, responsePrefix } from "../../ts/adapters/express.js";
import { type Cache, InvalidOptionError, scoped } from "../../ts/index.js";
import { newCache, thrownBy } from "../support/caches.js";
import { client, FRAMEWORKS, type Reply } from "../support/http.js";
import { until } from "../support/wait.js";

describe.each(FRAMEWORKS)("%s", (_, start) => {
  /** A server with a handler that counts, and the time. */
  async function serve(
    reply: Reply | ((request: { url: string; headers: OutgoingHttpHeaders; method: string }) => Reply | Promise<Reply>),
    options: Partial<ResponseCacheOptions> = {},
    before: OutgoingHttpHeaders = {},
  ) {
    const cache: Cache<unknown> = options.cache ?? newCache();
    const state = { calls: 0, arrived: 0, now: 1_700_000_000_000, cache };
    const arrived = (): boolean => {
      state.arrived += 1;
      return false;
    };
    const server = await start(
      { ttl: "1m", now: () => state.now, xCache: true, skip: arrived, ...options, cache },
      async (request) => {
        state.calls += 1;
        const made = typeof reply === "function" ? await reply(request as never) : reply;
        return made.body === undefined ? { ...made, body: `call ${state.calls}` } : made;
      },
      before,
    );
    return Object.assign(state, { ask: client(server) });
  }

  describe("a response that may be kept", () => {
    test("is made once, and comes back with its status, type, headers and body", async () => {
      const made = {
        status: 203,
        headers: { "content-type": "text/css; charset=utf-8", "x-made": "here", link: ["<a>", "<b>"] },
      };
      const server = await serve(made);
      const first = await server.ask("/a?b=1");
      const second = await server.ask("/a?b=1");
      expect([first.headers["x-cache"], second.headers["x-cache"], server.calls]).toEqual(["MISS", "HIT", 1]);
      for (const { status, body, headers } of [first, second]) {
        expect({ status, body }).toEqual({ status: 203, body: "call 1" });
        expect(headers).toMatchObject({
          "content-type": "text/css; charset=utf-8",
          "x-made": "here",
          link: "<a>, <b>",
          "content-length": "6",
        });
      }
    });

    test("has its own key by URL with query, and by host", async () => {
      const server = await serve({});
      const asked = [["/a"], ["/a?b"], ["/a?b=1"], ["/a", { host: "other" }], ["/A"]] as const;
      for (const [path, headers] of asked) await server.ask(path, headers);
      expect(server.calls).toBe(5);
      for (const [path, headers] of asked) await server.ask(path, headers);
      expect(server.calls).toBe(5);
    });

    test("tells its age, and goes when its time has come", async () => {
      const server = await serve({ headers: { "cache-control": "max-age=10", age: "3" } });
      await server.ask("/");
      server.now += 4_000;
      expect((await server.ask("/")).headers.age).toBe("7");
      server.now += 3_000;
      expect((await server.ask("/")).headers["x-cache"]).toBe("MISS");
    });

    test("answers HEAD without a body, and is not kept from one", async () => {
      const server = await serve({ body: "12345" });
      await server.ask("/", {}, "HEAD");
      await server.ask("/");
      const head = await server.ask("/", {}, "HEAD");
      expect(head).toMatchObject({ status: 200, body: "", headers: { "content-length": "5", "x-cache": "HIT" } });
      expect(server.calls).toBe(2);
    });

    test("may be a stream, bytes, or nothing", async () => {
      for (const [body, text] of [
        [["a", "b", "c"], "abc"],
        [Buffer.from("ü"), "ü"],
        ["", ""],
      ] as const) {
        const server = await serve({ headers: { "content-type": "text/plain" }, body: body as string });
        expect([(await server.ask("/")).body, (await server.ask("/")).body, server.calls]).toEqual([text, text, 1]);
      }
      const empty = await serve({ status: 204, body: "" });
      await empty.ask("/");
      expect(await empty.ask("/")).toMatchObject({ status: 204, body: "", headers: { "x-cache": "HIT" } });
    });

    test("says where it comes from only if asked to", async () => {
      const server = await serve({}, { xCache: undefined });
      await server.ask("/");
      expect((await server.ask("/")).headers).not.toHaveProperty("x-cache");
    });
  });

  describe("requests that miss at the same time", () => {
    /** A handler that waits until all requests are there, or only the first one where the others wait for it. */
    function gate() {
      const handlers: (() => void)[] = [];
      return {
        wait: () => new Promise<void>((resolve) => handlers.push(resolve)),
        open: () => {
          for (const resolve of handlers.splice(0)) resolve();
        },
        get inside() {
          return handlers.length;
        },
      };
    }

    test("call the handler once, and the others wait for what it makes", async () => {
      const { wait, open } = gate();
      const server = await serve(() => wait().then(() => ({})));
      const asked = Array.from({ length: 10 }, () => server.ask("/"));
      const head = server.ask("/", {}, "HEAD");
      await until(() => server.arrived === 11, "not all have arrived");
      expect(server.calls).toBe(1);
      open();
      const sources = (await Promise.all(asked)).map(({ body, headers }) => `${body} ${headers["x-cache"]}`);
      expect(sources.sort()).toEqual([...Array(9).fill("call 1 HIT"), "call 1 MISS"]);
      expect((await head).headers["x-cache"]).toBe("HIT");
    });

    test.each([
      ["may not be kept", { headers: { "cache-control": "private" } }],
      ["failed", { status: 500 }],
      ["breaks off", { body: ["a", new Error("broken")] }],
    ] as [string, Reply][])(
      "each make their own if the first one's %s, and soon nobody waits for it",
      async (_, made) => {
        const { wait, open } = gate();
        const server = await serve(() => wait().then(() => made));
        const first = [1, 2, 3].map(() => server.ask("/"));
        await until(() => server.arrived === 3, "not all have arrived");
        expect(server.calls).toBe(1);
        open();
        await until(() => server.calls === 3, "the others do not make their own");
        open();
        await Promise.all(first);
        const later = [1, 2, 3].map(() => server.ask("/"));
        await until(() => server.calls === 6, "they wait for what is not kept");
        open();
        await Promise.all(later);
      },
    );

    test("do not wait for longer than maxWait, nor with credentials, nor for another response", async () => {
      const handlers = gate();
      const server = await serve(() => handlers.wait().then(() => ({})), { maxWait: 20 });
      const asked = [
        server.ask("/"),
        server.ask("/"),
        server.ask("/", { authorization: "x" }),
        server.ask("/", { cookie: "x" }),
        server.ask("/other"),
      ];
      await until(() => handlers.inside === 5, "one of them waits");
      handlers.open();
      await Promise.all(asked);
    });

    test("wait for their variant, once it is known what responses vary by", async () => {
      const handlers = gate();
      const server = await serve(() => handlers.wait().then(() => ({ headers: { vary: "accept-language" } })));
      const learn = server.ask("/", { "accept-language": "fr" });
      await until(() => handlers.inside === 1, "the handler is not called");
      handlers.open();
      await learn;
      const asked = ["de", "en", "de", "en"].map((language) => server.ask("/", { "accept-language": language }));
      await until(() => server.arrived === 5, "not all have arrived");
      expect(handlers.inside).toBe(2);
      handlers.open();
      await Promise.all(asked);
      expect(server.calls).toBe(3);
    });
  });

  describe("validators", () => {
    test.each([
      ["the same tag", 304, (etag: string) => ({ "if-none-match": etag })],
      ["one of several, weak", 304, (etag: string) => ({ "if-none-match": `"x", W/${etag.replace("W/", "")}` })],
      ["any tag", 304, () => ({ "if-none-match": "*" })],
      ["another tag", 200, () => ({ "if-none-match": '"other"' })],
      [
        "another tag and a fitting date",
        200,
        () => ({ "if-none-match": '"other"', "if-modified-since": "Wed, 01 Jan 2020 00:00:00 GMT" }),
      ],
      ["a fitting date", 304, () => ({ "if-modified-since": "Wed, 01 Jan 2020 00:00:00 GMT" })],
      ["an older date", 200, () => ({ "if-modified-since": "Tue, 31 Dec 2019 00:00:00 GMT" })],
      ["nonsense", 200, () => ({ "if-none-match": "\u00ff,", "if-modified-since": "soon" })],
    ])("%s gives %i", async (_what, status, conditions) => {
      const server = await serve({
        headers: { "last-modified": "Wed, 01 Jan 2020 00:00:00 GMT", "content-type": "text/plain" },
      });
      await server.ask("/");
      const { etag } = (await server.ask("/")).headers;
      expect(etag).toMatch(/^(W\/)?"[^"]+"$/);
      const answer = await server.ask("/", conditions(etag as string));
      expect(answer.status).toBe(status);
      expect(answer.headers.etag).toBe(etag);
      if (status === 304) {
        expect(answer.body).toBe("");
        expect(answer.headers["content-type"]).toBeUndefined();
      }
      expect(server.calls).toBe(1);
    });
  });

  describe("is not kept if", () => {
    const REFUSED: [string, Reply, OutgoingHttpHeaders?][] = [
      ["it is an error of the server", { status: 503 }],
      ["it is an error of the client", { status: 404 }],
      ["it is another redirect", { status: 302, headers: { location: "/" } }],
      ["it sets a cookie", { headers: { "set-cookie": "a=1" } }],
      ["it sets a cookie and says public", { headers: { "set-cookie": "a=1", "cache-control": "public, max-age=60" } }],
      ["it is private", { headers: { "cache-control": "private" } }],
      ["it is private in capitals, among others", { headers: { "cache-control": 'max-age=60 ,  PRIVATE="x"' } }],
      ["it says no-store", { headers: { "cache-control": "no-store, max-age=60" } }],
      ["it says no-cache", { headers: { "cache-control": "public, no-cache" } }],
      ["it has no lifetime left", { headers: { "cache-control": "max-age=60", age: "60" } }],
      ["its lifetime is zero for shared caches", { headers: { "cache-control": "max-age=60, s-maxage=0" } }],
      ["its lifetime is unreadable", { headers: { "cache-control": "max-age=soon" } }],
      ["it has expired", { headers: { expires: "0" } }],
      ["it depends on everything", { headers: { vary: "accept, *" } }],
      ["the request has credentials", {}, { authorization: "Basic eA==" }],
      ["the request has a cookie", { headers: { "cache-control": "max-age=60" } }, { cookie: "session=1" }],
      ["the request forbids it", {}, { "cache-control": "no-store" }],
      ["the request is for a part", {}, { range: "bytes=0-1" }],
    ];

    test.each(REFUSED)("%s", async (_why, reply, headers = {}) => {
      const server = await serve(reply);
      await server.ask("/", headers);
      await server.ask("/", headers);
      await server.ask("/");
      expect(server.calls).toBe(3);
    });

    test("something before the adapter says private", async () => {
      const server = await serve({}, {}, { "cache-control": "private" });
      await server.ask("/");
      await server.ask("/");
      expect(server.calls).toBe(2);
    });

    test("it says nothing of itself and there is no ttl", async () => {
      const server = await serve(({ url }) => ({ headers: url === "/says" ? { "cache-control": "max-age=60" } : {} }), {
        ttl: undefined,
      });
      for (const path of ["/", "/", "/says", "/says"]) await server.ask(path);
      expect(server.calls).toBe(3);
    });

    test("the handler throws", async () => {
      const server = await serve(() => Promise.reject(new Error("no")));
      for (const _ of [1, 2]) expect(await server.ask("/")).toMatchObject({ status: 500, body: "failed" });
      expect(server.calls).toBe(2);
    });

    test("its stream breaks", async () => {
      const server = await serve({ headers: { "content-type": "text/plain" }, body: ["half", new Error("no")] });
      for (const _ of [1, 2]) expect((await server.ask("/").catch(() => ({ isBroken: true }))).isBroken).toBe(true);
      expect(server.calls).toBe(2);
    });

    test("it is too large, and then passes through whole", async () => {
      const server = await serve(
        { headers: { "content-type": "text/plain" }, body: ["12345", "67890"] },
        { maxBodySize: 9 },
      );
      for (const _ of [1, 2]) expect((await server.ask("/")).body).toBe("1234567890");
      expect(server.calls).toBe(2);
    });

    test("it is skipped", async () => {
      const server = await serve({}, { skip: ({ headers }) => headers["x-admin"] !== undefined });
      for (const _ of [1, 2]) expect((await server.ask("/", { "x-admin": "1" })).headers["x-cache"]).toBe("BYPASS");
      expect(server.calls).toBe(2);
    });
  });

  describe("credentials", () => {
    test("get what is public, and nothing else that was kept", async () => {
      const server = await serve(({ url }) => ({
        headers: url === "/public" ? { "cache-control": "public, max-age=60" } : {},
      }));
      const credentials = { authorization: "Basic eA==" };
      await server.ask("/public", credentials);
      expect((await server.ask("/public")).headers["x-cache"]).toBe("HIT");
      expect((await server.ask("/public", { cookie: "a=1" })).headers["x-cache"]).toBe("HIT");
      await server.ask("/plain");
      expect((await server.ask("/plain", credentials)).headers["x-cache"]).toBe("MISS");
    });

    test("have responses of their own where they are part of the key", async () => {
      const server = await serve(({ headers }) => ({ body: `for ${String(headers.cookie)}` }), { headers: ["Cookie"] });
      for (const cookie of ["user=1", "user=2", "user=1", "user=2"]) {
        expect((await server.ask("/", { cookie })).body).toBe(`for ${cookie}`);
      }
      expect((await server.ask("/")).body).toBe("for undefined");
      expect(server.calls).toBe(3);
    });
  });

  describe("Vary", () => {
    test("tells apart what the headers that it names tell apart", async () => {
      const server = await serve(({ headers }) => ({
        headers: { vary: "Accept-Language" },
        body: `in ${String(headers["accept-language"])}`,
      }));
      for (const language of ["de", "en", "de", "en", "a&accept-language=de"]) {
        expect((await server.ask("/", { "accept-language": language, "x-other": "1" })).body).toBe(`in ${language}`);
      }
      expect((await server.ask("/")).body).toBe("in undefined");
      expect(server.calls).toBe(4);
    });

    test("of two responses for one URL counts together", async () => {
      const server = await serve(({ headers }) => ({
        headers: { vary: headers["x-kind"] === "1" ? "x-kind, accept" : "x-kind" },
        body: JSON.stringify([headers["x-kind"], headers.accept]),
      }));
      for (const _ of [1, 2]) {
        for (const [kind, accept] of [
          ["0", "a"],
          ["1", "a"],
          ["1", "b"],
          ["0", "b"],
        ]) {
          const { body } = await server.ask("/", { "x-kind": kind, accept });
          expect(JSON.parse(body)[0]).toBe(kind);
          if (kind === "1") expect(JSON.parse(body)[1]).toBe(accept);
        }
      }
    });

    test("set before the adapter counts, too", async () => {
      const server = await serve(({ headers }) => ({ body: String(headers.origin) }), {}, { vary: "origin" });
      for (const origin of ["a", "b", "a"]) expect((await server.ask("/", { origin })).body).toBe(origin);
      expect(server.calls).toBe(2);
    });
  });

  describe("going out of date", () => {
    test("by a request that changes something: its URL, variants included, and no other", async () => {
      const server = await serve(({ method }) => ({
        status: method === "DELETE" ? 409 : 200,
        headers: { vary: "accept" },
      }));
      for (const path of ["/a", "/b"]) await server.ask(path);
      await server.ask("/a", {}, "DELETE");
      await server.ask("/a");
      expect(server.calls).toBe(3);
      await server.ask("/a", {}, "PUT");
      expect((await server.ask("/a")).body).toBe("call 5");
      expect((await server.ask("/b")).headers["x-cache"]).toBe("HIT");
    });

    test("by prefix of the URL", async () => {
      const cache = newCache();
      const server = await serve({ headers: { vary: "accept" } }, { cache: scoped(cache, { use: "http" }) });
      for (const path of ["/products/1", "/products/2?x=|", "/other"]) await server.ask(path, { host: "shop:80" });
      scoped(cache, { use: "http" }).deletePrefix(responsePrefix("Shop:80", "/products/"));
      for (const path of ["/products/1", "/products/2?x=|", "/other"]) await server.ask(path, { host: "shop:80" });
      expect(server.calls).toBe(5);
    });

    test("while one request renews it, others get the stale one", async () => {
      let answer: (() => void) | undefined;
      const server = await serve(async () => {
        await (answer === undefined ? undefined : new Promise<void>((resolve) => (answer = resolve)));
        return { headers: { "cache-control": "max-age=10, stale-while-revalidate=30" } };
      });
      await server.ask("/");
      server.now += 11_000;
      answer = () => undefined;
      const renews = server.ask("/");
      while (server.calls < 2) await new Promise((resolve) => setImmediate(resolve));
      expect(await server.ask("/")).toMatchObject({ body: "call 1", headers: { "x-cache": "STALE", age: "11" } });
      answer();
      expect(await renews).toMatchObject({ body: "call 2", headers: { "x-cache": "MISS" } });
      expect(await server.ask("/")).toMatchObject({ body: "call 2", headers: { "x-cache": "HIT", age: "0" } });
    });

    test("serves nothing stale without leave, and renews again after a failure", async () => {
      const server = await serve(({ url }) => ({
        status: url === "/fails" && server.now > 1_700_000_000_000 ? 500 : 200,
        headers: {
          "cache-control": `max-age=10, stale-while-revalidate=30${url === "/strict" ? ", must-revalidate" : ""}`,
        },
      }));
      for (const path of ["/strict", "/fails"]) await server.ask(path);
      server.now += 11_000;
      for (const path of ["/strict", "/fails", "/fails"])
        expect((await server.ask(path)).headers["x-cache"]).toBe("MISS");
    });
  });

  test("a cache that is closed costs no request, and is reported", async () => {
    const errors: unknown[] = [];
    const server = await serve({}, { onError: (error) => errors.push(error) });
    server.cache.close();
    expect(await server.ask("/")).toMatchObject({ status: 200, body: "call 1" });
    await server.ask("/", {}, "POST");
    expect(errors.map((error) => (error as Error & { code: string }).code)).toEqual(Array(3).fill("ERR_CACHE_CLOSED"));
  });

  test("headers that are set anew for each request stay each request's own", async () => {
    let id = 0;
    const before = {
      get "x-request-id"() {
        id += 1;
        return `id-${id}`;
      },
    };
    const server = await serve({}, {}, before);
    const [first, second] = [await server.ask("/"), await server.ask("/")];
    expect(second.headers["x-cache"]).toBe("HIT");
    expect(second.headers["x-request-id"]).not.toBe(first.headers["x-request-id"]);
  });

  test.each([
    ["cache", { cache: undefined }],
    ["ttl", { ttl: "soon" }],
    ["ttl", { ttl: 0 }],
    ["headers", { headers: ["a b"] }],
    ["statuses", { statuses: [500] }],
    ["statuses", { statuses: [206] }],
    ["maxBodySize", { maxBodySize: -1 }],
    ["skip", { skip: 5 }],
    ["max", { max: 5 }],
  ])("the option %s is checked: %j", async (option, wrong) => {
    const error = await start({ cache: newCache(), ...wrong } as never, () => ({})).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error).toMatchObject({ option });
  });
});

test("a bar in a URL or a host forges no key", () => {
  expect(responsePrefix("a|b", "/")).not.toBe(responsePrefix("a", "b|/"));
  expect(responsePrefix("a", "/x|y=z")).toBe("response|a|/x%7Cy=z");
  expect(thrownBy(() => responsePrefix(5 as never, "/"))).toBeInstanceOf(Error);
});

test.each(["web stream", "Response"] as const)("Fastify: a %s is kept like any other body", async (as) => {
  const start = FRAMEWORKS.find(([name]) => name === "fastify")?.[1] as (typeof FRAMEWORKS)[number][1];
  let calls = 0;
  const server = await start({ cache: newCache(), ttl: "1m", xCache: true }, () => {
    calls += 1;
    return { status: 203, headers: { "content-type": "text/plain", "x-made": "here" }, body: ["a", "bc"], as };
  });
  const ask = client(server);
  for (const source of ["MISS", "HIT"]) {
    expect(await ask("/")).toMatchObject({
      status: 203,
      body: "abc",
      headers: { "x-cache": source, "x-made": "here", "content-type": "text/plain" },
    });
  }
  expect(calls).toBe(1);
});
