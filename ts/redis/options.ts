/**
 * What users may ask of the Redis tier, and the check that it makes sense: options in, numbers out. Every mistake is an
 * {@link InvalidOptionError} that names the option, the value and what is allowed.
 */
import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from "ioredis";
import { asRecord, DURATION_ALLOWED, fail } from "../checks.js";
import { InvalidOptionError, show } from "../errors.js";
import type { Coherence } from "../tier.js";
import { type Duration, parseDuration, parseSize, type Size, showSize } from "../units.js";
import type { BreakerSettings } from "./breaker.js";
import { type Clock, SYSTEM_CLOCK } from "./clock.js";
import { type CompressionChoice, isSupported } from "./compression.js";

/** When the circuit breaker opens, and when Redis is tried again. */
export interface BreakerOptions {
  /** How many failures in a row open it. Default 5. From 1 to 1,000. */
  readonly failures?: number;
  /** How near to each other these failures must be. Default `"10s"`. From 1 ms to 1 h. */
  readonly window?: Duration;
  /** How long Redis is left alone before a probe. Default `"1s"`. From 1 ms to 1 h. */
  readonly probeAfter?: Duration;
}

/** Which values are compressed, and how. */
export interface CompressOptions {
  /** Values of more encoded bytes than this. Default `"10kb"`. Up to 256 MiB. */
  readonly above?: Size;
  /**
   * `"auto"` (default): zstd where `node:zlib` has it (Node.js 22.15 and newer), else brotli, both at a fast level. A process
   * that can't read what another wrote takes it for a miss: with older ones among them choose `"brotli"` or `"gzip"`.
   * `false`: nothing is compressed; what is compressed already is still read.
   */
  readonly with?: CompressionChoice | "auto" | false;
}

/** A Redis Cluster. */
export interface ClusterSource {
  /** Some nodes, from which the others are found. */
  readonly nodes: readonly ClusterNode[];
  /** Further options of ioredis' `Cluster`: `redisOptions` for each node (password, TLS), `natMap`, … */
  readonly options?: ClusterOptions;
}

/** Settings of {@link redisTier} beside where Redis is. */
export interface RedisTierSettings {
  /**
   * What all names in Redis begin with. Default `"nearcache:"`. Caches with the same prefix on the same database share their
   * entries; whoever else writes there is in the way. From 1 to 200 characters, without `{}`.
   */
  readonly prefix?: string;
  /** The longest that a call waits for Redis, however many round trips it takes. Default 50 ms. From 1 ms to 60 s. */
  readonly commandTimeout?: Duration;
  /** The longest that a connection may take to come up. Default 500 ms. From 1 ms to 60 s. Not with `client`. */
  readonly connectTimeout?: Duration;
  /** When Redis is left alone, and for how long. */
  readonly breaker?: BreakerOptions;
  /**
   * How this process hears of other processes' writes. `"auto"` (default): `"tracking"`, Redis' own client-side caching, where
   * the server has it, else `"stream"`, a stream beside the entries. `"ttl-only"`: not at all; what this process holds
   * may be out of date until its TTL ends. What is in force is in `stats()`.
   */
  readonly coherence?: Coherence | "auto";
  /** Which values are compressed, and how; `false`: none. */
  readonly compress?: CompressOptions | false;
  /** The largest value, in encoded bytes before compression. Larger ones are refused. Default `"16mb"`. At most 256 MiB. */
  readonly maxValueSize?: Size;
  /** How many commands may wait for their replies; beyond it calls fail at once. Default 1,000. From 1 to 100,000. */
  readonly maxInFlight?: number;
  /** How many writes may be under way or wait for earlier ones to the same key. Default 10,000. From 1 to 1,000,000. */
  readonly writeQueue?: number;
}

/** Where Redis is: one of these. */
export interface RedisSource {
  /** `redis://[user:password@]host[:port][/database]`, or `rediss://` for TLS. */
  readonly url?: string;
  /**
   * An ioredis client (`Redis` or `Cluster`) of yours. It is used as it is and never closed; see the guide for what its
   * options should be.
   */
  readonly client?: Redis | Cluster;
  /** Options of ioredis: host, port, TLS, Sentinel (`sentinels`, `name`), … Those that fail-fast needs are ours. */
  readonly options?: RedisOptions;
  /** A Redis Cluster. */
  readonly cluster?: ClusterSource;
}

