/** The options of loading: what users may ask for, for a whole cache and for one call, checked and in numbers. */
import { asRecord, durationOption, fail, numberOption } from "../checks.js";
import { InvalidArgumentError, InvalidOptionError, show } from "../errors.js";
import type { Tier } from "../tier.js";
import type { Duration } from "../units.js";
import { type Loader, texts } from "./context.js";
import type { LoadPolicy } from "./freshness.js";
import type { LoadLimit } from "./limiter.js";

/**
 * How loaded values are kept; for all loads of a cache, or for one call. Durations are milliseconds or text, 0 or more;
 * `Infinity` is allowed.
 */
export interface FreshnessOptions {
  /** How long a value is still served at once after its `ttl`, while one refresh runs. Default 0. */
  readonly staleFor?: Duration | undefined;
  /** How long after its `ttl` a value is served when its load fails or is too slow. Default 0. */
  readonly staleIfError?: Duration | undefined;
  /** After so long a caller is given the stale value, if there is one; the load goes on. Default `Infinity`. */
  readonly softTimeout?: Duration | undefined;
  /**
   * After so long a load has failed: callers are given the stale value or a {@link LoadTimeoutError}, and the loader's
   * signal is aborted. Default `Infinity`.
   */
  readonly hardTimeout?: Duration | undefined;
  /**
   * By which part of its TTL a loaded value may live shorter, by chance, so that what was loaded together does not expire
   * together. From 0 to 1. Default 0.1.
   */
  readonly jitter?: number | undefined;
  /**
   * How eagerly values are refreshed before they expire (XFetch): about `beta` times what the load costs before the end,
   * and only where the key is read often. From 0 (never) to 10. Default 1.
   */
  readonly beta?: number | undefined;
  /** How long it is remembered that the origin has nothing (`null`, `notFound()`). Default: as long as a value. */
  readonly negativeTtl?: Duration | undefined;
  /**
   * After a failed load with a stale value to serve, the next is tried after so long, doubled with each further failure up
   * to a minute. Default 1 s.
   */
  readonly errorBackoff?: Duration | undefined;
}

