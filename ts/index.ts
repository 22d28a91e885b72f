/**
 * nearcache: a byte-bounded, off-heap cache for Node.js, shared by all worker threads.
 *
 * The outside face of the package; the modules behind it import each other and never this file.
 * @packageDocumentation
 */
export type { Cache, KeysOptions } from "./api.js";
export { createCache } from "./cache.js";
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
  NearcacheError,
  NoRoomError,
  ScopeRequiredError,
  TierError,
  ValueNotCacheableError,
  ValueTooLargeError,
  WriteFailedError,
} from "./errors.js";
export type { LoadContext, Loader } from "./load.js";
export type { CacheOptions, Codec, L0Options, LoadOptions, SetOptions } from "./options.js";
export type { CacheStats } from "./stats.js";
export type { Duration, DurationUnit, Size, SizeUnit } from "./units.js";