/** Options of {@link redisTier}: where Redis is, and how it is used. */
export interface RedisTierOptions extends RedisSource, RedisTierSettings {
  /** Time, for tests. @internal */
  readonly clock?: Clock;
}

/** Options as the rest of the code uses them. */
export interface ResolvedTierOptions {
  readonly source: RedisSource;
  readonly prefix: string;
  readonly commandTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly breaker: BreakerSettings;
  readonly coherence: Coherence | "auto";
  /** Values of more bytes are compressed. */
  readonly compressAbove: number;
  readonly compressWith: CompressionChoice | undefined;
  readonly valueBytesMax: number;
  readonly commandsMax: number;
  readonly writesMax: number;
  readonly clock: Clock;
}

const SOURCES = ["url", "client", "options", "cluster"] as const;
const SETTINGS = [
  "prefix",
  "commandTimeout",
  "connectTimeout",
  "breaker",
  "coherence",
  "compress",
  "maxValueSize",
  "maxInFlight",
  "writeQueue",
  "clock",
];
const COHERENCES = ["auto", "tracking", "stream", "ttl-only"];
const COMPRESSIONS = ["zstd", "brotli", "gzip", "auto"];
const PREFIX_LENGTH_MAX = 200;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const VALUE_BYTES_DEFAULT = 16 * 2 ** 20;
const VALUE_BYTES_MAX = 256 * 2 ** 20;

/** Checks the options of {@link redisTier}. Throws {@link InvalidOptionError}. */
export function resolveTierOptions(options: unknown): ResolvedTierOptions {
  const given = asRecord("options", options, [...SOURCES, ...SETTINGS]);
  const breaker = asRecord("breaker", given.breaker ?? {}, ["failures", "window", "probeAfter"]);
  return {
    source: resolveSource(given),
    prefix: resolvePrefix(given.prefix),
    commandTimeoutMs: resolveDuration("commandTimeout", given.commandTimeout ?? 50, MINUTE_MS),
    connectTimeoutMs: resolveDuration("connectTimeout", given.connectTimeout ?? 500, MINUTE_MS),
    breaker: {
      failures: resolveCount("breaker.failures", breaker.failures ?? 5, 1_000),
      windowMs: resolveDuration("breaker.window", breaker.window ?? "10s", HOUR_MS),
      probeAfterMs: resolveDuration("breaker.probeAfter", breaker.probeAfter ?? "1s", HOUR_MS),
    },
    coherence: resolveCoherence(given.coherence),
    ...resolveCompress(given.compress),
    valueBytesMax: resolveSize("maxValueSize", given.maxValueSize ?? VALUE_BYTES_DEFAULT, 1, VALUE_BYTES_MAX),
    commandsMax: resolveCount("maxInFlight", given.maxInFlight ?? 1_000, 100_000),
    writesMax: resolveCount("writeQueue", given.writeQueue ?? 10_000, 1_000_000),
    clock: (given.clock as Clock | undefined) ?? SYSTEM_CLOCK,
  };
}

function resolveSource(given: Record<string, unknown>): RedisSource {
  const named = SOURCES.filter((name) => given[name] !== undefined);
  const [name] = named;
  if (name === undefined || named.length > 1) {
    const what = name === undefined ? "None of the options" : "More than one of the options";
    const message = `${what} url, client, options and cluster is given; redisTier needs exactly one, to know where Redis is.`;
    throw new InvalidOptionError("ERR_INVALID_OPTION", message, { option: named[1] ?? "url", value: given });
  }
  CHECKS[name](given[name]);
  return { [name]: given[name] };
}

const CHECKS: Record<(typeof SOURCES)[number], (value: unknown) => void> = {
  url: (value) => {
    if (typeof value !== "string" || !/^rediss?:\/\//.test(value) || !URL.canParse(value)) {
      fail("url", value, 'text such as "redis://localhost:6379" or "rediss://user:password@host:6380/0"');
    }
  },
  client: checkClient,
  options: (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      fail("options", value, "an object with options of ioredis");
    }
    refuseKeyPrefix("options.keyPrefix", value);
  },
  cluster: (value) => {
    const { nodes, options } = asRecord("cluster", value, ["nodes", "options"]);
    if (!Array.isArray(nodes) || nodes.length === 0) {
      fail("cluster.nodes", nodes, "a list of at least one node, such as { host, port }");
    }
    if (options !== undefined && (typeof options !== "object" || options === null)) {
      fail("cluster.options", options, "an object with options of ioredis' Cluster");
    }
    refuseKeyPrefix("cluster.options.keyPrefix", options);
    refuseKeyPrefix("cluster.options.redisOptions.keyPrefix", (options as ClusterOptions | undefined)?.redisOptions);
  },
};