/** Options of `getOrLoad`. */
export interface LoadOptions extends FreshnessOptions {
  /** How long a loaded value is fresh, instead of the cache's `ttl`. `0`: it is not stored. */
  readonly ttl?: Duration | undefined;
  /** Tags of a loaded value. */
  readonly tags?: readonly string[] | undefined;
  /** Keys that a loaded value is built from. */
  readonly dependsOn?: readonly string[] | undefined;
  /** Rejects this call, and this one only, with the signal's reason when it aborts. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of {@link createCache} about loading. */
export interface LoadingOptions<T = unknown> extends FreshnessOptions {
  /** What `getOrLoad(key)` calls when it is given no loader. */
  readonly loader?: Loader<T> | undefined;
  /**
   * How many loads of this thread may run at once. A number: the others wait. `{ running, waiting }`: so many more may
   * wait, and beyond that `getOrLoad` rejects with {@link LoadsFullError}. Default: no bound.
   */
  readonly maxConcurrentLoads?:
    | number
    | {
        /** How many run at once; from 1 to 1,000,000. */
        readonly running: number;
        /** How many more wait; from 0 to 1,000,000. */
        readonly waiting: number;
      }
    | undefined;
  /** A second tier, for example `redisTier(…)` of `nearcache/redis`. */
  readonly l2?: Tier | undefined;
  /**
   * Whether callers wait until the second tier has stored what they loaded: `"await"` or, by default, `"background"`.
   */
  readonly l2Write?: "await" | "background" | undefined;
  /**
   * Among whom at most one load of a key runs: `"process"` (default), or `"cluster"`: among all processes that use the
   * second tier, by a lease there of so long (`{ lease }`, default 5 s). Where the tier is away, each process loads.
   */
  readonly singleFlight?:
    | "process"
    | "cluster"
    | {
        /** For how long other processes wait for a load; at least 1 ms. */
        readonly lease: Duration;
      }
    | undefined;
}

/** {@link LoadingOptions} as the rest of the code uses them. */
export interface ResolvedLoading {
  readonly policy: LoadPolicy;
  readonly loader: Loader<unknown> | undefined;
  readonly limit: LoadLimit | undefined;
  readonly tier: Tier | undefined;
  /** Whether callers wait until the tier has stored what was loaded. */
  readonly isTierAwaited: boolean;
  /** How long a tier's lease lasts, in milliseconds. */
  readonly tierLeaseMs: number;
  /** Whether a load waits while another process has the lease; if not, the lease only guards what is written. */
  readonly isTierWaitedFor: boolean;
}

/** What one call of `getOrLoad` asks for. */
export interface ResolvedLoad {
  readonly policy: LoadPolicy;
  readonly tags: readonly string[];
  readonly dependsOn: readonly string[];
  readonly signal: AbortSignal | undefined;
}

const FRESHNESS_NAMES = [
  ...["staleFor", "staleIfError", "softTimeout", "hardTimeout", "jitter", "beta", "negativeTtl", "errorBackoff"],
];
/** The names of {@link LoadingOptions}. */
export const LOADING_NAMES = [...FRESHNESS_NAMES, ...["loader", "maxConcurrentLoads", "l2", "l2Write", "singleFlight"]];
const LOAD_NAMES = ["ttl", "tags", "dependsOn", "signal", ...FRESHNESS_NAMES];
const NONE: readonly string[] = [];
/** How long other processes wait for a load, in milliseconds. */
const LEASE_MS = 5_000;
/** How long a load may take whose write is guarded by a lease that nobody waits for, in milliseconds. */
const GUARD_MS = 30_000;
const CONCURRENT_MAX = 1_000_000;

/** Checks the loading options of a cache whose entries live for `ttlMs`. Throws {@link InvalidOptionError}. */
export function resolveLoading(given: Record<string, unknown>, ttlMs: number): ResolvedLoading {
  const byDefault: LoadPolicy = {
    ttlMs,
    staleForMs: 0,
    staleIfErrorMs: 0,
    softTimeoutMs: Number.POSITIVE_INFINITY,
    hardTimeoutMs: Number.POSITIVE_INFINITY,
    jitter: 0.1,
    beta: 1,
    negativeTtlMs: ttlMs,
    errorBackoffMs: 1_000,
  };
  if (given.loader !== undefined && typeof given.loader !== "function") {
    fail("loader", given.loader, "a function (key, context) => value");
  }
  if (given.l2Write !== undefined && given.l2Write !== "await" && given.l2Write !== "background") {
    fail("l2Write", given.l2Write, '"await" or "background"');
  }
  const tier = resolveTier(given.l2);
  return {
    policy: resolvePolicy(given, byDefault),
    loader: given.loader as Loader<unknown> | undefined,
    limit: resolveLimit(given.maxConcurrentLoads),
    tier,
    isTierAwaited: given.l2Write === "await",
    ...resolveSharing(given.singleFlight, tier),
  };
}

/**
 * The options of one call, or the TTL itself. Throws {@link InvalidTtlError}, {@link InvalidOptionError},
 * {@link InvalidArgumentError}.
 */
export function resolveLoad(options: unknown, byDefault: LoadPolicy, checkTtl: (ttl: unknown) => number): ResolvedLoad {
  if (options === undefined) {
    return { policy: byDefault, tags: NONE, dependsOn: NONE, signal: undefined };
  }
  if (typeof options !== "object" || options === null) {
    return { policy: { ...byDefault, ...ttlOf(options, checkTtl) }, tags: NONE, dependsOn: NONE, signal: undefined };
  }
  const given = options as Record<string, unknown>;
  for (const name of Object.keys(given)) {
    if (!LOAD_NAMES.includes(name)) {
      const message = `There is no option ${show(name)} here, only ${LOAD_NAMES.join(", ")}.`;
      throw new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value: options });
    }
  }
  const { signal } = given;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    const message = `The option signal must be an AbortSignal; it is ${show(signal)}.`;
    throw new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value: signal });
  }
  const base = given.ttl === undefined ? byDefault : { ...byDefault, ...ttlOf(given.ttl, checkTtl) };
  return {
    policy: resolvePolicy(given, base),
    tags: given.tags === undefined ? NONE : texts(given.tags, "tags"),
    dependsOn: given.dependsOn === undefined ? NONE : texts(given.dependsOn, "dependsOn"),
    signal,
  };
}

