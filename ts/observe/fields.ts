/**
 * What of a cache's statistics becomes a metric: one line per metric, and nowhere else. Names, units and kinds are those of
 * OpenTelemetry's conventions; Prometheus' names follow from them by its rules for that (prometheusName).
 */
import type { Percentiles } from "../events.js";
import type { CacheStats, L2Stats } from "../stats.js";

/** One value of a metric, and what tells it from the others. */
export interface Sample {
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A metric. */
export interface Field {
  /** Without the `nearcache.` that all begin with. */
  readonly name: string;
  /** `counter`: only rises. `gauge`: a state. `sum`: a state that may be added up over caches. */
  readonly kind: "counter" | "gauge" | "sum";
  /** In UCUM's notation: `By`, `s`, or what is counted in braces. */
  readonly unit: string;
  readonly help: string;
  /** The names of the labels of its samples. */
  readonly labels?: readonly string[];
  /** Its values; none if the cache has no such thing. */
  read(stats: CacheStats): readonly Sample[];
}

const BREAKER_STATES = ["closed", "half-open", "open"] as const;
const COHERENCES = ["tracking", "stream", "ttl-only"] as const;
const SOURCES = ["l1", "l2", "load"] as const;
const MS_PER_S = 1_000;

/** All metrics. */
export const FIELDS: readonly Field[] = [
  counter("hits", "{hit}", "Reads that found a fresh value, by all threads.", (stats) => stats.hits),
  counter(
    "stale",
    "{read}",
    "Reads that found a value that is no longer fresh, by all threads.",
    (stats) => stats.stale,
  ),
  counter("misses", "{miss}", "Reads that found none, by all threads.", (stats) => stats.misses),
  counter("sets", "{entry}", "Values stored, by all threads.", (stats) => stats.sets),
  counter("deletes", "{entry}", "Entries deleted on request.", (stats) => stats.deletes),
  counter("evictions", "{entry}", "Entries that had to make room for others.", (stats) => stats.evictions),
  counter("expirations", "{entry}", "Entries whose time had come.", (stats) => stats.expirations),
  counter("rejections", "{entry}", "New entries let go for older, more useful ones.", (stats) => stats.rejections),
  counter("repairs", "{repair}", "Parts of the store emptied because of a bug.", (stats) => stats.repairs),
  sum("entries", "{entry}", "Entries in the store.", (stats) => stats.entries),
  sum("memory.usage", "By", "Memory that the store uses.", (stats) => stats.memory.used),
  sum("memory.limit", "By", "Memory that the store may use.", (stats) => stats.memory.max),
  counter("l0.hits", "{hit}", "Reads that this thread's L0 answered.", (stats) => stats.l0.hits),
  sum("l0.entries", "{entry}", "Values in this thread's L0.", (stats) => stats.l0.entries),

  counter("loads", "{load}", "Loader calls that gave a value.", (stats) => stats.loads.loads),
  counter("load.failures", "{load}", "Loader calls that failed.", (stats) => stats.loads.failures),
  counter("load.timeouts", "{load}", "Loads that ran into hardTimeout.", (stats) => stats.loads.timeouts),
  counter("load.coalesced", "{call}", "Callers that joined a load under way.", (stats) => stats.loads.coalesced),
  counter("load.shed", "{load}", "Loads refused because too many were waiting.", (stats) => stats.loads.shed),
  counter("load.stale_served", "{call}", "Callers given a stale value.", (stats) => stats.loads.staleServed),
  counter("load.early_refreshes", "{load}", "Refreshes before their time.", (stats) => stats.loads.earlyRefreshes),
  counter("load.tier_errors", "{error}", "Failed operations of the second tier.", (stats) => stats.loads.tierErrors),
  {
    name: "latency.quantile",
    kind: "gauge",
    unit: "s",
    help: "How long reads took since the cache was made, by where the value came from.",
    labels: ["source", "quantile"],
    read: ({ latency }) => SOURCES.flatMap((source) => quantiles(source, latency[source])),
  },

  tierCounter("hits", "{hit}", "Look-ups that the second tier answered."),
  tierCounter("misses", "{miss}", "Look-ups that it could not answer."),
  tierCounter("writes", "{entry}", "Values written to it."),
  tierCounter("errors", "{error}", "Operations that failed."),
  tierCounter("timeouts", "{operation}", "Operations that ran into their time-out."),
  tierCounter("undecodable", "{entry}", "Values that could not be decoded."),
  tierCounter("skipped", "{operation}", "Operations not tried because the breaker was open."),
  tierCounter("messages", "{message}", "Messages from other processes."),
  tierCounter("gaps", "{gap}", "How often messages were missed."),
  tierCounter("breakerChanges", "{change}", "How often the circuit breaker changed its state.", "breaker_changes"),
  tierState("breaker", BREAKER_STATES, "The circuit breaker's state: 1 for the one in force."),
  tierState("coherence", COHERENCES, "How other processes' writes are learnt of: 1 for the way in force."),
];

/** The name that Prometheus' rules make of OpenTelemetry's: underscores, the unit in words, `_total` for counters. */
export function prometheusName({ name, unit, kind }: Field, prefix: string): string {
  const words: Readonly<Record<string, string>> = { By: "_bytes", s: "_seconds" };
  return `${prefix}${name.replaceAll(".", "_")}${words[unit] ?? ""}${kind === "counter" ? "_total" : ""}`;
}

function quantiles(source: string, distribution: Percentiles | undefined): Sample[] {
  if (distribution === undefined) {
    return [];
  }
  const { p50, p95, p99, max } = distribution;
  return Object.entries({ "0.5": p50, "0.95": p95, "0.99": p99, "1": max }).map(([quantile, ms]) => ({
    value: ms / MS_PER_S,
    labels: { source, quantile },
  }));
}

type Read = (stats: CacheStats) => number;

function counter(name: string, unit: string, help: string, read: Read): Field {
  return { name, kind: "counter", unit, help, read: (stats) => [{ value: read(stats) }] };
}

function sum(name: string, unit: string, help: string, read: Read): Field {
  return { name, kind: "sum", unit, help, read: (stats) => [{ value: read(stats) }] };
}

type TierCount = { [N in keyof L2Stats]-?: L2Stats[N] extends number ? N : never }[keyof L2Stats];

function tierCounter(count: TierCount, unit: string, help: string, name: string = count): Field {
  return {
    name: `l2.${name}`,
    kind: "counter",
    unit,
    help,
    labels: ["tier"],
    read: ({ l2 }) => (l2 === undefined ? [] : [{ value: l2[count], labels: { tier: l2.name } }]),
  };
}

function tierState(property: "breaker" | "coherence", states: readonly string[], help: string): Field {
  return {
    name: `l2.${property}`,
    kind: "gauge",
    unit: "{state}",
    help,
    labels: ["tier", "state"],
    read: ({ l2 }) =>
      l2 === undefined
        ? []
        : states.map((state) => ({ value: l2[property] === state ? 1 : 0, labels: { tier: l2.name, state } })),
  };
}
