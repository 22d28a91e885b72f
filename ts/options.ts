/**
 * What users may ask for, and the check that they asked for something sensible: options in, numbers out. Every mistake
 * is an error that names the option, the value and what is allowed. Nothing below this file looks at options again.
 */
import { totalmem } from "node:os";
import { asRecord, DURATION_ALLOWED, fail } from "./checks.js";
import type { Codec } from "./codec/pluggable.js";
import { InvalidArgumentError, InvalidTtlError, show } from "./errors.js";
import { LOADING_NAMES, type LoadingOptions, type ResolvedLoading, resolveLoading } from "./load/options.js";
import type { NativeLimits } from "./native.js";
import { type Duration, parseDuration, parseSize, type Size, showSize } from "./units.js";

/** Settings of L0, the thread's own small cache of decoded values. */
export interface L0Options {
  /**
   * How many values a thread keeps decoded. Default 1,024. Values of more than 64 KiB are never kept. More than the CPU's
   * caches hold makes every hit slower. Between 1 and 1,048,576.
   */
  readonly maxEntries?: number;
}

/** What eviction is to keep high, see {@link CacheOptions.objective}. */
export type Objective = "balanced" | "objects" | "bytes";

/** Options of {@link createCache}. */
export interface CacheOptions<T = unknown> extends LoadingOptions<T> {
  /**
   * A name that other threads of the process use to attach to the same cache. They must give the same `maxMemory`,
   * `ttl`, `maxValueSize`, `maxEntries`, `objective` and kind of `codec`, or get `ERR_CONFIG_MISMATCH`; `values` and
   * `l0` are each thread's own. Without a name the cache is private to this call. From 1 to 255 characters.
   */
  readonly name?: string;
  /**
   * The memory that the cache may take, in bytes or as in `"256mb"` (binary units): everything included, index and free
   * space too, and off the JavaScript heap. Entries are evicted to stay within it. Required. From 64 KiB to what the
   * machine, or its container, has.
   */
  readonly maxMemory: Size;
  /**
   * How long entries live: milliseconds, or as in `"10m"`. `Infinity` for entries that live until they are evicted; to be
   * said on purpose, so required. Single entries may differ, see {@link SetOptions.ttl}. More than 0, and at most ten years
   * (316,224,000,000 ms) where it is not `Infinity`.
   */
  readonly ttl: Duration;
  /** The largest value, in encoded bytes. Default: an eighth of `maxMemory`, at most 16 MiB. From 1 to less than `maxMemory`. */
  readonly maxValueSize?: Size;
  /**
   * How many entries there may be, beside `maxMemory`, which holds too; from 1 to 4,294,967,296. Default: as many as
   * fit. Eviction then counts entries, whatever their size. While several threads write, each may hold one more for a
   * moment; entries that expired count until their memory is reclaimed, which is soon.
   */
  readonly maxEntries?: number;
  /**
   * What eviction is to keep high where entries differ in size: `"objects"`, the share of reads that hit, for which large
   * entries go first; `"bytes"`, the share of bytes that need not be fetched again, for which size doesn't count and use
   * does; `"balanced"` (default), between the two. Without effect where sizes are alike, and with `maxEntries`.
   */
  readonly objective?: Objective;
  /**
   * What readers get for objects. `"frozen"` (default): deep-frozen ones, which all readers of the thread share, so a hit
   * in L0 costs a Map look-up. `"copy"`: a fresh, mutable copy per read, decoded from the shared store each time; L0 then
   * keeps strings, numbers, booleans, bigints and null only.
   *
   * Values with a Date, Map, Set or bytes in them can't be frozen entirely: each reader gets its own copy of such a
   * value (in frozen mode with its plain objects and arrays frozen), and L0 does not keep it.
   */
  readonly values?: "frozen" | "copy";
  /** Settings of L0, or `false` for none. Default `{ maxEntries: 1024 }`. */
  readonly l0?: L0Options | false;
  /** How objects are encoded. Default: a built-in codec that gives back what was set, exactly, or refuses it. */
  readonly codec?: Codec;
  /**
   * Dimensions that every use of a key must carry: without {@link Cache.scope} it throws {@link ScopeRequiredError}. For
   * caches in which a forgotten tenant would be a leak.
   */
  readonly requireScope?: readonly string[];
}

