// Random values, thousands of them from a seeded generator: what `set` takes comes back deep-equal in both modes.
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { newCache } from "./support/caches.js";

/** mulberry32: small, seeded, good enough. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

type Random = (below: number) => number;

const TEXTS = ["", "a", "hello", "é", "日本", "\ud800", "😀", "x".repeat(64), "x".repeat(300), "__proto__", "0"];

function primitive(r: Random): unknown {
  const made = [
    () => r(300),
    () => r(2 ** 31) - 2 ** 30,
    () => r(1000) / 7,
    () => -0,
    () => Number.NaN,
    () => null,
    () => undefined,
    () => r(2) === 0,
    () => BigInt(r(1000)) ** BigInt(r(30)) * (r(2) === 0 ? 1n : -1n),
    () => TEXTS[r(TEXTS.length)],
    () => String.fromCharCode(...Array.from({ length: r(20) }, () => r(65_536))),
  ];
  return made[r(made.length)]?.();
}

function build(r: Random, depth: number, known: object[]): unknown {
  if (depth === 0 || r(3) === 0) {
    return r(8) === 0 && known.length > 0 ? known[r(known.length)] : primitive(r);
  }
  const child = (): unknown => build(r, depth - 1, known);
  const times = Array.from({ length: r(6) });
  const remember = <O extends object>(object: O): O => {
    known.push(object);
    return object;
  };
  switch (r(8)) {
    case 0:
      return remember(times.map(child));
    case 1: {
      const array = remember(new Array<unknown>(r(6)));
      if (array.length > 0) array[r(array.length)] = child();
      return array;
    }
    case 2:
      return remember(new Map(times.map(() => [child(), child()])));
    case 3:
      return remember(new Set(times.map(child)));
    case 4:
      return remember(r(2) === 0 ? new Date(r(2 ** 31)) : Buffer.from(TEXTS[r(TEXTS.length)] as string));
    default: {
      const object = remember(r(9) === 0 ? (Object.create(null) as object) : {});
      times.forEach((_, i) => {
        const key = r(5) === 0 ? (TEXTS[r(TEXTS.length)] as string) : `field${i}`;
        Object.defineProperty(object, key, { value: child(), enumerable: true, writable: true, configurable: true });
      });
      return object;
    }
  }
}

test.each(["frozen", "copy"] as const)("5,000 random values come back deep-equal (%s)", (values) => {
  const cache = newCache<unknown>({ values });
  for (let seed = 1; seed <= 5_000; seed++) {
    const value = build(random(seed), 5, []);
    if (value !== undefined) {
      cache.set("key", value);
      const back = cache.get("key");
      // Not `expect(back).toEqual`: it would call -0 and holes equal to what they are not.
      expect(isDeepStrictEqual(back, value), `seed ${seed}`).toBe(true);
    }
  }
});
