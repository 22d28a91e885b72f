// key`…`: whatever a part holds, it stays in its place.
import { describe, expect, test } from "vitest";
import { InvalidArgumentError, key } from "../ts/index.js";
import { newCache, thrownBy } from "./support/caches.js";
import { pick, seeded } from "./support/random.js";

const NASTY = [
  "",
  ":",
  "%",
  "%3A",
  "a",
  "a:b",
  "/",
  "|",
  "=",
  "&",
  "@",
  "*",
  "{",
  " ",
  "\0",
  "ü",
  "\ud800",
  "x%",
  "3A",
];

describe("a key's template", () => {
  test("leaves plain parts as they are and escapes the rest", () => {
    expect(key`user:${42}:profile`).toBe("user:42:profile");
    expect(key`user:${"b4c0-11.x_~"}:${true}:${10n}`).toBe("user:b4c0-11.x_~:true:10");
    expect(key`user:${"1:profile"}:profile`).toBe("user:1%3Aprofile:profile");
    expect(key`${"50% off, ünlü"}`).toBe("50%25%20off%2C%20ünlü");
    expect(key`constant`).toBe("constant");
  });

  test("gives different keys for different parts", () => {
    const random = seeded(1);
    const text = () => Array.from({ length: 3 }, () => pick(random, NASTY)).join("");
    const seen = new Map<string, string>();
    for (let round = 0; round < 20_000; round++) {
      const [a, b, shape] = [text(), text(), pick(random, [0, 1, 2])];
      const made = [key`u:${a}/${b}`, key`u:${a}`, key`u:${a}:profile:${b}`][shape] as string;
      const parts = JSON.stringify(shape === 1 ? [shape, a] : [shape, a, b]);
      expect(seen.get(made) ?? parts).toBe(parts);
      seen.set(made, parts);
    }
  });

  test("gives keys that the cache tells apart, lone surrogates included", () => {
    const cache = newCache<string>();
    for (const text of NASTY) cache.set(key`part:${text}:end`, text);
    for (const text of NASTY) expect(cache.get(key`part:${text}:end`)).toBe(text);
  });

  test.each([[undefined], [null], [{}], [[]], [Number.NaN], [Number.POSITIVE_INFINITY], [Symbol("s")], [() => 1]])(
    "refuses %s as a part",
    (part) => {
      expect(thrownBy(() => key`user:${part as never}`)).toBeInstanceOf(InvalidArgumentError);
    },
  );

  test("refuses templates that leave open where a value ends", () => {
    const open = [
      () => key`${"a"}${"b"}`,
      () => key`${"a"}-${"b"}`,
      () => key`user${"a"}`,
      () => key`${"a"}s`,
      () => key`a%20:${"a"}`,
    ];
    for (const make of open) expect(thrownBy(make).message).toContain("leaves open where a value ends");
    // A mistake is told again, not only the first time.
    for (const make of open) expect(thrownBy(make)).toBeInstanceOf(InvalidArgumentError);
  });
});
