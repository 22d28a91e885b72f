// Budgets of a few KiB and of more than there is: refused by an error that names the limit and the way out; what it
// names works.
import { totalmem } from "node:os";
import { describe, expect, test } from "vitest";
import { createCache, InvalidOptionError } from "../ts/index.js";
import { newCache, thrownBy } from "./support/caches.js";

const SMALLEST = 64 * 1024;

test.each([0, 1, 1024, "4kb", "63kb", SMALLEST - 1])("a budget of %s is too small", (maxMemory) => {
  const error = thrownBy(() => createCache({ maxMemory, ttl: "1m" } as never));
  expect(error).toBeInstanceOf(InvalidOptionError);
  expect(error).toMatchObject({ code: "ERR_INVALID_OPTION", option: "maxMemory", value: maxMemory });
  expect(error.message).toContain("from 64kb to");
});

test("the smallest budget keeps what was written last, and stays within itself", () => {
  const cache = newCache<string>({ maxMemory: SMALLEST, l0: false });
  for (let n = 0; n < 5_000; n++) {
    cache.set(`key:${n}`, `value ${n}`);
    expect(cache.get(`key:${n}`)).toBe(`value ${n}`);
  }
  const { memory, evictions } = cache.stats();
  expect(memory.used).toBeLessThanOrEqual(SMALLEST);
  expect(evictions).toBeGreaterThan(0);
});

describe("more than there is", () => {
  test.each([totalmem() * 2, 2 ** 53, Number.MAX_VALUE, "33tb"])("as %s", (maxMemory) => {
    const error = thrownBy(() => createCache({ maxMemory, ttl: "1m" } as never));
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error).toMatchObject({ code: "ERR_INVALID_OPTION", option: "maxMemory" });
    expect(error.message).toMatch(/to [\d.]+[gm]b, .*(choose less|use several)/);
  });

  test("values that the budget can't hold are refused with the largest that it can", () => {
    const error = thrownBy(() => newCache({ maxMemory: "1mb", maxValueSize: "1mb" }));
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error).toMatchObject({ code: "ERR_INVALID_OPTION", option: "maxValueSize" });
    const largest = Number(
      /maxValueSize is 1048576 bytes; with this maxMemory it must be 1 to (\d+)/.exec(error.message)?.[1],
    );
    expect(largest).toBeGreaterThan(100_000);
    const cache = newCache<Uint8Array>({ maxMemory: "1mb", maxValueSize: largest });
    for (let n = 0; n < 20; n++) {
      cache.set(`key:${n}`, new Uint8Array(largest).fill(n));
      expect(cache.get(`key:${n}`)?.[largest - 1]).toBe(n);
    }
  });
});
