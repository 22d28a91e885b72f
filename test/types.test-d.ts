// What TypeScript users see: the value's type goes through, options are checked, and wrong calls don't compile.
import { expectTypeOf, test } from "vitest";
import {
  type Cache,
  type CacheOptions,
  type CacheStats,
  createCache,
  type Duration,
  type ErrorCode,
  InvalidOptionError,
  NearcacheError,
  type Size,
} from "../ts/index.js";

interface User {
  id: number;
  name: string;
}
const options = { maxMemory: "256mb", ttl: "10m" } as const;
declare const users: Cache<User>;

test("values have the type that the cache was created for", () => {
  expectTypeOf(createCache<User>(options)).toEqualTypeOf<Cache<User>>();
  expectTypeOf(createCache(options)).toEqualTypeOf<Cache<unknown>>();
  expectTypeOf(users.get("key")).toEqualTypeOf<User | undefined>();
  expectTypeOf(users.peek("key")).toEqualTypeOf<User | undefined>();
  expectTypeOf(users.getMany(["key"])).toEqualTypeOf<(User | undefined)[]>();
  expectTypeOf(users.entries()).toEqualTypeOf<IterableIterator<[key: string, value: User]>>();
  expectTypeOf(users.keys({ prefix: "user:" })).toEqualTypeOf<IterableIterator<string>>();
  expectTypeOf(users.size).toEqualTypeOf<number>();
  expectTypeOf(users.ttl("key")).toEqualTypeOf<number | undefined>();
  expectTypeOf(users.stats()).toEqualTypeOf<CacheStats>();
  // @ts-expect-error: the value is no User
  users.set("key", { id: "1" });
  // @ts-expect-error: the key is no string
  users.get(5);
  // @ts-expect-error: size can't be set
  users.size = 5;
});

test("loaders may be synchronous or not, and may find nothing", () => {
  expectTypeOf(users.getOrLoad("key", () => ({ id: 1, name: "" }))).toEqualTypeOf<Promise<User | undefined>>();
  users.getOrLoad("key", async (key, { signal }) => {
    expectTypeOf(key).toEqualTypeOf<string>();
    expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
    return undefined;
  });
  users.getOrLoad("key", () => undefined, { ttl: "1m", signal: new AbortController().signal });
  expectTypeOf(users.getOrSet("key", () => ({ id: 1, name: "" }))).toEqualTypeOf<User>();
  // @ts-expect-error: loads something else
  users.getOrLoad("key", () => 5);
});

test("options", () => {
  expectTypeOf<CacheOptions["maxMemory"]>().toEqualTypeOf<Size>();
  users.set("key", { id: 1, name: "" }, { ttl: "30s" });
  users.set("key", { id: 1, name: "" }, 30_000);
  users.set("key", { id: 1, name: "" }, "1.5h");
  users.setMany(new Map<string, User>(), { ttl: Number.POSITIVE_INFINITY });
  // @ts-expect-error: ttl is required
  createCache({ maxMemory: "256mb" });
  // @ts-expect-error: maxMemory is required
  createCache({ ttl: "10m" });
  // @ts-expect-error: there is no such option
  createCache({ ...options, max: 5 });
  // @ts-expect-error: no unit
  createCache({ ...options, ttl: "10" });
  // @ts-expect-error: a size is no duration
  users.touch("key", { ttl: "10mb" });
  expectTypeOf<"10 m">().toExtend<Duration>();
  expectTypeOf<"256MB">().toExtend<Size>();
});

test("errors", () => {
  const error: unknown = new Error();
  if (error instanceof NearcacheError) expectTypeOf(error.code).toEqualTypeOf<ErrorCode>();
  if (error instanceof InvalidOptionError) expectTypeOf(error.option).toEqualTypeOf<string>();
});

test("a cache can be disposed of", () => {
  expectTypeOf(users).toExtend<Disposable>();
});
