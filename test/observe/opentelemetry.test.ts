// nearcache/opentelemetry, with OpenTelemetry's own SDK: what it collects, and when.
import { metrics as telemetry } from "@opentelemetry/api";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { afterEach, describe, expect, test } from "vitest";
import { InvalidOptionError } from "../../ts/index.js";
import { metrics, traces } from "../../ts/observe/opentelemetry.js";
import { MemoryStore, MemoryTier } from "../../ts/testing/memory-tier.js";
import { newCache, thrownBy } from "../support/caches.js";
import { fatedCache } from "../support/loading.js";

/** Collects when the test says so. */
class ManualReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

function newMeter() {
  const reader = new ManualReader();
  const provider = new MeterProvider({ readers: [reader] });
  /** The points of all metrics, as `name{attributes} value`. */
  const collect = async () => {
    const { resourceMetrics, errors } = await reader.collect();
    expect(errors).toEqual([]);
    const found = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
    const points = found.flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ attributes, value }) => `${descriptor.name}${JSON.stringify(attributes)} ${value}`),
    );
    return { found, points };
  };
  return { provider, meter: provider.getMeter("test"), collect };
}

const users = '{"nearcache.cache.name":"users"}';

afterEach(() => telemetry.disable());

describe("a collection", () => {
  test("has the cache's figures as they are then", async () => {
    const { meter, collect } = newMeter();
    const cache = newCache<number>();
    metrics(cache, { name: "users", meter });
    cache.set("a", 1);
    cache.get("a");
    await cache.getOrLoad("loaded", () => 1);
    const { points } = await collect();
    expect(points).toEqual(
      expect.arrayContaining([
        `nearcache.hits${users} 1`,
        `nearcache.entries${users} 2`,
        `nearcache.memory.limit${users} 16777216`,
        `nearcache.loads${users} 1`,
      ]),
    );
    expect(points.filter((point) => point.includes('"nearcache.source":"load"'))).toHaveLength(4);
    cache.get("a");
    expect((await collect()).points).toContain(`nearcache.hits${users} 2`);
  });

  test("has names, kinds and units that OpenTelemetry's conventions ask for", async () => {
    const { meter, collect } = newMeter();
    metrics(newCache({ l2: new MemoryTier(new MemoryStore()) }), { name: "users", meter });
    const { found, points } = await collect();
    for (const { descriptor } of found) {
      expect(descriptor.name).toMatch(/^nearcache(\.[a-z0-9_]+)+$/);
      expect(descriptor.name).not.toMatch(/total$|bytes$|seconds$/);
      expect(descriptor.unit).toMatch(/^(By|s|\{[a-z]+\})$/);
      expect(descriptor.description).toMatch(/^[A-Z].*\.$/);
    }
    expect(points.filter((point) => point.startsWith("nearcache.l2.breaker{")).map((point) => point.slice(-1))).toEqual(
      ["1", "0", "0"],
    );
  });

  test("comes from the global provider by default", async () => {
    const { provider, collect } = newMeter();
    telemetry.setGlobalMeterProvider(provider);
    const observation = metrics(newCache(), { name: "users" });
    expect((await collect()).points).toContain(`nearcache.misses${users} 0`);
    observation.stop();
  });

  test("never happens without an SDK, which costs nothing", () => {
    const cache = newCache();
    Object.defineProperty(cache, "stats", { value: () => expect.unreachable() });
    metrics(cache, { name: "users" }).stop();
  });
});

describe("several caches", () => {
  test("are told apart; what is closed or stopped is left out", async () => {
    const { meter, collect } = newMeter();
    const [first, second, third] = [newCache(), newCache(), newCache()];
    metrics(first, { name: "first", meter });
    metrics(second, { name: "second", meter });
    const observation = metrics(third, { name: "third", meter });
    first.close();
    observation.stop();
    observation[Symbol.dispose]();
    const entries = (await collect()).points.filter((point) => point.startsWith("nearcache.entries"));
    expect(entries).toEqual(['nearcache.entries{"nearcache.cache.name":"second"} 0']);
    expect(thrownBy(() => metrics(third, { name: "second", meter }))).toBeInstanceOf(InvalidOptionError);
  });

  test("are no longer read when the last is stopped", async () => {
    const { meter, collect } = newMeter();
    const cache = newCache();
    metrics(cache, { name: "users", meter }).stop();
    expect((await collect()).points).toEqual([]);
    metrics(cache, { name: "users", meter });
    expect((await collect()).points).toContain(`nearcache.entries${users} 0`);
  });
});

test.each([
  ["name", {}],
  ["name", { name: 5 }],
  ["meter", { name: "x", meter: {} }],
])("the option %s is checked: %j", (option, wrong) => {
  expect(thrownBy(() => metrics(newCache(), wrong as never))).toMatchObject({ code: "ERR_INVALID_OPTION", option });
});

describe("a load as a span", () => {
  /** A tracer that writes down what it is told. */
  function newTracer() {
    const spans: { name: string; attributes: unknown; ms: number; error?: unknown; code?: number }[] = [];
    const tracer = {
      startSpan(name: string, { startTime, attributes }: { startTime: number; attributes: unknown }) {
        const span: (typeof spans)[number] = { name, attributes, ms: Number.NaN };
        return {
          recordException: (error: unknown) => {
            span.error = error;
          },
          setStatus: ({ code }: { code: number }) => {
            span.code = code;
          },
          end: (endTime: number) => {
            span.ms = endTime - startTime;
            spans.push(span);
          },
        };
      },
    };
    return { spans, tracer: tracer as never };
  }

  test("has its length, and what it failed with", async () => {
    const { spans, tracer } = newTracer();
    const { cache, fate } = fatedCache<number>();
    const observation = traces(cache as never, { name: "users", tracer, keys: true });
    await cache.getOrLoad("a", async () => {
      fate.now += 250;
      return 1;
    });
    await cache.getOrLoad("a", () => 2);
    const down = new Error("down");
    await cache.getOrLoad("b", () => Promise.reject(down)).catch(() => undefined);
    const of = (key: string) => ({ "nearcache.cache.name": "users", "nearcache.key": key });
    expect(spans).toEqual([
      { name: "nearcache.load", attributes: of("a"), ms: 250 },
      { name: "nearcache.load", attributes: of("b"), ms: 0, error: down, code: 2 },
    ]);
    observation.stop();
    await cache.getOrLoad("c", () => 3);
    expect(spans).toHaveLength(2);
  });

  test("has no key unless asked, and wrong options are refused", async () => {
    const { spans, tracer } = newTracer();
    const cache = newCache<number>();
    traces(cache as never, { name: "users", tracer });
    await cache.getOrLoad("secret", () => 1);
    expect(spans[0]?.attributes).toEqual({ "nearcache.cache.name": "users" });
    expect(() => traces(cache as never, { name: "" })).toThrow(/name/);
    expect(() => traces(cache as never, { name: "x", tracer: {} as never })).toThrow(/tracer/);
    expect(() => traces(cache as never, { name: "x", keys: 1 as never })).toThrow(/keys/);
  });
});
