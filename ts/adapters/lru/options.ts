/** Options of the lru-cache-shaped class: what is taken, what is refused and why. */
import { asRecord, countOption, fail, flagOption, functionOption } from "../../checks.js";
import { InvalidArgumentError, InvalidOptionError, show } from "../../errors.js";
import type { CacheOptions } from "../../options.js";
import type { Size } from "../../units.js";

/** What a `fetchMethod` is given beside key and stale value. */
export interface FetcherOptions<FC> {
  /** Aborts when the key is set or deleted meanwhile, or when the signal of the first caller does. */
  readonly signal: AbortSignal;
  /** The options of the call, with the instance's for those that it does not have. */
  readonly options: FetchBehaviour;
  /** What the first caller gave as `context`. */
  readonly context: FC;
}

/** Loads the value of a key; `undefined`: there is none, and nothing is stored. */
export type Fetcher<K extends string, V, FC> = (
  key: K,
  staleValue: V | undefined,
  options: FetcherOptions<FC>,
  // biome-ignore lint/suspicious/noConfusingVoidType: as lru-cache has it, so that its users' functions fit.
) => V | undefined | void | PromiseLike<V | undefined | void>;

/** What may be set for an instance and for one call. */
export interface GetBehaviour {
  /** Whether an entry whose time is over is given out once more. Default `false`. */
  readonly allowStale?: boolean | undefined;
  /** Whether a `get` starts an entry's time anew. Costs a write for each hit. Default `false`. */
  readonly updateAgeOnGet?: boolean | undefined;
  /** Whether an entry whose time is over stays when a `get` meets it. Default `false`. */
  readonly noDeleteOnStaleGet?: boolean | undefined;
}

/** What may be set for an instance and for one `fetch`. */
export interface FetchBehaviour extends GetBehaviour {
  /** How long what is fetched lives, in milliseconds; 0: for ever. */
  readonly ttl?: number | undefined;
  /** Whether the stale value stays when a fetch fails. Default `false`. */
  readonly noDeleteOnFetchRejection?: boolean | undefined;
  /** Whether the stale value is given out when a fetch fails. Default `false`. */
  readonly allowStaleOnFetchRejection?: boolean | undefined;
}

/** Options of {@link LRUCache}. */
export interface LRUCacheOptions<K extends string, V, FC = unknown>
  extends FetchBehaviour,
    Pick<CacheOptions, "name" | "values" | "l0"> {
  /**
   * What the cache may take in memory, everything included: bytes, or as in `"64mb"`. Required: it is the limit that this
   * cache is about. (lru-cache's `maxSize` is in units of your own, counted by `sizeCalculation`.)
   */
  readonly maxSize: Size;
  /** How many entries there may be beside that. Default: as many as fit. From 1 to 2^32. */
  readonly max?: number | undefined;
  /** The largest entry that is kept, in encoded bytes. Default: an eighth of `maxSize`. */
  readonly maxEntrySize?: Size | undefined;
  /** Whether a `has` starts an entry's time anew. Default `false`. */
  readonly updateAgeOnHas?: boolean | undefined;
  /** Whether a `set` of a key that is there leaves its time as it is. Default `false`. */
  readonly noUpdateTTL?: boolean | undefined;
  /** Loads what `fetch` does not find. */
  readonly fetchMethod?: Fetcher<K, V, FC> | undefined;
  /** Accepted and without effect: entries whose time is over are always purged, unless stale ones are allowed. */
  readonly ttlAutopurge?: boolean | undefined;
  /** Accepted and without effect: the clock moves in steps of 5 ms. */
  readonly ttlResolution?: number | undefined;
  /** The source of time, for tests. Times are then kept with the values. */
  readonly perf?:
    | {
        /** The time now, in milliseconds. */
        now(): number;
      }
    | undefined;
}

/** Options as the class uses them. */
export interface ResolvedLruOptions<K extends string, V, FC> {
  readonly cache: CacheOptions;
  readonly max: number;
  readonly ttl: number;
  readonly behaviour: Required<Omit<FetchBehaviour, "ttl">>;
  readonly updateAgeOnHas: boolean;
  readonly noUpdateTTL: boolean;
  readonly fetchMethod: Fetcher<K, V, FC> | undefined;
  /** Keeps the time with each value, because stale ones may be wanted or times changed. */
  readonly isTimed: boolean;
  readonly now: () => number;
}