/** What a client must have to be one of ioredis', from whatever copy of that package. */
function checkClient(value: unknown): void {
  const client = value as Partial<Redis> | null;
  const isClient =
    typeof client === "object" && typeof client?.callBuffer === "function" && typeof client.status === "string";
  if (!isClient) {
    fail("client", value, "a client of ioredis (Redis or Cluster)");
  }
  refuseKeyPrefix("client.options.keyPrefix", client?.options);
  if (client?.mode !== undefined && client.mode !== "normal") {
    fail(
      "client",
      `a client in ${client.mode} mode`,
      "a client that runs ordinary commands: give the tier one of its own",
    );
  }
}

function refuseKeyPrefix(option: string, options: unknown): void {
  const keyPrefix = (options as { keyPrefix?: unknown } | null | undefined)?.keyPrefix;
  if (keyPrefix !== undefined && keyPrefix !== "") {
    fail(option, keyPrefix, "nothing, as ioredis does not put it before patterns: use the tier's own option prefix");
  }
}

function resolvePrefix(value: unknown): string {
  if (value === undefined) {
    return "nearcache:";
  }
  if (typeof value !== "string" || value === "" || value.length > PREFIX_LENGTH_MAX) {
    fail("prefix", value, `text of 1 to ${PREFIX_LENGTH_MAX} characters, such as "shop:"`);
  }
  if (value.includes("{}")) {
    fail("prefix", value, "text without {}, which would keep a Cluster from having what belongs together in one slot");
  }
  return value;
}

function resolveCoherence(value: unknown): Coherence | "auto" {
  if (value === undefined) {
    return "auto";
  }
  if (typeof value !== "string" || !COHERENCES.includes(value)) {
    fail("coherence", value, COHERENCES.map(show).join(", "));
  }
  return value as Coherence | "auto";
}

function resolveCompress(value: unknown): Pick<ResolvedTierOptions, "compressAbove" | "compressWith"> {
  if (value === false) {
    return { compressAbove: 0, compressWith: undefined };
  }
  const given = asRecord("compress", value ?? {}, ["above", "with"]);
  const compressAbove = resolveSize("compress.above", given.above ?? 10 * 1024, 0, VALUE_BYTES_MAX);
  const how = given.with ?? "auto";
  if (how === false) {
    return { compressAbove, compressWith: undefined };
  }
  if (typeof how !== "string" || !COMPRESSIONS.includes(how)) {
    fail("compress.with", how, `${COMPRESSIONS.map(show).join(", ")} or false`);
  }
  if (how === "auto") {
    return { compressAbove, compressWith: isSupported("zstd") ? "zstd" : "brotli" };
  }
  const compressWith = how as CompressionChoice;
  if (!isSupported(compressWith)) {
    const allowed = '"auto", "brotli", "gzip" or false; zstd needs Node.js 22.15 or newer';
    fail("compress.with", how, `${allowed}, this is ${process.version}`);
  }
  return { compressAbove, compressWith };
}

function resolveDuration(option: string, value: unknown, max: number): number {
  const ms = parseDuration(value);
  if (ms === undefined || !(ms >= 1 && ms <= max)) {
    fail(option, value, `${DURATION_ALLOWED}, from 1 ms to ${max / 1000} s`);
  }
  return Math.ceil(ms);
}

function resolveSize(option: string, value: unknown, min: number, max: number): number {
  const bytes = parseSize(value);
  if (bytes === undefined || !(bytes >= min && bytes <= max)) {
    fail(option, value, `bytes as a number, or text such as "10kb", from ${min} to ${showSize(max)}`);
  }
  return bytes;
}

function resolveCount(option: string, value: unknown, max: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > max) {
    fail(option, value, `a whole number from 1 to ${max}`);
  }
  return value;
}
