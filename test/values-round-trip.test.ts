// Every value that can be cached comes back deep-equal, prototypes included, from the shared store and from L0 alike.
import { isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "vitest";
import { heat, newCache } from "./support/caches.js";

const sparse = (): unknown[] => {
  const array: unknown[] = [1, 2];
  array.length = 4;
  array[5] = undefined;
  return array;
};
const bare = (): object => Object.assign(Object.create(null) as object, { a: 1, b: { c: 2 } });
const protoKey = (): unknown => JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1, "toString": "x"}');

const VALUES: [name: string, value: unknown][] = [
  ["empty text", ""],
  ["ASCII text", "hello"],
  ["Latin-1 text", "Grüße, señor ÿ"],
  ["text beyond Latin-1", "日本語 😀 Ελλάδα"],
  ["text with lone surrogates", "a\ud800b\udc00c"],
  ["text with U+FFFD", "\ufffd \ufffd"],
  ["text with NUL", "a\0b"],
  ["long text", "ä".repeat(100_000)],
  ["text that looks like a number", "42"],
  ["zero", 0],
  ["minus zero", -0],
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  ["an integer", 42],
  ["a negative integer", -1_234_567],
  ["the largest safe integer", Number.MAX_SAFE_INTEGER],
  ["the smallest safe integer", Number.MIN_SAFE_INTEGER],
  ["an unsafe integer", 2 ** 60],
  ["a fraction", 0.1],
  ["the smallest number", Number.MIN_VALUE],
  ["the largest number", Number.MAX_VALUE],
  ["true", true],
  ["false", false],
  ["null", null],
  ["bigint zero", 0n],
  ["a negative bigint", -5n],
  ["a bigint of 64 bits", 2n ** 63n - 1n],
  ["a huge bigint", -(7n ** 500n)],
  ["no bytes", new Uint8Array(0)],
  ["bytes", Uint8Array.of(0, 1, 255)],
  ["many bytes", new Uint8Array(10_000).fill(7)],
  ["a Buffer", Buffer.from("hello")],
  ["a view in the middle of memory", new Uint8Array(Uint8Array.of(1, 2, 3, 4, 5).buffer, 1, 3)],
  ["shared bytes", new Uint8Array(new SharedArrayBuffer(4)).fill(9)],
  ["a Date", new Date(1_700_000_000_123)],
  [
    "a Map",
    new Map<unknown, unknown>([
      ["a", 1],
      [{ k: 1 }, new Map([[1, undefined]])],
      [Number.NaN, null],
    ]),
  ],
  ["a Set", new Set<unknown>([1, "1", { a: 1 }, new Set([2n])])],
  ["an ArrayBuffer", Uint8Array.of(1, 2, 3).buffer],
  ["a DataView", new DataView(Uint8Array.of(1, 2, 3, 4).buffer, 1, 2)],
  ["Int8Array", Int8Array.of(-1, 2)],
  ["Uint8ClampedArray", Uint8ClampedArray.of(1, 2)],
  ["Int16Array", Int16Array.of(-300, 300)],
  ["Uint16Array", Uint16Array.of(65_535)],
  ["Int32Array", Int32Array.of(-1)],
  ["Uint32Array", Uint32Array.of(2 ** 32 - 1)],
  ["Float32Array", Float32Array.of(1.5, Number.NaN)],
  ["Float64Array", Float64Array.of(-0, 0.1)],
  ["BigInt64Array", BigInt64Array.of(-1n)],
  ["BigUint64Array", BigUint64Array.of(2n ** 64n - 1n)],
  ["an empty object", {}],
  ["an empty array", []],
  ["an object", { id: 1, name: "Alice", tags: ["a", "b"], nested: { deep: { deeper: null } } }],
  [
    "numbers in an object",
    [0, -0, 1, 127, 128, -128, -129, 32_767, 32_768, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 0.5, Number.NaN],
  ],
  ["text of all lengths in an object", [0, 1, 63, 64, 255, 256, 70_000].map((length) => "x".repeat(length))],
  ["text of all kinds in an object", { a: "ascii", b: "Grüße", c: "日本", d: "\ud800", "\udc00": "key", e: "😀" }],
  ["undefined in a property", { a: undefined, b: 1 }],
  ["undefined in an array", [undefined, 1, undefined]],
  ["a sparse array", sparse()],
  ["an array of 300", Array.from({ length: 300 }, (_, i) => i)],
  ["bigints in an object", [0n, -1n, 2n ** 63n, -(2n ** 63n), -(2n ** 63n) - 1n, 10n ** 40n]],
  [
    "everything nested",
    {
      d: new Date(5),
      m: new Map([["k", [1]]]),
      s: new Set([Buffer.from("b")]),
      b: Uint8Array.of(1),
      f: Float64Array.of(2),
    },
  ],
  ["an object without prototype", bare()],
  ["keys of Object.prototype", protoKey()],
  ["keys that are numbers", { 1: "a", 0: "b", x: "c" }],
  ["a dictionary", Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`key ${i}`, i]))],
  ["an empty key", { "": 1, 'quo"te\\': 2, "line\u2028": 3 }],
];

