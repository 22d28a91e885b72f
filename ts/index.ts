/**
 * nearcache: a byte-bounded, off-heap cache for Node.js, shared by all worker threads.
 * @packageDocumentation
 * @module nearcache
 */
// The outside face of the package; the modules behind it import each other and never this file.
export type { Cache, KeysOptions, ScopedCache } from "./api.js";
export { createCache } from "./cache.js";
export type { Codec } from "./codec/pluggable.js";
export { parseScopedKey, type ScopeDimensions } from "./dimensions.js";
export {
  CacheClosedError,
  CachePoisonedError,
  ConfigMismatchError,
  type ErrorCode,
  type ErrorDetails,
  InvalidArgumentError,
  InvalidKeyError,
  InvalidOptionError,
  InvalidTtlError,
  LoadCycleError,
  LoadsFullError,
  LoadTimeoutError,
  NativeAddonError,
  type NativeAddonReason,
  NearcacheError,
  NoRoomError,
  ScopeRequiredError,
  TierError,
  ValueNotCacheableError,
  ValueTooLargeError,
  WriteFailedError,
} from "./errors.js";
export type { CacheEvents, LatencyStats, LoadStats, Percentiles } from "./events.js";
export { type KeyPart, key } from "./keys.js";
export type { BatchLoaded, BatchLoader, LoadContext, Loaded, Loader, NotModified, StaleValue } from "./load/context.js";
export type { FreshnessOptions, LoadingOptions, LoadOptions } from "./load/options.js";
export type { Refreshing } from "./load/refresher.js";
export type { CacheOptions, L0Options, Objective, SetOptions, TtlOptions } from "./options.js";
export type { BehindWriter, WriteContext, WriteOptions, WriteTarget } from "./origin.js";
export { requireScope, scoped } from "./scope.js";
export type { CacheStats, L2Stats } from "./stats.js";
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
} from "./tier.js";
export type { Duration, DurationUnit, Size, SizeUnit } from "./units.js";
export {
  type WriteBatchContext,
  WriteBehind,
  type WriteBehindOptions,
  type WriteBehindStats,
  type WriteItem,
} from "./write/behind.js";
export { type WriteThroughOptions, writeThrough } from "./write/through.js";
export type { WriteClock } from "./write/timers.js";
export { write } from "./write/write.js";