/** Options of `touch` and of `setMany`. */
export interface TtlOptions {
  /**
   * How long the entry lives, in milliseconds or as text, instead of the cache's `ttl`. At most ten years, or `Infinity`.
   * `0`: not at all; an existing entry is deleted.
   */
  readonly ttl?: Duration | undefined;
}

/** Options of `set`. */
export interface SetOptions extends TtlOptions {
  /** What {@link Cache.invalidateTags} finds it by. */
  readonly tags?: readonly string[] | undefined;
  /** Keys that the value was built from: when one of them is written or deleted, the entry is invalidated. */
  readonly dependsOn?: readonly string[] | undefined;
  /** How long the entry may still be served after its `ttl` while `getOrLoad` refreshes it, instead of the cache's. */
  readonly staleFor?: Duration | undefined;
}

/** Options as the rest of the code uses them. */
export interface ResolvedOptions {
  readonly name: string | undefined;
  readonly maxMemory: number;
  readonly ttlMs: number;
  readonly maxValueSize: number | undefined;
  readonly maxEntries: number | undefined;
  readonly objective: Objective;
  readonly isFrozen: boolean;
  /** 0: L0 is off. */
  readonly l0EntriesMax: number;
  readonly codec: Codec | undefined;
  readonly loading: ResolvedLoading;
  readonly requiredScope: readonly string[] | undefined;
}

const OPTION_NAMES = [
  "name",
  "maxMemory",
  "ttl",
  "maxValueSize",
  "maxEntries",
  "objective",
  "values",
  "l0",
  "codec",
  "requireScope",
  ...LOADING_NAMES,
];
const OBJECTIVES: readonly Objective[] = ["balanced", "objects", "bytes"];
const NAME_LENGTH_MAX = 255;
/** No budget holds as many. */
const ENTRIES_MAX = 2 ** 32;
const L0_ENTRIES_DEFAULT = 1024;
const L0_ENTRIES_MAX = 1_048_576;
const SIZE_ALLOWED = 'bytes as a number, or text such as "64kb", "256mb", "1.5gb"';

/** Checks the options of {@link createCache}. Throws {@link InvalidOptionError}. */
export function resolveOptions(options: unknown, limits: NativeLimits): ResolvedOptions {
  const given = asRecord("options", options, OPTION_NAMES);
  const maxMemory = resolveMemory(given.maxMemory, limits);
  const ttlMs = resolveDefaultTtl(given.ttl, limits);
  return {
    name: resolveName(given.name),
    maxMemory,
    ttlMs,
    maxValueSize: resolveValueSize(given.maxValueSize, maxMemory),
    maxEntries: resolveEntries(given.maxEntries),
    objective: resolveObjective(given.objective),
    isFrozen: resolveValues(given.values),
    l0EntriesMax: resolveL0(given.l0),
    codec: resolveCodec(given.codec),
    loading: resolveLoading(given, ttlMs),
    requiredScope: resolveScope(given.requireScope),
  };
}

/**
 * The TTL of one write in whole milliseconds, rounded up; `undefined`: the cache's own. Takes what `set` takes as its
 * third argument: options, or the TTL itself. Throws {@link InvalidTtlError} and {@link InvalidArgumentError}.
 */
export function resolveTtl(options: unknown, ttlMsMax: number, names: readonly string[] = ["ttl"]): number | undefined {
  if (options === undefined) {
    return undefined;
  }
  if (typeof options !== "object" || options === null) {
    return checkTtl(options, ttlMsMax);
  }
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) {
      const message = `There is no option ${show(name)} here, only ${names.join(" and ")}.`;
      throw new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value: options });
    }
  }
  const { ttl } = options as SetOptions;
  return ttl === undefined ? undefined : checkTtl(ttl, ttlMsMax);
}

/** One TTL in whole milliseconds, rounded up. Throws {@link InvalidTtlError}. */
export function checkTtl(ttl: unknown, ttlMsMax: number): number {
  const ms = parseDuration(ttl);
  if (ms === undefined || !(ms >= 0) || (ms > ttlMsMax && ms !== Number.POSITIVE_INFINITY)) {
    const message = `ttl is ${show(ttl)}; allowed are ${DURATION_ALLOWED}, from 0 (don't cache) to ${ttlMsMax} ms, or Infinity.`;
    throw new InvalidTtlError("ERR_INVALID_TTL", message, { value: ttl });
  }
  return Math.ceil(ms);
}