describe.each(VALUES)("%s", (_, value) => {
  test("comes back deep-equal from the store", () => {
    const cache = newCache({ l0: false });
    cache.set("key", value);
    expect(isDeepStrictEqual(cache.get("key"), value)).toBe(true);
    expect(isDeepStrictEqual(cache.peek("key"), value)).toBe(true);
  });

  test("comes back deep-equal from L0, in copy mode, and inside of an object", () => {
    const frozen = newCache();
    frozen.set("key", value);
    heat(frozen, "key");
    expect(isDeepStrictEqual(frozen.get("key"), value)).toBe(true);
    const copy = newCache({ values: "copy" });
    copy.set("key", { value, values: [value] });
    heat(copy, "key");
    expect(isDeepStrictEqual(copy.get("key"), { value, values: [value] })).toBe(true);
  });
});

test("an invalid Date stays one", () => {
  // By itself: Node 20 finds no two invalid dates equal.
  const cache = newCache<{ date: Date }>();
  cache.set("key", { date: new Date(Number.NaN) });
  const date = cache.get("key")?.date;
  expect(date).toBeInstanceOf(Date);
  expect(date?.getTime()).toBeNaN();
});

test("an object of a shape that is met often comes back the same after it is compiled", () => {
  const cache = newCache({ l0: false });
  for (let i = 0; i < 100; i++) {
    const value = Object.assign(protoKey() as object, { i, text: `t${i}`, 'a"b': null, nested: { i } });
    cache.set("key", value);
    expect(isDeepStrictEqual(cache.get("key"), value)).toBe(true);
  }
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
});

test("circular and shared references come back as such", () => {
  const cache = newCache<Record<string, unknown>>({ l0: false });
  const shared = { s: 1 };
  const value: Record<string, unknown> = { a: shared, b: [shared, shared], map: new Map([["x", shared]]) };
  value["self"] = value;
  (value["b"] as unknown[]).push(value["b"]);
  for (let i = 0; i < 50; i++) {
    cache.set("key", value);
    const back = cache.get("key") as Record<string, unknown>;
    expect(back["self"]).toBe(back);
    const b = back["b"] as unknown[];
    expect(b[0]).toBe(back["a"]);
    expect(b[1]).toBe(back["a"]);
    expect(b[2]).toBe(b);
    expect((back["map"] as Map<string, unknown>).get("x")).toBe(back["a"]);
    expect(Object.isFrozen(back) && Object.isFrozen(b)).toBe(true);
  }
});

test("among many objects, a repeated one is still the same", () => {
  const cache = newCache<object[]>();
  const objects = Array.from({ length: 100 }, (_, i) => ({ i }));
  cache.set("key", [...objects, ...objects]);
  const back = cache.get("key") as object[];
  for (let i = 0; i < 100; i++) {
    expect(back[i]).toBe(back[i + 100]);
    expect(back[i]).toEqual({ i });
  }
});

test("a getter is read once and its value stored; other code may use the cache meanwhile", () => {
  const cache = newCache<unknown>();
  const value = {
    before: "before",
    get inner() {
      cache.set("inner", { text: "innermost", list: [1, 2, 3] });
      return (cache.get("inner") as { text: string }).text;
    },
    after: "after",
  };
  cache.set("key", value);
  expect(cache.get("key")).toEqual({ before: "before", inner: "innermost", after: "after" });
});

test("values larger than the scratch memory come back, and so do small ones after them", () => {
  const cache = newCache<unknown>({ maxMemory: "64mb", maxValueSize: "8mb" });
  const large = [Buffer.alloc(3_000_000, "x"), { text: "y".repeat(2_000_000) }, new Uint8Array(200_000).fill(3)];
  for (const value of large) {
    cache.set("large", value);
    expect(isDeepStrictEqual(cache.get("large"), value)).toBe(true);
    cache.set("small", { a: 1 });
    expect(cache.get("small")).toEqual({ a: 1 });
  }
});
