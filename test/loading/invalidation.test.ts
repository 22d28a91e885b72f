// Tags, dependencies, patterns and the versioned flush: what is invalidated is not read again, and not stored late.
import { describe, expect, test } from "vitest";
import { heat, newCache } from "../support/caches.js";
import { controlled, settle } from "../support/loading.js";

describe.each([false, { maxEntries: 64 }] as const)("tags (l0: %o)", (l0) => {
  test("invalidate what carries them, from set and from loaders, and nothing else", async () => {
    const cache = newCache<number>({ l0 });
    cache.set("a", 1, { tags: ["red", "round"] });
    cache.set("b", 2, { tags: ["red"] });
    cache.set("c", 3);
    await cache.getOrLoad("d", async () => 4, { tags: ["round"] });
    await cache.getOrLoad("e", async (_key, context) => {
      context.tags("green");
      return 5;
    });
    for (const key of "abcde") heat(cache, key);
    cache.invalidateTags("round");
    expect(cache.getMany([..."abcde"])).toEqual([undefined, 2, 3, undefined, 5]);
    expect([cache.has("a"), cache.peek("d"), cache.ttl("a")]).toEqual([false, undefined, undefined]);
    cache.invalidateTags("red", "green");
    expect(cache.getMany([..."abcde"])).toEqual([undefined, undefined, 3, undefined, undefined]);
    cache.set("a", 6, { tags: ["red"] });
    expect(cache.get("a")).toBe(6);
  });

  test("a load that began before the invalidation is not read after it", async () => {
    const cache = newCache<number>({ l0 });
    const { loader, call } = controlled<number>();
    const waiting = cache.getOrLoad("key", loader, { tags: ["tag"] });
    cache.invalidateTags("tag");
    call(0).resolve(1);
    expect(await waiting).toBe(1);
    expect(cache.get("key")).toBeUndefined();
  });

  test("thousands of tags on one entry, and tags of all kinds of text", () => {
    const cache = newCache<number>({ l0 });
    const tags = Array.from({ length: 3_000 }, (_, index) => `tag ${index}`);
    cache.set("many", 1, { tags });
    expect(cache.get("many")).toBe(1);
    cache.invalidateTags("tag 2999");
    expect(cache.get("many")).toBeUndefined();
    cache.set("odd", 1, { tags: ["日本", "\u0000", "a:b*c"] });
    expect(cache.get("odd")).toBe(1);
    cache.invalidateTags("\u0000");
    expect(cache.get("odd")).toBeUndefined();
    const tooMany = Array.from({ length: 9_000 }, (_, index) => `tag ${index}`);
    expect(() => cache.set("key", 1, { tags: tooMany })).toThrow(/65,535 bytes/);
    expect(() => cache.set("key", 1, { tags: [""] })).toThrow(/not empty/);
    expect(() => cache.set("key", 1, { tags: "red" as never })).toThrow(/list of texts/);
  });

  test("what loads the key that it depends on is valid afterwards", async () => {
    const cache = newCache<string>({ l0 });
    let loads = 0;
    const page = () =>
      cache.getOrLoad(
        "page",
        async () => {
          loads += 1;
          return `page of ${await cache.getOrLoad("product:9", async () => "kettle", { staleFor: "1m" })}`;
        },
        { dependsOn: ["product:9"] },
      );
    expect(await page()).toBe("page of kettle");
    expect(await page()).toBe("page of kettle");
    expect(cache.touch("product:9")).toBe(true);
    expect(await page()).toBe("page of kettle");
    expect(loads).toBe(1);
    cache.expire("product:9");
    expect(await page()).toBe("page of kettle");
    expect(loads).toBe(2);
  });

  test("what depends on a key goes when that is written or deleted", async () => {
    const cache = newCache<string>({ l0 });
    cache.set("product:9", "kettle");
    const page = () =>
      cache.getOrLoad("page", async () => `page of ${cache.get("product:9")}`, { dependsOn: ["product:9"] });
    expect(await page()).toBe("page of kettle");
    heat(cache, "page");
    cache.set("product:9", "teapot");
    expect(cache.get("page")).toBeUndefined();
    expect(await page()).toBe("page of teapot");
    cache.delete("product:9");
    expect(await page()).toBe("page of undefined");
    cache.set("other", "x");
    expect(cache.get("page")).toBe("page of undefined");
  });
});

test("values with tags come back whole, whatever they are", () => {
  const cache = newCache<unknown>();
  const values = ["text", "日本", "\ud800", "", 0, -0, 1.5, Number.NaN, null, true, 12n, { a: [1, { b: 2 }] }];
  for (const [index, value] of values.entries()) {
    cache.set(`key${index}`, value, { tags: ["tag"] });
    expect(cache.get(`key${index}`)).toEqual(value);
  }
  cache.set("bytes", new Uint8Array([1, 2, 3]), { tags: ["tag"] });
  expect(cache.get("bytes")).toEqual(new Uint8Array([1, 2, 3]));
  cache.set("large", "x".repeat(500_000), { tags: ["tag"] });
  expect(cache.get("large")).toHaveLength(500_000);
});

test("patterns delete what fits, in which only the asterisk is special", () => {
  const cache = newCache<number>();
  const keys = ["user:1:profile", "user:2:profile", "user:1:orders", "user:profile", "user:[1]:profile", "other"];
  for (const key of keys) cache.set(key, 1);
  expect(cache.deletePattern("user:*:profile")).toBe(3);
  expect([...cache.keys()].sort()).toEqual(["other", "user:1:orders", "user:profile"]);
  expect(cache.deletePattern("other")).toBe(1);
  expect(cache.deletePattern("*r*o*")).toBe(2);
  expect(cache.size).toBe(0);
});

test("a versioned flush leaves nothing behind, loads under way included", async () => {
  const cache = newCache<number>();
  cache.set("key", 1);
  const { loader, call } = controlled<number>();
  const waiting = cache.getOrLoad("other", loader);
  cache.bumpVersion();
  call(0).resolve(2);
  expect(await waiting).toBe(2);
  await settle();
  expect([cache.get("key"), cache.get("other")]).toEqual([undefined, undefined]);
});
