/**
 * What happens in a cache beyond reads and writes: counted, measured, and told to whoever listens, by `cache.on` and by
 * `node:diagnostics_channel` (channels `nearcache:<event>`, with the cache's name in each message). Where nobody listens
 * an event costs a counter.
 */
import diagnosticsChannel from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import type { LoadNote } from "./load/owner.js";
import type { TierEvent } from "./tier.js";

/** The events of a cache by name, with what a listener is given. */
export interface CacheEvents {
  /** A loader gave a value, after `ms` milliseconds. */
  load: {
    /** What was loaded. */
    readonly key: string;
    /** How long the loader took, in milliseconds. */
    readonly ms: number;
  };
  /** A loader failed, after `ms` milliseconds. Callers may have been served a stale value all the same. */
  loadFailed: {
    /** What was to be loaded. */
    readonly key: string;
    /** What the loader threw. */
    readonly error: unknown;
    /** How long the loader took, in milliseconds. */
    readonly ms: number;
  };
  /** A load, or one that waited for it, ran into `hardTimeout`. */
  loadTimeout: {
    /** What was to be loaded. */
    readonly key: string;
  };
  /** A caller joined a load that was under way. */
  coalesced: {
    /** What is being loaded. */
    readonly key: string;
  };
  /** A caller was given a stale value. */
  staleServed: {
    /** What was asked for. */
    readonly key: string;
  };
  /** A fresh value is refreshed before its time. */
  earlyRefresh: {
    /** What is refreshed. */
    readonly key: string;
  };
  /** A load was refused because too many were waiting. */
  shed: {
    /** What was to be loaded. */
    readonly key: string;
  };
  /** The second tier could not do something. */
  tierError: {
    /** What it was about. */
    readonly key: string;
    /** What went wrong; as a rule a {@link TierError}. */
    readonly error: unknown;
  };
  /** The second tier's circuit breaker changed its state. */
  breaker: Omit<Extract<TierEvent, { type: "breaker" }>, "type">;
  /** How other processes' writes reach this one has changed. */
  coherence: Omit<Extract<TierEvent, { type: "coherence" }>, "type">;
  /** Messages of other processes were lost: what came from the second tier was dropped. */
  gap: Omit<Extract<TierEvent, { type: "gap" }>, "type">;
}

/** What loading has done in this handle since it was made. */
export interface LoadStats {
  /** Loader calls that gave a value. */
  readonly loads: number;
  /** Loader calls that failed. */
  readonly failures: number;
  /** Loads that ran into `hardTimeout`. */
  readonly timeouts: number;
  /** Callers that joined a load that was under way. */
  readonly coalesced: number;
  /** Callers that were given a stale value. */
  readonly staleServed: number;
  /** Refreshes of fresh values before their time. */
  readonly earlyRefreshes: number;
  /** Loads that were refused because too many were waiting. */
  readonly shed: number;
  /** Operations of the second tier that failed. */
  readonly tierErrors: number;
}

/**
 * How long this handle's reads took, by where the value came from; `undefined` before the first. Reads that L0 answers are
 * not timed: a look at the clock takes longer than they do.
 */
export interface LatencyStats {
  /** Reads that asked the shared store: one in 256 is timed. With `l0: false` only where there is a second tier. */
  readonly l1: Percentiles | undefined;
  /** Look-ups in the second tier, misses too. */
  readonly l2: Percentiles | undefined;
  /** Loader calls that gave a value. */
  readonly load: Percentiles | undefined;
}

/** A distribution of durations in milliseconds, from a histogram of high dynamic range. */
export interface Percentiles {
  /** How many durations were recorded. */
  readonly count: number;
  /** The median. */
  readonly p50: number;
  /** 95 % took no longer. */
  readonly p95: number;
  /** 99 % took no longer. */
  readonly p99: number;
  /** The longest. */
  readonly max: number;
}

type EventName = keyof CacheEvents;

const NS_PER_MS = 1e6;

/** The events and counters of one handle. */
export class Events {
  readonly #name: string | undefined;
  readonly #counts = new Map<EventName, number>();
  readonly #latencies = { l1: createHistogram(), l2: createHistogram(), load: createHistogram() };
  #emitter: EventEmitter | undefined = undefined;

  constructor(name: string | undefined) {
    this.#name = name;
  }

  on<E extends EventName>(event: E, listener: (details: CacheEvents[E]) => void): void {
    this.#emitter ??= new EventEmitter();
    this.#emitter.on(event, listener);
  }

  off<E extends EventName>(event: E, listener: (details: CacheEvents[E]) => void): void {
    this.#emitter?.off(event, listener);
  }

  /** Takes note of what loading did. */
  readonly note = ({ type, ...details }: LoadNote): void => {
    if (type === "load") {
      this.time("load", (details as CacheEvents["load"]).ms);
    }
    this.#tell(type, details);
  };

  /** Takes note of what a second tier reports. */
  readonly report = (event: TierEvent): void => {
    if (event.type === "error") {
      this.#tell("tierError", { key: "", error: event.error });
    } else {
      const { type, ...details } = event;
      this.#tell(type, details);
    }
  };

  /** How often something happened. */
  count(event: EventName): number {
    return this.#counts.get(event) ?? 0;
  }

  loadStats(): LoadStats {
    const count = (event: EventName): number => this.count(event);
    return {
      loads: count("load"),
      failures: count("loadFailed"),
      timeouts: count("loadTimeout"),
      coalesced: count("coalesced"),
      staleServed: count("staleServed"),
      earlyRefreshes: count("earlyRefresh"),
      shed: count("shed"),
      tierErrors: count("tierError"),
    };
  }

  latencyStats(): LatencyStats {
    const { l1, l2, load } = this.#latencies;
    return { l1: percentiles(l1), l2: percentiles(l2), load: percentiles(load) };
  }

  /** Takes note of how long something took. */
  time(what: keyof LatencyStats, ms: number): void {
    // The histogram begins at 1 ns.
    this.#latencies[what].record(Math.max(1, Math.round(ms * NS_PER_MS)));
  }

  #tell(event: EventName, details: object): void {
    this.#counts.set(event, (this.#counts.get(event) ?? 0) + 1);
    this.#emitter?.emit(event, details);
    const channel = diagnosticsChannel.channel(`nearcache:${event}`);
    if (channel.hasSubscribers) {
      channel.publish({ cache: this.#name, ...details });
    }
  }
}

function percentiles(histogram: RecordableHistogram): Percentiles | undefined {
  if (histogram.count === 0) {
    return undefined;
  }
  const at = (percent: number): number => histogram.percentile(percent) / NS_PER_MS;
  return { count: histogram.count, p50: at(50), p95: at(95), p99: at(99), max: histogram.max / NS_PER_MS };
}
