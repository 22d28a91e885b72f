// A value that could not come back as it was is refused with ERR_VALUE_NOT_CACHEABLE and the path to the culprit,
// and what the key held before stays.
import { describe, expect, test } from "vitest";
import { ValueNotCacheableError, ValueTooLargeError } from "../ts/index.js";
import { newCache, thrownBy } from "./support/caches.js";

class User {
  name = "Alice";
}
class List extends Array<number> {}

const withExtra = (array: unknown[]): unknown => Object.assign(array, { index: 3 });
const hidden = (): object => Object.defineProperty({ a: 1 }, "secret", { value: 1, enumerable: false });
const transferred = (): ArrayBuffer => {
  const buffer = new ArrayBuffer(8);
  structuredClone(buffer, { transfer: [buffer] });
  return buffer;
};
const bytesTransferred = (): Uint8Array => {
  const bytes = new Uint8Array(8);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
};
const nested = (levels: number): unknown => (levels === 0 ? 1 : { next: nested(levels - 1) });

const REFUSED: [name: string, value: unknown, path: string, reason: RegExp][] = [
  ["a function", () => 1, "value", /is a function/],
  ["a symbol", Symbol("x"), "value", /is a symbol/],
  ["a function deep inside", { session: { socket: () => 1 } }, "value.session.socket", /is a function/],
  ["a function in an array", { list: [1, [2, () => 3]] }, "value.list[1][1]", /is a function/],
  ["a symbol under an odd key", { "a b": Symbol("x") }, 'value["a b"]', /is a symbol/],
  ["a function in a Map", new Map([["k", () => 1]]), 'value.<value of "k">', /is a function/],
  ["a function as key of a Map", new Map([[() => 1, 1]]), "value.<key a function>", /is a function/],
  ["a function in a Set", { s: new Set([() => 1]) }, "value.s.<element a function>", /is a function/],
  ["a class instance", new User(), "value", /instance of a class \(User\)/],
  ["a class instance inside", { user: new User() }, "value.user", /instance of a class \(User\)/],
  ["a subclass of Array", { list: List.of(1) }, "value.list", /instance of a class \(List\)/],
  ["a subclass of Map", new (class Registry extends Map {})(), "value", /instance of a class \(Registry\)/],
  ["a subclass of Uint8Array", new (class Bytes extends Uint8Array {})(2), "value", /instance of a class \(Bytes\)/],
  ["an Error", new Error("x"), "value", /instance of a class \(Error\)/],
  ["a RegExp", { r: /x/g }, "value.r", /instance of a class \(RegExp\)/],
  ["a Promise", Promise.resolve(1), "value", /instance of a class \(Promise\)/],
  ["a WeakMap", new WeakMap(), "value", /instance of a class \(WeakMap\)/],
  ["a URL", { url: new URL("http://localhost") }, "value.url", /instance of a class \(URL\)/],
  ["a boxed number", { n: Object(1) }, "value.n", /instance of a class \(Number\)/],
  ["a fake Date", Object.create(Date.prototype), "value", /instance of a class \(Date\)/],
  ["an object with a prototype of its own", Object.create({ inherited: 1 }), "value", /instance of a class/],
  ["a symbol key", { o: { [Symbol("tag")]: 1 } }, "value.o", /symbol key Symbol\(tag\)/],
  ["a symbol key on an array", Object.assign([1], { [Symbol("tag")]: 1 }), "value", /symbol key Symbol\(tag\)/],
  ["a property that is not enumerable", hidden(), "value", /"secret", which is not enumerable/],
  ["an array with a named property", { match: withExtra(["a"]) }, "value.match", /property "index" beside/],
  ["a sparse array with a named property", withExtra(new Array(3)), "value", /property "index" beside/],
  ["a long array with a named property", withExtra(new Array(500).fill(1)), "value", /property "index" beside/],
  ["a Date with a property", Object.assign(new Date(), { zone: "UTC" }), "value", /property "zone"/],
  ["a Map with a property", { m: Object.assign(new Map(), { x: 1 }) }, "value.m", /property "x"/],
  ["bytes with a property", Object.assign(Uint8Array.of(1), { x: 1 }), "value", /named properties/],
  ["a buffer that was transferred", { a: [transferred()] }, "value.a[0]", /transferred to somebody else/],
  ["bytes that were transferred", bytesTransferred(), "value", /transferred to somebody else/],
  ["bytes inside that were transferred", { b: bytesTransferred() }, "value.b", /transferred to somebody else/],
  [
    "arguments",
    (function (..._: unknown[]) {
      // biome-ignore lint/complexity/noArguments: that is what it is about.
      return arguments;
    })(1),
    "value",
    /not enumerable|symbol key/,
  ],
  ["too many levels", nested(501), `value${".next".repeat(500)}`, /deeper than 500/],
];

describe.each(REFUSED)("%s", (_, value, path, reason) => {
  test("is refused with its path, and the entry that was there stays", () => {
    const cache = newCache<unknown>();
    cache.set("key", "before");
    const error = thrownBy(() => cache.set("key", value));
    expect(error).toBeInstanceOf(ValueNotCacheableError);
    expect(error).toMatchObject({ code: "ERR_VALUE_NOT_CACHEABLE", name: "ValueNotCacheableError", path });
    expect(error.message).toMatch(reason);
    expect(error.message.startsWith(path)).toBe(true);
    expect(cache.get("key")).toBe("before");
  });
});

test("undefined says that it can't be cached and what to do instead", () => {
  const cache = newCache<unknown>();
  const error = thrownBy(() => cache.set("key", undefined));
  expect(error).toMatchObject({ code: "ERR_VALUE_NOT_CACHEABLE", path: "value" });
  expect(error.message).toMatch(/undefined can't be cached.*null/);
});

test("500 levels are taken and come back", () => {
  const cache = newCache<unknown>();
  cache.set("key", nested(500));
  expect(JSON.stringify(cache.get("key"))).toBe(JSON.stringify(nested(500)));
});

test("a value over the limit is refused whatever its kind, with the limit", () => {
  const cache = newCache<unknown>({ maxValueSize: 10_000 });
  const large = ["x".repeat(10_001), Buffer.alloc(10_001), { text: "x".repeat(10_001) }, new Array(10_001).fill(1)];
  for (const value of [...large, new Array(2 ** 31), 10n ** 10_001n]) {
    cache.set("key", "before");
    const error = thrownBy(() => cache.set("key", value));
    expect(error).toBeInstanceOf(ValueTooLargeError);
    expect(error).toMatchObject({ code: "ERR_VALUE_TOO_LARGE", max: 10_000 });
    expect(error["length"]).toBeGreaterThan(10_000);
    expect(cache.get("key")).toBe("before");
  }
  cache.set("key", "x".repeat(10_000));
  expect(cache.get("key")).toHaveLength(10_000);
});

test("encoding goes on as before after a value was refused half-way", () => {
  const cache = newCache<unknown>({ l0: false });
  const good = { text: "日本", list: [{ a: 1 }, { a: 2 }] };
  for (let i = 0; i < 50; i++) {
    expect(() => cache.set("bad", { ...good, list: [{ a: 1 }, { a: () => 1 }] })).toThrow(/value\.list\[1\]\.a/);
    cache.set("good", good);
    expect(cache.get("good")).toEqual(good);
  }
});
