/**
 * `nearcache/redis`: Redis or Valkey as the second tier of a cache. The only part of the package that loads ioredis.
 * @packageDocumentation
 * @module nearcache/redis
 */
import type { Tier } from "../tier.js";
import { type RedisTierOptions, resolveTierOptions } from "./options.js";
import { RedisTier } from "./tier.js";

export type {
  BreakerState,
  Coherence,
  Tier,
  TierAnswer,
  TierEntry,
  TierEvent,
  TierHost,
  TierLookUp,
  TierStats,
  TierWrite,
} from "../tier.js";
export type {
  BreakerOptions,
  ClusterSource,
  CompressOptions,
  RedisSource,
  RedisTierOptions,
  RedisTierSettings,
} from "./options.js";

/**
 * A second tier in Redis, Valkey, a Redis Cluster, or behind Sentinels. It connects at once and goes on trying; until there
 * is a connection, and whenever Redis is away, look-ups are misses.
 *
 * @throws {@link InvalidOptionError} for options that make no sense.
 * @example
 * ```ts
 * import { createCache } from "nearcache";
 * import { redisTier } from "nearcache/redis";
 *
 * const cache = createCache({ maxMemory: "256mb", ttl: "10m", l2: redisTier({ url: "redis://localhost:6379" }) });
 * ```
 */
export function redisTier(options: RedisTierOptions): Tier {
  return new RedisTier(resolveTierOptions(options));
}