function resolveMemory(value: unknown, limits: NativeLimits): number {
  const allowed = `${SIZE_ALLOWED}, from ${showSize(limits.memoryMin)} to`;
  const machine = machineMemory();
  const max = Math.min(limits.memoryMax, machine);
  const bytes = parseSize(value);
  if (bytes === undefined || !(bytes >= limits.memoryMin && bytes <= max)) {
    const isTooLarge = bytes !== undefined && bytes > max;
    const reason =
      max < machine
        ? ", the most that one cache can have: use several"
        : ", which is what this machine has: choose less";
    fail("maxMemory", value, `${allowed} ${showSize(max)}${isTooLarge ? reason : ""}`);
  }
  return bytes;
}

/** The memory of the machine, or of the container if that has less. */
function machineMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

function resolveDefaultTtl(value: unknown, limits: NativeLimits): number {
  const ms = parseDuration(value);
  if (ms === undefined || !(ms > 0) || (ms > limits.ttlMsMax && ms !== Number.POSITIVE_INFINITY)) {
    fail("ttl", value, `${DURATION_ALLOWED}, more than 0 and at most ${limits.ttlMsMax} ms, or Infinity`);
  }
  return Math.ceil(ms);
}

function resolveValueSize(value: unknown, maxMemory: number): number | undefined {
  if (value === undefined) {
    return undefined;
  }
  const bytes = parseSize(value);
  if (bytes === undefined || !(bytes >= 1 && bytes <= maxMemory)) {
    fail("maxValueSize", value, `${SIZE_ALLOWED}, from 1 to less than maxMemory (${showSize(maxMemory)})`);
  }
  return bytes;
}

function resolveEntries(value: unknown): number | undefined {
  if (value === undefined) {
    return undefined;
  }
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > ENTRIES_MAX) {
    fail("maxEntries", value, `a whole number from 1 to ${ENTRIES_MAX}, or nothing for as many as maxMemory holds`);
  }
  return value;
}

function resolveObjective(value: unknown): Objective {
  if (value === undefined) {
    return "balanced";
  }
  const objective = OBJECTIVES.find((one) => one === value);
  if (objective === undefined) {
    fail("objective", value, '"balanced" (the default), "objects" or "bytes"');
  }
  return objective;
}

function resolveName(value: unknown): string | undefined {
  if (value === undefined) {
    return undefined;
  }
  // Half a character would become the sign for a broken one in the addon: other names would be the same.
  if (typeof value !== "string" || value === "" || value.length > NAME_LENGTH_MAX || /\p{Surrogate}/u.test(value)) {
    fail("name", value, `text of 1 to ${NAME_LENGTH_MAX} characters, or nothing for a private cache`);
  }
  return value;
}

function resolveValues(value: unknown): boolean {
  if (value !== undefined && value !== "frozen" && value !== "copy") {
    fail("values", value, '"frozen" or "copy"');
  }
  return value !== "copy";
}

function resolveScope(value: unknown): readonly string[] | undefined {
  if (value === undefined) {
    return undefined;
  }
  const isFine = Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === "string" && name);
  return isFine ? (value as string[]) : fail("requireScope", value, 'names of dimensions, as in ["tenant"]');
}

function resolveL0(value: unknown): number {
  if (value === undefined) {
    return L0_ENTRIES_DEFAULT;
  }
  if (value === false) {
    return 0;
  }
  if (typeof value !== "object" || value === null) {
    fail("l0", value, "an object with maxEntries, or false for no L0");
  }
  const max = asRecord("l0", value, ["maxEntries"]).maxEntries ?? L0_ENTRIES_DEFAULT;
  if (typeof max !== "number" || !Number.isInteger(max) || max < 1 || max > L0_ENTRIES_MAX) {
    fail("l0.maxEntries", max, `a whole number from 1 to ${L0_ENTRIES_MAX} (for no L0: l0: false)`);
  }
  return max;
}

function resolveCodec(value: unknown): Codec | undefined {
  if (value === undefined) {
    return undefined;
  }
  const codec = value as Partial<Codec> | null;
  if (typeof codec !== "object" || typeof codec?.encode !== "function" || typeof codec.decode !== "function") {
    fail("codec", value, "an object with the functions encode and decode");
  }
  return value as Codec;
}
