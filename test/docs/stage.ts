// What samples take for granted: a database, a log, servers, and the names of things that a reader has already. They are
// globals, so that a sample may declare them anew.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import express from "express";
import fastify, { type FastifyInstance } from "fastify";
import type { Cache, WriteBehind, WriteItem } from "nearcache";
import { createCache } from "nearcache";
import type { TiersUnderTest } from "nearcache/testing";

interface Person {
  readonly id: number;
  readonly name: string;
}

interface Call {
  readonly signal?: AbortSignal | undefined;
}

/** Holds every user that is asked for. */
class Database {
  readonly #names = new Map<number, string>();

  async findUser(id: number | string, _?: Call): Promise<Person> {
    return { id: Number(id), name: this.#names.get(Number(id)) ?? `user ${id}` };
  }

  async findUsers(keys: readonly string[]): Promise<Person[]> {
    return Promise.all(keys.map((key) => this.findUser(key.replace("user:", ""))));
  }

  async renameUser(id: number, name: string): Promise<void> {
    this.#names.set(id, name);
  }

  async saveUser(user: Person, _?: Call): Promise<void> {
    this.#names.set(user.id, user.name);
  }

  async upsertCounters(_: readonly WriteItem<number>[]): Promise<void> {}

  async findCounter(_: string): Promise<number> {
    return 0;
  }

  async report(_tenant: string | undefined, _key: string): Promise<object> {
    return {};
  }

  async find(_: string): Promise<number> {
    return 0;
  }
}

declare global {
  type User = Person;
  var db: Database;
  var user: Person;
  var users: Cache<Person>;
  var pages: Cache<string>;
  /** Of whatever the sample needs. */
  // biome-ignore lint/suspicious/noExplicitAny: stands for a reader's cache, of whatever values those are
  var cache: Cache<any>;
  var id: string;
  var url: string;
  var report: object;
  var request: { readonly tenant: string; readonly locale: string; readonly user: string };
  var session: { readonly userId: number };
  var log: { error(...things: unknown[]): void; warn(...things: unknown[]): void };
  /** A server of Fastify, and a handler. */
  var server: FastifyInstance;
  var handler: () => Promise<string>;
  /** An application of Express, and a part of it. */
  var app: express.Express;
  var products: express.Router;
  /** Of the examples in comments, whose types are checked: they are not run. */
  type Report = object;
  var sessions: Cache<{ readonly userId: number }>;
  var balances: Cache<number>;
  var balance: number;
  var reports: Cache<object>;
  var prices: Cache<number>;
  var seen: Cache<boolean>;
  var patterns: Cache<object>;
  var tenantCache: Cache<object>;
  var tenant: string;
  var source: string;
  var rows: readonly Person[];
  var counters: WriteBehind<number>;
  var lastSeen: WriteBehind<Person>;
  var api: { rate(key: string): Promise<number> };
  function compile(text: string): object;
  function notFound(): void;
  /** Of a test runner. */
  function test(name: string, run: () => Promise<void>): void;
  function makeTwoTiersOnOneEmptyStore(): Promise<TiersUnderTest>;
  /** What a comment says that a value is. */
  function check(actual: unknown, expected: unknown): void;
  /** What a comment says that a statement throws. */
  function checkThrows(run: () => unknown, code: string): Promise<void>;
}

const options = { maxMemory: "16mb", ttl: "10m" } as const;
const origin = createServer((_, response) => response.end("a page"));
await new Promise<void>((resolve) => origin.listen(0, "127.0.0.1", resolve));

Object.assign(globalThis, {
  db: new Database(),
  user: { id: 42, name: "Ada" },
  users: createCache<Person>(options),
  pages: createCache<string>(options),
  cache: createCache(options),
  id: "7",
  url: `http://127.0.0.1:${(origin.address() as { port: number }).port}/`,
  report: { sales: 12 },
  request: { tenant: "acme", locale: "de", user: "42" },
  session: { userId: 42 },
  log: { error: () => {}, warn: () => {} },
  server: fastify(),
  handler: async () => "an answer",
  app: express(),
  products: express.Router(),
  check: (actual: unknown, expected: unknown) => assert.deepStrictEqual(actual, expected),
  checkThrows: (run: () => unknown, code: string) =>
    assert.rejects(
      async () => run(),
      (error: { code?: string; name?: string }) => {
        assert.ok([error.code, error.name].includes(code), `${code} was to be thrown, not ${error}`);
        return true;
      },
    ),
});
