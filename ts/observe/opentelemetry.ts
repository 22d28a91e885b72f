/**
 * nearcache/opentelemetry: the statistics of caches as OpenTelemetry's observable metrics, and loads as spans, by way of
 * `@opentelemetry/api` alone. Read when the host's SDK collects, and at no other time; without an SDK nothing is ever read.
 * @packageDocumentation
 * @module nearcache/opentelemetry
 */
import {
  type BatchObservableResult,
  type Meter,
  type Observable,
  SpanStatusCode,
  type Tracer,
  metrics as telemetry,
  trace,
} from "@opentelemetry/api";
import type { Cache } from "../api.js";
import { asRecord, fail } from "../checks.js";
import { FIELDS, type Field } from "./fields.js";
import { type Observation, Sources } from "./sources.js";

export type { Observation } from "./sources.js";

/** Options of {@link metrics}. */
export interface OpenTelemetryOptions {
  /** The attribute `nearcache.cache.name` of this cache's metrics. */
  readonly name: string;
  /** The meter to use. Default: the one named `nearcache` of the global provider, which must be set before. */
  readonly meter?: Meter | undefined;
}

const PREFIX = "nearcache.";

/**
 * Adds a cache to the metrics: `nearcache.hits`, `nearcache.memory.usage` and so on, each with the attribute
 * `nearcache.cache.name` (docs/metrics.md lists them). There is no timer: each collection reads `cache.stats()` once.
 *
 * Counters of a named cache count for all threads; export it from one thread only. What begins with `nearcache.l0`,
 * `nearcache.l2`, `nearcache.load` and `nearcache.latency` is the handle's own.
 *
 * @throws {@link InvalidOptionError}, also if an open cache has that name already.
 * @example
 * ```ts
 * import { metrics } from "nearcache/opentelemetry";
 *
 * metrics(users, { name: "users" });
 * ```
 */
export function metrics(cache: Cache<unknown>, options: OpenTelemetryOptions): Observation {
  const { name, meter = telemetry.getMeter("nearcache") } = asRecord("options", options, ["name", "meter"]);
  if (typeof (meter as Partial<Meter> | null)?.addBatchObservableCallback !== "function") {
    fail("meter", meter, "a meter of @opentelemetry/api");
  }
  return Exposition.of(meter as Meter).add(name, cache);
}

/** Options of {@link traces}. */
export interface OpenTelemetryTraceOptions {
  /** The attribute `nearcache.cache.name` of this cache's spans. */
  readonly name: string;
  /** The tracer to use. Default: the one named `nearcache` of the global provider. */
  readonly tracer?: Tracer | undefined;
  /** Whether spans carry the key, as `nearcache.key`. Default false: keys may name persons, and have no bound. */
  readonly keys?: boolean | undefined;
}

/**
 * Makes a span `nearcache.load` of each call of a loader, within the span of the call of `getOrLoad` that began it; what it
 * fails with is recorded. Reads that are hits make no spans: they take less time than one.
 *
 * @throws {@link InvalidOptionError}
 * @example
 * ```ts
 * import { traces } from "nearcache/opentelemetry";
 *
 * traces(users, { name: "users" });
 * ```
 */
export function traces(cache: Cache<unknown>, options: OpenTelemetryTraceOptions): Observation {
  const given = asRecord("options", options, ["name", "tracer", "keys"]);
  const { name, tracer = trace.getTracer("nearcache"), keys = false } = given;
  if (typeof name !== "string" || name === "") {
    fail("name", name, "text that is not empty");
  }
  if (typeof (tracer as Partial<Tracer> | null)?.startSpan !== "function") {
    fail("tracer", tracer, "a tracer of @opentelemetry/api");
  }
  if (typeof keys !== "boolean") {
    fail("keys", keys, "true or false");
  }
  const record = (key: string, ms: number, error?: unknown): void => {
    const endTime = Date.now();
    const attributes = { "nearcache.cache.name": name, ...(keys ? { "nearcache.key": key } : {}) };
    const span = (tracer as Tracer).startSpan("nearcache.load", { startTime: endTime - ms, attributes });
    if (error !== undefined) {
      span.recordException(error instanceof Error ? error : String(error));
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end(endTime);
  };
  const loaded = (event: { key: string; ms: number }): void => record(event.key, event.ms);
  const failed = (event: { key: string; ms: number; error: unknown }): void =>
    record(event.key, event.ms, event.error ?? "the loader failed");
  cache.on("load", loaded).on("loadFailed", failed);
  const stop = (): void => {
    cache.off("load", loaded).off("loadFailed", failed);
  };
  return { stop, [Symbol.dispose]: stop };
}

/** What we have in one meter. */
class Exposition {
  static readonly #all = new WeakMap<Meter, Exposition>();
  readonly #meter: Meter;
  readonly #sources = new Sources();
  readonly #instruments: ReadonlyMap<Field, Observable>;
  #isListening = false;

  static of(meter: Meter): Exposition {
    const exposition = Exposition.#all.get(meter) ?? new Exposition(meter);
    Exposition.#all.set(meter, exposition);
    return exposition;
  }

  constructor(meter: Meter) {
    this.#meter = meter;
    this.#instruments = new Map(FIELDS.map((field) => [field, instrument(meter, field)]));
  }

  add(name: unknown, cache: Cache<unknown>): Observation {
    const added = this.#sources.add(name, cache);
    if (!this.#isListening) {
      this.#isListening = true;
      this.#meter.addBatchObservableCallback(this.#observe, [...this.#instruments.values()]);
    }
    const stop = (): void => this.#stop(added, cache);
    return { stop, [Symbol.dispose]: stop };
  }

  #stop(name: string, cache: Cache<unknown>): void {
    this.#sources.remove(name, cache);
    if (this.#sources.size === 0 && this.#isListening) {
      this.#isListening = false;
      this.#meter.removeBatchObservableCallback(this.#observe, [...this.#instruments.values()]);
    }
  }

  readonly #observe = (result: BatchObservableResult): void => {
    for (const [name, stats] of this.#sources.read()) {
      for (const [field, observable] of this.#instruments) {
        for (const { value, labels } of field.read(stats)) {
          result.observe(observable, value, attributes(name, labels));
        }
      }
    }
  };
}

function instrument(meter: Meter, { name, kind, unit, help }: Field): Observable {
  const options = { unit, description: help };
  if (kind === "counter") {
    return meter.createObservableCounter(PREFIX + name, options);
  }
  return kind === "sum"
    ? meter.createObservableUpDownCounter(PREFIX + name, options)
    : meter.createObservableGauge(PREFIX + name, options);
}

function attributes(name: string, labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  const own = Object.entries(labels).map(([label, value]) => [PREFIX + label, value]);
  return { [`${PREFIX}cache.name`]: name, ...Object.fromEntries(own) };
}