const WHY: Readonly<Record<string, string>> = {
  dispose: "entries are evicted outside of the JavaScript heap, by any thread: there is no value to hand over",
  disposeAfter: "entries are evicted outside of the JavaScript heap, by any thread: there is no value to hand over",
  noDisposeOnSet: "there is no dispose",
  onInsert: "other threads' inserts could not be told",
  sizeCalculation: "sizes are measured: leave it out, and give maxSize in bytes",
  memoMethod: "use fetchMethod, or getOrSet of the cache itself",
  ignoreFetchAbort: "a fetch that was aborted is never stored",
  allowStaleOnFetchAbort: "a fetch that was aborted rejects",
  backgroundFetchSize: "a fetch under way takes no place in the cache",
};
const BEHAVIOURS = [
  ...(["allowStale", "updateAgeOnGet", "noDeleteOnStaleGet", "noDeleteOnFetchRejection"] as const),
  "allowStaleOnFetchRejection" as const,
];
/** What takes times that are kept with the values. */
export const TIMED: ReadonlySet<string> = new Set([...BEHAVIOURS, "updateAgeOnHas", "noUpdateTTL"]);
const NAMES = [
  ...["max", "maxSize", "maxEntrySize", "ttl", "name", "values", "l0", "updateAgeOnHas", "noUpdateTTL", "fetchMethod"],
  ...["ttlAutopurge", "ttlResolution", "perf", ...BEHAVIOURS],
];

/** Checks options. Throws an {@link InvalidOptionError}. */
export function resolveLruOptions<K extends string, V, FC>(
  options: LRUCacheOptions<K, V, FC>,
): ResolvedLruOptions<K, V, FC> {
  for (const [name, why] of Object.entries(WHY)) {
    const value = (options as unknown as Record<string, unknown> | undefined)?.[name];
    if (value !== undefined && value !== false) {
      const message = `The option ${name} of lru-cache is not there in nearcache: ${why}.`;
      throw new InvalidOptionError("ERR_INVALID_OPTION", message, { option: name, value });
    }
  }
  const known = Object.entries(options ?? {}).filter(([name]) => !Object.hasOwn(WHY, name));
  asRecord("options", Object.fromEntries(known), NAMES);
  if (options?.maxSize === undefined) {
    fail("maxSize", undefined, 'the memory that the cache may take, in bytes or as in "64mb"');
  }
  const perf: unknown = options.perf;
  if (perf !== undefined && typeof (perf as { now?: unknown } | null)?.now !== "function") {
    fail("perf", perf, "an object with the function now");
  }
  const flag = (name: keyof LRUCacheOptions<K, V, FC>): boolean => flagOption(name, options[name], false);
  const behaviour = Object.fromEntries(BEHAVIOURS.map((name) => [name, flag(name)]));
  const [updateAgeOnHas, noUpdateTTL] = [flag("updateAgeOnHas"), flag("noUpdateTTL")];
  const ttl = ttlOption(options.ttl, 0);
  const { name, values, l0, maxEntrySize } = options;
  return {
    cache: {
      maxMemory: options.maxSize,
      ttl: ttl === 0 ? Number.POSITIVE_INFINITY : ttl,
      ...(name === undefined ? {} : { name }),
      ...(values === undefined ? {} : { values }),
      ...(l0 === undefined ? {} : { l0 }),
      ...(maxEntrySize === undefined ? {} : { maxValueSize: maxEntrySize }),
    },
    max: countOption("max", options.max, 1, 2 ** 32, Number.POSITIVE_INFINITY),
    ttl,
    behaviour: behaviour as Required<Omit<FetchBehaviour, "ttl">>,
    ...{ updateAgeOnHas, noUpdateTTL },
    fetchMethod: functionOption("fetchMethod", options.fetchMethod),
    isTimed: perf !== undefined || updateAgeOnHas || noUpdateTTL || Object.values(behaviour).includes(true),
    // One time for all threads, which performance.now() alone is not.
    now: options.perf === undefined ? () => performance.timeOrigin + performance.now() : () => perfNow(options.perf),
  };
}

/** A TTL of a call in milliseconds; 0: for ever. */
export function ttlOption(ttl: unknown, byDefault: number): number {
  if (ttl === undefined) {
    return byDefault;
  }
  if (typeof ttl !== "number" || !(ttl >= 0)) {
    const message = `ttl is ${show(ttl)}; allowed are milliseconds as a number, 0 for ever.`;
    throw new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value: ttl });
  }
  return ttl === Number.POSITIVE_INFINITY ? 0 : ttl;
}

function perfNow(perf: { now(): number } | undefined): number {
  return perf?.now() ?? 0;
}
