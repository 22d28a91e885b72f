// What TypeScript users of scopes, write patterns and adapters see.
import { createCache as createManager } from "cache-manager";
import express from "express";
import { fastify } from "fastify";
import { Keyv } from "keyv";
import { expectTypeOf, test } from "vitest";
import { nearcacheStore } from "../ts/adapters/cache-manager.js";
import { cacheResponses as forExpress } from "../ts/adapters/express.js";
import { cacheResponses as forFastify } from "../ts/adapters/fastify.js";
import { createKeyv, KeyvNearcache } from "../ts/adapters/keyv.js";
import { LRUCache } from "../ts/adapters/lru-cache.js";
import {
  type Cache,
  createCache,
  key,
  requireScope,
  type ScopedCache,
  scoped,
  WriteBehind,
  type WriteItem,
  writeThrough,
} from "../ts/index.js";
import { metrics as forOpenTelemetry } from "../ts/observe/opentelemetry.js";
import { metrics as forPrometheus } from "../ts/observe/prometheus.js";

interface User {
  id: number;
  name: string;
}
declare const users: Cache<User>;

test("scopes keep the type of values; keys are made of plain parts", () => {
  expectTypeOf(scoped(users, { tenant: "acme", user: 42 })).toEqualTypeOf<ScopedCache<User>>();
  expectTypeOf(requireScope(users, ["tenant"]).scope({ tenant: "acme" }).get("key")).toEqualTypeOf<User | undefined>();
  expectTypeOf(key`user:${42}:${"x"}:${true}:${1n}`).toEqualTypeOf<string>();
  // @ts-expect-error: undefined is no part
  key`user:${undefined}`;
  // @ts-expect-error: undefined is no value of a dimension
  scoped(users, { tenant: undefined });
});

test("write patterns hand over what they were given", () => {
  writeThrough(
    users,
    "key",
    { id: 1, name: "" },
    {
      to: (_key, value, { signal }) => {
        expectTypeOf(value).toEqualTypeOf<User>();
        expectTypeOf(signal).toEqualTypeOf<AbortSignal | undefined>();
      },
      ttl: "1m",
      tags: ["x"],
    },
  );
  const behind = new WriteBehind(users, {
    to: (items) => expectTypeOf(items).toEqualTypeOf<readonly WriteItem<User>[]>(),
    onWriteFailed: (items) => expectTypeOf(items).toEqualTypeOf<readonly WriteItem<User>[]>(),
  });
  expectTypeOf(behind.pending("key")).toEqualTypeOf<User | undefined>();
  expectTypeOf(behind).toExtend<AsyncDisposable>();
  // @ts-expect-error: onWriteFailed is required
  new WriteBehind(users, { to: () => 1 });
});

test("adapters take a cache of any type, and fit what they are for", () => {
  expectTypeOf(createKeyv<User>(users)).toEqualTypeOf<Keyv<User>>();
  new Keyv({ store: new KeyvNearcache(users) });
  createManager({ stores: [nearcacheStore(users), nearcacheStore({ maxMemory: "64mb", ttl: "1m" })] });
  express().use("/x", forExpress({ cache: users, ttl: "1m" }));
  const app = fastify();
  app.register(forFastify, { cache: users, ttl: "1m", prefix: "/x" });
  app.get("/", { config: { responseCache: { ttl: "5m" } } }, () => "x");
  forPrometheus(users, { name: "users" }).stop();
  forOpenTelemetry(users, { name: "users" }).stop();
  createCache({ maxMemory: "64mb", ttl: "1m" });
});

test("LRUCache has lru-cache's types", () => {
  const cache = new LRUCache<string, User>({ maxSize: "64mb", fetchMethod: async () => ({ id: 1, name: "" }) });
  expectTypeOf(cache.get("key")).toEqualTypeOf<User | undefined>();
  expectTypeOf(cache.fetch("key")).toEqualTypeOf<Promise<User | undefined>>();
  expectTypeOf(cache.set("key", undefined)).toEqualTypeOf(cache);
  for (const [id, user] of cache) expectTypeOf([id, user] as const).toEqualTypeOf<readonly [string, User]>();
  // @ts-expect-error: keys are text
  new LRUCache<number, User>({ maxSize: "64mb" });
  // @ts-expect-error: maxSize is required
  new LRUCache<string, User>({ max: 5 });
});
