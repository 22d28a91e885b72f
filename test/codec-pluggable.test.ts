// A codec of the user's sees objects only, gets bytes of its own, and what it returns is kept from harm as far as can be.
import { describe, expect, test } from "vitest";
import type { Codec } from "../ts/index.js";
import { heat, hitsInL0, newCache, thrownBy } from "./support/caches.js";

const json: Codec = {
  encode: (value) => Buffer.from(JSON.stringify(value)),
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
};

describe("a codec", () => {
  test("encodes objects; other values have their own representation", () => {
    const seen: unknown[] = [];
    const codec: Codec = {
      encode(value) {
        seen.push(value);
        return json.encode(value);
      },
      decode: json.decode,
    };
    const cache = newCache<unknown>({ codec });
    const plain = ["text", 5, -0, true, null, 5n, Uint8Array.of(1), Buffer.from("b")];
    plain.forEach((value, i) => {
      cache.set(`${i}`, value);
      expect(cache.get(`${i}`)).toEqual(value);
    });
    expect(seen).toEqual([]);
    cache.set("object", { a: [1] });
    expect(cache.get("object")).toEqual({ a: [1] });
    expect(seen).toEqual([{ a: [1] }]);
  });

  test("results are frozen and shared when they are plain data", () => {
    const cache = newCache<{ a: number[] }>({ codec: json });
    cache.set("key", { a: [1] });
    heat(cache, "key");
    expect(Object.isFrozen(cache.get("key")?.a)).toBe(true);
    expect(hitsInL0(cache, () => cache.get("key"))).toBe(1);
  });

  test("results that can't be frozen are decoded for each reader", () => {
    class Point {
      constructor(public x: number) {}
    }
    const codec: Codec = {
      encode: (value) =>
        Float64Array.of((value as Point).x) && new Uint8Array(Float64Array.of((value as Point).x).buffer),
      decode: (bytes) => new Point(new Float64Array(bytes.buffer, bytes.byteOffset, 1)[0] ?? 0),
    };
    const cache = newCache<Point>({ codec });
    cache.set("key", new Point(5));
    heat(cache, "key");
    const point = cache.get("key") as Point;
    expect(point).toBeInstanceOf(Point);
    point.x = 9;
    expect(cache.get("key")?.x).toBe(5);
    expect(cache.stats().l0.entries).toBe(0);
  });

  test("may keep the bytes it is given", () => {
    const kept: Uint8Array[] = [];
    const codec: Codec = { encode: () => Uint8Array.of(1, 2, 3), decode: (bytes) => ({ n: kept.push(bytes) }) };
    const cache = newCache<object>({ codec, l0: false });
    cache.set("key", {});
    cache.get("key");
    cache.set("other", Uint8Array.of(9, 9, 9));
    cache.get("other");
    expect(kept).toEqual([Uint8Array.of(1, 2, 3)]);
  });

  test("may call the cache while it encodes and decodes, and L0 takes in nothing that is out of date", () => {
    const codec: Codec = {
      encode: json.encode,
      decode(bytes) {
        cache.set("key", { version: 2 });
        cache.get("other");
        return json.decode(bytes);
      },
    };
    const cache = newCache<unknown>({ codec });
    cache.set("key", { version: 1 });
    for (let i = 0; i < 10; i++) cache.get("key");
    codec.decode = json.decode;
    expect(cache.get("key")).toEqual({ version: 2 });
  });

  test("that throws fails the call with its own error; one that returns no bytes is told so", () => {
    const broken: Codec = {
      encode: () => {
        throw new Error("can't encode");
      },
      decode: () => {
        throw new Error("can't decode");
      },
    };
    const cache = newCache<object>({ codec: broken });
    expect(() => cache.set("key", {})).toThrow("can't encode");
    broken.encode = () => Uint8Array.of(1);
    cache.set("key", {});
    expect(() => cache.get("key")).toThrow("can't decode");
    broken.encode = () => "text" as never;
    expect(thrownBy(() => cache.set("key", {}))).toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
  });
});
