// Options of redisTier: every mistake is refused at once, with the option, the value and what is allowed.
import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { InvalidOptionError } from "../../ts/errors.js";
import { type RedisTierOptions, redisTier } from "../../ts/redis/index.js";
import { resolveTierOptions } from "../../ts/redis/options.js";
import { thrownBy } from "../support/caches.js";

const url = "redis://127.0.0.1:1";

/** Options that types don't allow. */
const wrong = (options: object): RedisTierOptions => options as RedisTierOptions;

describe("where Redis is", () => {
  test.each([
    [{}, "None of the options url, client, options and cluster is given"],
    [{ url, options: {} }, "More than one of the options"],
    [{ url: "localhost:6379" }, "The option url"],
    [{ url: "http://localhost" }, "The option url"],
    [{ url: 6379 }, "The option url"],
    [{ options: 6379 }, "The option options"],
    [{ client: {} }, "a client of ioredis"],
    [{ client: null }, "a client of ioredis"],
    [{ cluster: { nodes: [] } }, "The option cluster.nodes"],
    [{ cluster: [] }, "The option cluster"],
    [{ cluster: { nodes: ["a"], options: 5 } }, "The option cluster.options"],
    [{ options: { keyPrefix: "a:" } }, "options.keyPrefix"],
    [{ cluster: { nodes: ["a"], options: { keyPrefix: "a:" } } }, "cluster.options.keyPrefix"],
    [{ cluster: { nodes: ["a"], options: { redisOptions: { keyPrefix: "a" } } } }, "redisOptions.keyPrefix"],
  ])("%j is refused", (options, message) => {
    const error = thrownBy(() => redisTier(wrong(options)));
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error.message).toContain(message);
  });

  test("a client that puts a prefix before keys is refused, and told what to do instead", () => {
    const client = new Redis({ lazyConnect: true, keyPrefix: "shop:" });
    expect(thrownBy(() => redisTier({ client })).message).toContain("use the tier's own option prefix");
    client.disconnect();
  });
});

describe("settings", () => {
  test.each([
    [{ prefix: "" }, "prefix"],
    [{ prefix: "x".repeat(201) }, "prefix"],
    [{ prefix: 5 }, "prefix"],
    [{ prefix: "a{}b" }, "prefix"],
    [{ commandTimeout: 0 }, "commandTimeout"],
    [{ commandTimeout: "2 minutes" }, "commandTimeout"],
    [{ commandTimeout: Number.NaN }, "commandTimeout"],
    [{ commandTimeout: Number.POSITIVE_INFINITY }, "commandTimeout"],
    [{ connectTimeout: "2m" }, "connectTimeout"],
    [{ breaker: 5 }, "breaker"],
    [{ breaker: { failures: 0 } }, "breaker.failures"],
    [{ breaker: { failures: 1.5 } }, "breaker.failures"],
    [{ breaker: { window: 0 } }, "breaker.window"],
    [{ breaker: { probeAfter: "2h" } }, "breaker.probeAfter"],
    [{ breaker: { threshold: 5 } }, "breaker.threshold"],
    [{ coherence: "eventual" }, "coherence"],
    [{ compress: true }, "compress"],
    [{ compress: { above: -1 } }, "compress.above"],
    [{ compress: { with: "lz4" } }, "compress.with"],
    [{ maxValueSize: 0 }, "maxValueSize"],
    [{ maxValueSize: "1tb" }, "maxValueSize"],
    [{ maxInFlight: 0 }, "maxInFlight"],
    [{ writeQueue: 1e9 }, "writeQueue"],
    [{ timeout: 50 }, "timeout"],
  ])("%j is refused", (options, option) => {
    const error = thrownBy(() => redisTier(wrong({ url, ...options })));
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error).toMatchObject({ code: "ERR_INVALID_OPTION", option });
    expect(error.message).toContain(option);
  });

  test("have defaults that fail fast", () => {
    expect(resolveTierOptions({ url })).toMatchObject({
      prefix: "nearcache:",
      commandTimeoutMs: 50,
      connectTimeoutMs: 500,
      breaker: { failures: 5, windowMs: 10_000, probeAfterMs: 1_000 },
      coherence: "auto",
      compressAbove: 10_240,
      valueBytesMax: 16 * 2 ** 20,
      commandsMax: 1_000,
      writesMax: 10_000,
    });
  });

  test("take durations and sizes as text", () => {
    const resolved = resolveTierOptions({
      url,
      commandTimeout: "1s",
      maxValueSize: "1mb",
      compress: { above: "64kb" },
    });
    expect(resolved).toMatchObject({ commandTimeoutMs: 1_000, valueBytesMax: 2 ** 20, compressAbove: 65_536 });
  });

  test.each([
    [{ compress: false }, undefined],
    [{ compress: { with: false } }, undefined],
    [{ compress: { with: "gzip" } }, "gzip"],
    [{ compress: { with: "brotli" } }, "brotli"],
    [{}, process.versions.node.startsWith("20.") ? "brotli" : "zstd"],
  ] as const)("%j compresses by %s", (options, expected) => {
    expect(resolveTierOptions({ url, ...options }).compressWith).toBe(expected);
  });
});
