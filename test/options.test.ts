// Options are checked at construction; each error names the option, the value and what is allowed.
import { totalmem } from "node:os";
import { describe, expect, test } from "vitest";
import { ConfigMismatchError, createCache, InvalidOptionError } from "../ts/index.js";
import { newCache, thrownBy, uniqueName } from "./support/caches.js";

const GOOD = { maxMemory: "16mb", ttl: "1m" };

const BAD: [option: string, options: unknown, message: RegExp][] = [
  ["options", undefined, /options is missing/],
  ["options", null, /options is null/],
  ["options", [], /options is an array/],
  ["maxMemory", { ttl: "1m" }, /maxMemory is missing; allowed: bytes as a number, or text such as/],
  ["maxMemory", { ...GOOD, maxMemory: 0 }, /maxMemory is 0; allowed: .*from .* to/],
  ["maxMemory", { ...GOOD, maxMemory: -1 }, /maxMemory is -1/],
  ["maxMemory", { ...GOOD, maxMemory: Number.NaN }, /maxMemory is NaN/],
  ["maxMemory", { ...GOOD, maxMemory: Number.POSITIVE_INFINITY }, /maxMemory is Infinity/],
  ["maxMemory", { ...GOOD, maxMemory: 1000 }, /maxMemory is 1000; allowed: .*from/],
  ["maxMemory", { ...GOOD, maxMemory: totalmem() * 2 }, /what this machine has/],
  ["maxMemory", { ...GOOD, maxMemory: "16" }, /maxMemory is "16"/],
  ["maxMemory", { ...GOOD, maxMemory: "16 megs" }, /maxMemory is "16 megs"/],
  ["maxMemory", { ...GOOD, maxMemory: "-16mb" }, /maxMemory is "-16mb"/],
  ["maxMemory", { ...GOOD, maxMemory: 16n }, /maxMemory is 16n/],
  ["maxMemory", { ...GOOD, maxMemory: {} }, /maxMemory is an object/],
  ["ttl", { maxMemory: "16mb" }, /ttl is missing; allowed: milliseconds as a number, or text such as/],
  ["ttl", { ...GOOD, ttl: 0 }, /ttl is 0; allowed: .*more than 0/],
  ["ttl", { ...GOOD, ttl: -5 }, /ttl is -5/],
  ["ttl", { ...GOOD, ttl: Number.NaN }, /ttl is NaN/],
  ["ttl", { ...GOOD, ttl: 1e300 }, /ttl is 1e\+300; allowed: .* or Infinity/],
  ["ttl", { ...GOOD, ttl: "10" }, /ttl is "10"/],
  ["ttl", { ...GOOD, ttl: "10 minutes" }, /ttl is "10 minutes"/],
  ["ttl", { ...GOOD, ttl: null }, /ttl is null/],
  ["maxValueSize", { ...GOOD, maxValueSize: 0 }, /maxValueSize is 0/],
  [
    "maxValueSize",
    { ...GOOD, maxValueSize: "17mb" },
    /maxValueSize is "17mb"; allowed: .*less than maxMemory \(16mb\)/,
  ],
  ["maxEntries", { ...GOOD, maxEntries: 0 }, /maxEntries is 0; allowed: a whole number from 1 to 4294967296/],
  ["maxEntries", { ...GOOD, maxEntries: 10.5 }, /maxEntries is 10.5/],
  ["maxEntries", { ...GOOD, maxEntries: 2 ** 33 }, /maxEntries is 8589934592/],
  ["maxEntries", { ...GOOD, maxEntries: "10" }, /maxEntries is "10"/],
  ["objective", { ...GOOD, objective: "hits" }, /objective is "hits"; allowed: "balanced" \(the default\), "objects"/],
  ["objective", { ...GOOD, objective: null }, /objective is null/],
  ["name", { ...GOOD, name: "" }, /name is ""/],
  ["name", { ...GOOD, name: 5 }, /name is 5/],
  ["name", { ...GOOD, name: "a\ud800" }, /name is "a\\ud800"/],
  ["name", { ...GOOD, name: "x".repeat(256) }, /name is "x+…"; allowed: text of 1 to 255/],
  ["values", { ...GOOD, values: "shared" }, /values is "shared"; allowed: "frozen" or "copy"/],
  ["l0", { ...GOOD, l0: true }, /l0 is true; .*false for no L0/],
  ["l0.maxEntries", { ...GOOD, l0: { maxEntries: 0 } }, /l0.maxEntries is 0; .*l0: false/],
  ["l0.maxEntries", { ...GOOD, l0: { maxEntries: 1.5 } }, /l0.maxEntries is 1.5/],
  ["l0.maxEntries", { ...GOOD, l0: { maxEntries: "9" } }, /l0.maxEntries is "9"/],
  ["l0.max", { ...GOOD, l0: { max: 5 } }, /no option "l0.max"; there are l0.maxEntries/],
  ["codec", { ...GOOD, codec: "json" }, /codec is "json"/],
  ["codec", { ...GOOD, codec: { encode: () => new Uint8Array() } }, /codec is an object; allowed: .*encode and decode/],
  ["max", { ...GOOD, max: 100 }, /no option "max"; there are name, maxMemory, ttl/],
  ["maxmemory", { ...GOOD, maxmemory: 100 }, /no option "maxmemory"/],
];

test.each(BAD)("%s: %o", (option, options, message) => {
  const error = thrownBy(() => createCache(options as never));
  expect(error).toBeInstanceOf(InvalidOptionError);
  expect(error).toMatchObject({ code: "ERR_INVALID_OPTION", option });
  expect(error.message).toMatch(message);
});

test("sizes and durations may be numbers or text", () => {
  expect(newCache({ maxMemory: 16 * 1024 * 1024 }).stats().memory.max).toBe(16 * 1024 * 1024);
  expect(newCache({ maxMemory: "16 MB" }).stats().memory.max).toBe(16 * 1024 * 1024);
  const forever = newCache({ ttl: Number.POSITIVE_INFINITY });
  forever.set("key", 1);
  expect(forever.ttl("key")).toBe(Number.POSITIVE_INFINITY);
});

describe("a name", () => {
  test("attaches to the same store", () => {
    const name = uniqueName();
    const first = newCache<string>({ name });
    const second = newCache<string>({ name, l0: false, values: "copy" });
    first.set("key", "value");
    expect(second.get("key")).toBe("value");
  });

  test("with other options is an error that says which differs", () => {
    const name = uniqueName();
    newCache({ name });
    const codec = { encode: () => new Uint8Array(), decode: () => 1 };
    const others = {
      maxMemory: "32mb",
      ttl: "2m",
      maxValueSize: "1mb",
      maxEntries: 5,
      objective: "bytes",
      codec,
    } as const;
    for (const [option, value] of Object.entries(others)) {
      const error = thrownBy(() => newCache({ name, [option]: value }));
      expect(error).toBeInstanceOf(ConfigMismatchError);
      expect(error).toMatchObject({ code: "ERR_CONFIG_MISMATCH" });
      expect(error.message).toContain(option);
    }
  });

  test("is free again when its last handle is closed", () => {
    const name = uniqueName();
    const first = newCache<number>({ name });
    const second = newCache<number>({ name });
    first.set("key", 1);
    first.close();
    expect(second.get("key")).toBe(1);
    second.close();
    expect(newCache<number>({ name, maxMemory: "32mb" }).get("key")).toBeUndefined();
  });

  test("caches without one are strangers", () => {
    const first = newCache<number>();
    first.set("key", 1);
    expect(newCache<number>().get("key")).toBeUndefined();
  });
});
