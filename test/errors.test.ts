// Errors are classes with a stable code, and `instanceof` holds between two copies of the package.
import { describe, expect, test, vi } from "vitest";
import * as nearcache from "../ts/index.js";
import { newCache, thrownBy } from "./support/caches.js";

describe("instanceof", () => {
  test("tells classes apart, and knows the common one", () => {
    const error = thrownBy(() => newCache().get(1 as never));
    expect(error).toBeInstanceOf(nearcache.InvalidKeyError);
    expect(error).toBeInstanceOf(nearcache.NearcacheError);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(nearcache.CacheClosedError);
    expect(error.name).toBe("InvalidKeyError");
    expect(String(error)).toMatch(/^InvalidKeyError: /);
    for (const other of [null, undefined, 1, {}, new Error("x"), Object.create(null)]) {
      expect(other instanceof nearcache.NearcacheError).toBe(false);
    }
  });

  test("holds for errors of another copy of the package", async () => {
    vi.resetModules();
    const copy: typeof nearcache = await import("../ts/index.js");
    expect(copy.NearcacheError).not.toBe(nearcache.NearcacheError);
    const error = thrownBy(() => copy.createCache({ maxMemory: "16mb" } as never));
    expect(error instanceof nearcache.InvalidOptionError).toBe(true);
    expect(error instanceof nearcache.NearcacheError).toBe(true);
    expect(error instanceof nearcache.InvalidTtlError).toBe(false);
  });

  test("holds for a subclass of a user's, and only for its own instances", () => {
    class AppError extends nearcache.NearcacheError {}
    const error = new AppError("ERR_INVALID_ARGUMENT", "mine");
    expect(error instanceof AppError).toBe(true);
    expect(error instanceof nearcache.NearcacheError).toBe(true);
    expect(thrownBy(() => newCache().get(1 as never)) instanceof AppError).toBe(false);
  });
});

test("an error of the addon becomes one of ours, with the figures and the cause", () => {
  const error = thrownBy(() => newCache<string>({ maxValueSize: 100 }).set("key", "x".repeat(101)));
  expect(error).toBeInstanceOf(nearcache.ValueTooLargeError);
  expect(error).toMatchObject({ code: "ERR_VALUE_TOO_LARGE", length: 101, max: 100 });
  expect(error.cause).toBeInstanceOf(Error);
});