/** How many loads may run, and how many wait. */
function resolveLimit(value: unknown): LoadLimit | undefined {
  if (value === undefined) {
    return undefined;
  }
  const name = "maxConcurrentLoads";
  const isNumber = typeof value === "number";
  const given = isNumber ? { running: value } : asRecord(name, value, ["running", "waiting"]);
  const count = (option: string, number: unknown, min: number): number => {
    if (typeof number !== "number" || !Number.isInteger(number) || number < min || number > CONCURRENT_MAX) {
      fail(option, number, `a whole number from ${min} to ${CONCURRENT_MAX}`);
    }
    return number;
  };
  const running = count(isNumber ? name : `${name}.running`, given.running, 1);
  const waiting = isNumber ? Number.POSITIVE_INFINITY : count(`${name}.waiting`, given.waiting, 0);
  return { running, waiting };
}

function ttlOf(ttl: unknown, checkTtl: (ttl: unknown) => number): Pick<LoadPolicy, "ttlMs" | "negativeTtlMs"> {
  const ttlMs = checkTtl(ttl);
  return { ttlMs, negativeTtlMs: ttlMs };
}

function resolvePolicy(given: Record<string, unknown>, byDefault: LoadPolicy): LoadPolicy {
  const duration = (name: string, otherwise: number): number => durationOption(name, given[name], otherwise);
  return {
    ttlMs: byDefault.ttlMs,
    staleForMs: duration("staleFor", byDefault.staleForMs),
    staleIfErrorMs: duration("staleIfError", byDefault.staleIfErrorMs),
    softTimeoutMs: duration("softTimeout", byDefault.softTimeoutMs),
    hardTimeoutMs: duration("hardTimeout", byDefault.hardTimeoutMs),
    jitter: numberOption("jitter", given.jitter, 0, 1, byDefault.jitter),
    beta: numberOption("beta", given.beta, 0, 10, byDefault.beta),
    negativeTtlMs: duration("negativeTtl", byDefault.negativeTtlMs),
    errorBackoffMs: duration("errorBackoff", byDefault.errorBackoffMs),
  };
}

const TIER_METHODS = ["attach", "get", "set", "delete", "close", "stats"] as const;

function resolveTier(value: unknown): Tier | undefined {
  if (value === undefined) {
    return undefined;
  }
  const tier = value as Partial<Record<(typeof TIER_METHODS)[number], unknown>> | null;
  if (typeof tier !== "object" || tier === null || TIER_METHODS.some((name) => typeof tier[name] !== "function")) {
    fail("l2", value, 'a second tier, as redisTier(…) of "nearcache/redis" makes one');
  }
  return value as Tier;
}

type Sharing = Pick<ResolvedLoading, "tierLeaseMs" | "isTierWaitedFor">;

function resolveSharing(value: unknown, tier: Tier | undefined): Sharing {
  if (value === undefined || value === "process") {
    return { tierLeaseMs: GUARD_MS, isTierWaitedFor: false };
  }
  if (tier === undefined) {
    const message = `The option singleFlight is ${show(value)}, but there is no second tier (l2) by which processes could agree.`;
    throw new InvalidOptionError("ERR_INVALID_OPTION", message, { option: "singleFlight", value });
  }
  const given = value === "cluster" ? undefined : asRecord("singleFlight", value, ["lease"]).lease;
  const tierLeaseMs = durationOption("singleFlight.lease", given, LEASE_MS);
  if (!(tierLeaseMs >= 1 && Number.isFinite(tierLeaseMs))) {
    fail("singleFlight.lease", given, "a length of time of at least 1 ms, and an end");
  }
  return { tierLeaseMs, isTierWaitedFor: true };
}
