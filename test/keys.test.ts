// Any string is a key of its own, nothing else is a key, and no key reaches into objects.
import { describe, expect, test } from "vitest";
import { InvalidKeyError } from "../ts/index.js";
import { heat, newCache, thrownBy } from "./support/caches.js";

const KEYS = [
  "",
  " ",
  "a",
  "A",
  "a\0",
  "a\0b",
  "é",
  "e\u0301",
  "日本語",
  "😀",
  "\ud83d",
  "\ude00",
  "\ude00\ud83d",
  "\ufffd",
  "\ufffd\ufffd",
  "\ud800",
  "\udfff",
  "x\ud800",
  "x\udfff",
  "x\ufffd",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "0",
  "-0",
  "k".repeat(65_535),
];

describe("different strings", () => {
  test.each([false, { maxEntries: 64 }] as const)("never address the same entry (l0: %s)", (l0) => {
    const cache = newCache<number>({ l0 });
    KEYS.forEach((key, index) => {
      expect(cache.has(key)).toBe(false);
      cache.set(key, index);
    });
    for (let round = 0; round < 8; round++) {
      for (const [index, key] of KEYS.entries()) expect(cache.get(key)).toBe(index);
    }
    expect(cache.size).toBe(KEYS.length);
    expect([...cache.keys()].sort()).toEqual([...KEYS].sort());
    expect(new Map(cache.entries())).toEqual(new Map(KEYS.map((key, index) => [key, index])));
  });

  test("are told apart when one of them is overwritten or deleted while in L0", () => {
    const cache = newCache<number>();
    cache.setMany(KEYS.map((key, index) => [key, index]));
    for (const key of KEYS) heat(cache, key);
    for (const [index, key] of KEYS.entries()) {
      if (index % 3 === 0) cache.set(key, -1);
      if (index % 3 === 1) expect(cache.delete(key)).toBe(true);
    }
    for (const [index, key] of KEYS.entries()) expect(cache.get(key)).toBe([-1, undefined, index][index % 3]);
  });

  test("a key built from parts is the same key", () => {
    const cache = newCache<number>();
    cache.set("user:12345678901234567890", 1);
    for (let i = 0; i < 20; i++) {
      expect(cache.get(["user", "12345678901234567890"].join(":"))).toBe(1);
      expect(cache.get(`user:${"1234567890"}${"1234567890"}`)).toBe(1);
    }
  });
});

describe("keys that are none", () => {
  const METHODS: [string, (key: never) => unknown][] = [];
  const cache = () => newCache<number>();
  METHODS.push(["get", (key) => cache().get(key)]);
  METHODS.push(["set", (key) => cache().set(key, 1)]);
  METHODS.push(["has", (key) => cache().has(key)]);
  METHODS.push(["delete", (key) => cache().delete(key)]);
  METHODS.push(["peek", (key) => cache().peek(key)]);
  METHODS.push(["ttl", (key) => cache().ttl(key)]);
  METHODS.push(["touch", (key) => cache().touch(key)]);
  METHODS.push(["getMany", (key) => cache().getMany([key])]);
  METHODS.push(["setMany", (key) => cache().setMany([[key, 1]])]);
  METHODS.push(["deleteMany", (key) => cache().deleteMany([key])]);

  test.each(METHODS)("%s refuses what is no string", (_, call) => {
    for (const key of [undefined, null, 1, Number.NaN, 1n, true, {}, [], ["a"], Symbol("x"), () => "a", Object("a")]) {
      const error = thrownBy(() => call(key as never));
      expect(error).toBeInstanceOf(InvalidKeyError);
      expect(error).toMatchObject({ code: "ERR_KEY_NOT_STRING" });
      expect(error.message).toMatch(/must be a string; it is (undefined|null|1|NaN|1n|true|an object|an array|a \w+)$/);
    }
  });

  test.each(METHODS)("%s refuses a key that is too long, counted in bytes", (_, call) => {
    for (const key of ["k".repeat(65_536), "é".repeat(32_768), "k".repeat(1_000_000)]) {
      const error = thrownBy(() => call(key as never));
      expect(error).toBeInstanceOf(InvalidKeyError);
      expect(error).toMatchObject({ code: "ERR_KEY_TOO_LONG", max: 65_535 });
    }
  });

  test("getOrLoad rejects, without calling the loader", async () => {
    let calls = 0;
    const load = cache().getOrLoad(1 as never, () => ++calls);
    await expect(load).rejects.toMatchObject({ code: "ERR_KEY_NOT_STRING" });
    expect(calls).toBe(0);
  });
});

test("prototype-polluting keys and values pollute nothing", () => {
  const cache = newCache<unknown>();
  const value = JSON.parse(
    '{"__proto__": {"isAdmin": true}, "a": {"constructor": {"prototype": {"isAdmin": true}}}}',
  ) as object;
  for (let i = 0; i < 100; i++) {
    cache.set("__proto__", value);
    const back = cache.get("__proto__") as object;
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect(Object.hasOwn(back, "__proto__")).toBe(true);
    expect(JSON.stringify(back)).toBe(JSON.stringify(value));
  }
  expect("isAdmin" in {}).toBe(false);
});
