// No caller can change what another reads: plain data is frozen and shared, everything else each reader's own.
import { describe, expect, test } from "vitest";
import { heat, hitsInL0, newCache, thrownBy } from "./support/caches.js";

interface User {
  name: string;
  tags: string[];
  address: { city: string };
}
const alice = (): User => ({ name: "Alice", tags: ["a"], address: { city: "Hamburg" } });

describe("frozen values", () => {
  test("changing one throws in the caller, at every level, and the cache is unharmed", () => {
    for (const l0 of [false, { maxEntries: 16 }] as const) {
      const cache = newCache<User>({ l0 });
      cache.set("user", alice());
      heat(cache, "user");
      const user = cache.get("user") as User;
      expect(() => (user.name = "Mallory")).toThrow(TypeError);
      expect(() => user.tags.push("evil")).toThrow(TypeError);
      expect(() => (user.address.city = "X")).toThrow(TypeError);
      expect(() => Reflect.deleteProperty(user, "name") || thrownBy(() => {})).toThrow();
      expect(cache.get("user")).toEqual(alice());
    }
  });

  test("readers share one object once it is in L0", () => {
    const cache = newCache<User>();
    cache.set("user", alice());
    heat(cache, "user");
    expect(hitsInL0(cache, () => expect(cache.get("user")).toBe(cache.get("user")))).toBe(2);
  });

  test("the object that was set stays its owner's: not frozen, and later changes don't reach the cache", () => {
    const cache = newCache<User>();
    const user = alice();
    cache.set("user", user);
    user.name = "Bob";
    user.tags.push("b");
    expect(cache.get("user")).toEqual(alice());
  });
});

describe("values that can't be frozen", () => {
  const MADE: [string, () => unknown, (value: never) => void][] = [
    ["a Map", () => new Map([["k", 1]]), (map: Map<string, number>) => map.set("k", 2)],
    ["a Set", () => new Set([1]), (set: Set<number>) => set.clear()],
    ["a Date", () => new Date(1), (date: Date) => date.setTime(2)],
    ["bytes", () => Uint8Array.of(1, 2), (bytes: Uint8Array) => bytes.fill(9)],
    ["a Buffer", () => Buffer.from("abc"), (buffer: Buffer) => buffer.fill(9)],
    ["numbers", () => Float64Array.of(1), (numbers: Float64Array) => numbers.fill(9)],
    ["a Date in an object", () => ({ at: new Date(1) }), (value: { at: Date }) => value.at.setTime(2)],
    ["an object in a Map", () => new Map([["k", { a: 1 }]]), (map: Map<string, unknown>) => map.delete("k")],
  ];

  test.each(MADE)("%s: each reader has its own", (_, make, change) => {
    const cache = newCache<unknown>();
    cache.set("key", make());
    heat(cache, "key");
    const read = cache.get("key");
    expect(read).not.toBe(cache.get("key"));
    change(read as never);
    expect(cache.get("key")).toEqual(make());
    expect(cache.stats().l0.entries).toBe(0);
  });

  test("their plain parts are frozen all the same", () => {
    const cache = newCache<{ at: Date; tags: string[] }>();
    cache.set("key", { at: new Date(1), tags: ["a"] });
    const read = cache.get("key");
    expect(Object.isFrozen(read)).toBe(true);
    expect(Object.isFrozen(read?.tags)).toBe(true);
  });

  test("bytes that are changed after set don't reach the cache", () => {
    const cache = newCache<Uint8Array>();
    const bytes = Uint8Array.of(1, 2);
    cache.set("key", bytes);
    bytes.fill(9);
    expect(cache.get("key")).toEqual(Uint8Array.of(1, 2));
  });

  test("bytes that were read have memory of their own", () => {
    const cache = newCache<Uint8Array>();
    cache.set("key", Uint8Array.of(1, 2, 3));
    const first = cache.get("key") as Uint8Array;
    cache.get("key");
    expect(first).toEqual(Uint8Array.of(1, 2, 3));
    expect(first.buffer.byteLength).toBe(3);
  });
});

describe("copies", () => {
  test("each read is a fresh, mutable object", () => {
    const cache = newCache<User>({ values: "copy" });
    cache.set("user", alice());
    heat(cache, "user");
    const user = cache.get("user") as User;
    user.name = "Mallory";
    user.tags.push("evil");
    expect(cache.get("user")).toEqual(alice());
    expect(cache.stats().l0.entries).toBe(0);
  });

  test("what can't change anyway is shared from L0 in this mode too", () => {
    const cache = newCache<unknown>({ values: "copy" });
    for (const [key, value] of Object.entries({ text: "x", number: 1, flag: false, big: 5n, nothing: null })) {
      cache.set(key, value);
      heat(cache, key);
      expect(hitsInL0(cache, () => expect(cache.get(key)).toBe(value))).toBe(1);
    }
  });
});
