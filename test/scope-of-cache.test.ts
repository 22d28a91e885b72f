// Scopes, namespaces and writes as methods of a cache, and a cache that demands a scope.
import { describe, expect, test } from "vitest";
import { ScopeRequiredError, WriteBehind } from "../ts/index.js";
import { newCache, thrownBy } from "./support/caches.js";

test("scopes and namespaces of one cache share no keys", () => {
  const cache = newCache<number>();
  const [acme, users] = [cache.scope({ tenant: "acme" }), cache.namespace("users")];
  cache.set("key", 1);
  acme.set("key", 2);
  users.set("key", 3);
  expect([cache.get("key"), acme.get("key"), users.get("key")]).toEqual([1, 2, 3]);
  users.bumpVersion();
  expect([cache.get("key"), acme.get("key"), users.get("key")]).toEqual([1, 2, undefined]);
  expect(acme.namespace("users").dimensions).toEqual({ namespace: "users", tenant: "acme" });
});

describe("a cache that demands a scope", () => {
  test("can't be used without", async () => {
    const cache = newCache<number>({ requireScope: ["tenant"] });
    const error = thrownBy(() => cache.get("key"));
    expect(error).toBeInstanceOf(ScopeRequiredError);
    expect(error.message).toContain('"tenant"');
    expect(() => cache.scope({ user: 1 }).set("key", 1)).toThrow(ScopeRequiredError);
    await expect(cache.getOrLoad("key", () => 1)).rejects.toThrow(ScopeRequiredError);
    const acme = cache.scope({ tenant: "acme" });
    acme.set("key", 1);
    await acme.store("other", 2);
    expect([acme.get("key"), acme.get("other"), await acme.remove("other")]).toEqual([1, 2, true]);
    expect(cache.scope({ tenant: "other" }).get("key")).toBeUndefined();
  });

  test.each([[[]], ["tenant"], [[""]], [[1]], [{}]])("says at construction what is wrong with %j", (requireScope) => {
    expect(() => newCache({ requireScope: requireScope as never })).toThrow(/requireScope.*\["tenant"\]/);
  });
});

test("write goes to the origin first, or behind the cache", async () => {
  const cache = newCache<number>();
  const origin = new Map<string, number>();
  const to = async (key: string, value: number): Promise<void> => {
    if (value < 0) throw new Error("no such balance");
    origin.set(key, value);
  };
  await cache.write("key", 1, { to, ttl: "5s" });
  expect([origin.get("key"), cache.get("key")]).toEqual([1, 1]);
  await expect(cache.write("key", -1, { to })).rejects.toMatchObject({ code: "ERR_WRITE_FAILED", key: "key" });
  expect(cache.get("key")).toBeUndefined();
  const tenant = cache.scope({ tenant: "acme" });
  await tenant.write("key", 2, { to });
  expect([origin.get("key"), tenant.get("key"), cache.get("key")]).toEqual([2, 2, undefined]);

  const batches: unknown[] = [];
  const behind = new WriteBehind(cache, { to: (items) => batches.push(items), onWriteFailed: () => undefined });
  await cache.write("a", 1, { to: behind });
  await cache.write("a", 2, { to: behind, mode: "behind" });
  expect(cache.get("a")).toBe(2);
  await behind.close();
  expect(batches).toEqual([[{ key: "a", value: 2 }]]);
  await expect(cache.write("a", 3, { to: 5 as never })).rejects.toMatchObject({ code: "ERR_INVALID_OPTION" });
});
