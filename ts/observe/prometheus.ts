/**
 * nearcache/prometheus: the statistics of caches in a registry of prom-client 15, read when the registry is scraped and at
 * no other time.
 * @packageDocumentation
 * @module nearcache/prometheus
 */
import {
  Counter,
  register as defaultRegistry,
  Gauge,
  type OpenMetricsContentType,
  type PrometheusContentType,
  type Registry,
} from "prom-client";
import type { Cache } from "../api.js";
import { asRecord, fail } from "../checks.js";
import type { CacheStats } from "../stats.js";
import { FIELDS, type Field, prometheusName } from "./fields.js";
import { type Observation, Sources } from "./sources.js";

export type { Observation } from "./sources.js";

/** Options of {@link metrics}. */
export interface PrometheusOptions {
  /** The label `cache` of this cache's metrics. */
  readonly name: string;
  /** Where the metrics go. Default: prom-client's own registry. */
  readonly registry?: Registry<PrometheusContentType> | Registry<OpenMetricsContentType> | undefined;
}

const PREFIX = "nearcache_";

/**
 * Adds a cache to the metrics of a registry: `nearcache_hits_total{cache="users"}`, `nearcache_memory_usage_bytes` and so
 * on (docs/metrics.md lists them). There is no timer: a scrape reads `cache.stats()` once for each cache.
 *
 * Counters of a named cache count for all threads; export it from one thread only. What begins with `nearcache_l0_`,
 * `nearcache_l2_`, `nearcache_load` and `nearcache_latency` is the handle's own.
 *
 * @throws {@link InvalidOptionError}, also if an open cache has that name already; what prom-client throws if the registry
 * has metrics of these names from elsewhere.
 * @example
 * ```ts
 * import { register } from "prom-client";
 * import { metrics } from "nearcache/prometheus";
 *
 * metrics(users, { name: "users" });
 * app.get("/metrics", async (_, reply) => reply.type(register.contentType).send(await register.metrics()));
 * ```
 */
export function metrics(cache: Cache<unknown>, options: PrometheusOptions): Observation {
  const { name, registry = defaultRegistry } = asRecord("options", options, ["name", "registry"]);
  if (typeof (registry as Partial<Registry> | null)?.registerMetric !== "function") {
    fail("registry", registry, "a registry of prom-client");
  }
  return Exposition.of(registry as Registry).add(name, cache);
}

/** What we have in one registry. */
class Exposition {
  static readonly #all = new WeakMap<Registry, Exposition>();
  readonly #registry: Registry;
  readonly #sources = new Sources();
  /** The statistics that the metrics of one scrape share. */
  #scrape: [name: string, stats: CacheStats][] | undefined = undefined;

  static of(registry: Registry): Exposition {
    const exposition = Exposition.#all.get(registry) ?? new Exposition(registry);
    Exposition.#all.set(registry, exposition);
    return exposition;
  }

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  add(name: unknown, cache: Cache<unknown>): Observation {
    const added = this.#sources.add(name, cache);
    for (const field of FIELDS) {
      // Also after the host has cleared its registry.
      if (this.#registry.getSingleMetric(prometheusName(field, PREFIX)) === undefined) {
        this.#register(field);
      }
    }
    const stop = (): void => this.#stop(added, cache);
    return { stop, [Symbol.dispose]: stop };
  }

  #stop(name: string, cache: Cache<unknown>): void {
    this.#sources.remove(name, cache);
    if (this.#sources.size === 0) {
      for (const field of FIELDS) {
        this.#registry.removeSingleMetric(prometheusName(field, PREFIX));
      }
    }
  }

  #register(field: Field): void {
    const exposition = this;
    const configuration = {
      name: prometheusName(field, PREFIX),
      help: field.help,
      labelNames: ["cache", ...(field.labels ?? [])],
      registers: [this.#registry],
    };
    if (field.kind === "counter") {
      new Counter({
        ...configuration,
        collect() {
          this.reset();
          exposition.#each(field, (labels, value) => this.inc(labels, value));
        },
      });
    } else {
      new Gauge({
        ...configuration,
        collect() {
          this.reset();
          exposition.#each(field, (labels, value) => this.set(labels, value));
        },
      });
    }
  }

  #each(field: Field, report: (labels: Record<string, string>, value: number) => void): void {
    for (const [cache, stats] of this.#read()) {
      for (const { value, labels } of field.read(stats)) {
        report({ cache, ...labels }, value);
      }
    }
  }

  /** All metrics of a scrape begin to be collected in one go; so one reading serves them all. */
  #read(): [name: string, stats: CacheStats][] {
    if (this.#scrape === undefined) {
      this.#scrape = this.#sources.read();
      queueMicrotask(() => {
        this.#scrape = undefined;
      });
    }
    return this.#scrape;
  }
}
