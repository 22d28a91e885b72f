/**
 * Everything nearcache throws. A closed set: one class per kind of mistake, each with a stable `code`.
 *
 * `instanceof` goes by a brand from the global symbol registry and not by the prototype chain, so it also holds
 * between two installed copies of the package (or its ES-module and CommonJS builds) in one process.
 */
import { types } from "node:util";

/** The `code` of a {@link NearcacheError}. Codes are part of the API: they never change their meaning. */
export type ErrorCode =
  | "ERR_INVALID_OPTION"
  | "ERR_INVALID_ARGUMENT"
  | "ERR_INVALID_TTL"
  | "ERR_KEY_NOT_STRING"
  | "ERR_KEY_TOO_LONG"
  | "ERR_VALUE_NOT_CACHEABLE"
  | "ERR_VALUE_TOO_LARGE"
  | "ERR_NO_ROOM"
  | "ERR_CACHE_CLOSED"
  | "ERR_CACHE_POISONED"
  | "ERR_CONFIG_MISMATCH"
  | "ERR_NATIVE_ADDON"
  | "ERR_LOAD_TIMEOUT"
  | "ERR_LOAD_CYCLE"
  | "ERR_LOADS_FULL"
  | "ERR_TIER"
  | "ERR_SCOPE_REQUIRED"
  | "ERR_WRITE_FAILED";

/** What an error carries beside its code and message. */
export interface ErrorDetails {
  /** The error that led to this one. */
  readonly cause?: unknown;
  /** The option that is wrong, as in `l0.maxEntries`. */
  readonly option?: string;
  /** The value that was given. */
  readonly value?: unknown;
  /** Where in the value the trouble sits, as in `value.session.socket`. */
  readonly path?: string;
  /** The length that was given, in bytes. */
  readonly length?: number;
  /** The largest length that is allowed, in bytes. */
  readonly max?: number;
  /** The key that the call was about. */
  readonly key?: string;
  /** What was tried. */
  readonly operation?: string;
  /** The dimensions of a scope that are not there. */
  readonly missing?: readonly string[];
  /** Why the addon can't be used. */
  readonly reason?: NativeAddonReason;
  /** What this process runs on, as in `linux-x64-gnu`. */
  readonly platform?: string;
}

/**
 * Why there is no addon:
 * - `unsupported-platform`: none is built for this platform.
 * - `missing-package`: the platform's package is not installed (in a checkout: nothing is built yet).
 * - `other-platform`: the package of another platform is installed instead.
 * - `other-version`: the addon belongs to another version of nearcache.
 * - `not-loadable`: the system refuses to load it; the message and `cause` have its words.
 */
export type NativeAddonReason =
  | "unsupported-platform"
  | "missing-package"
  | "other-platform"
  | "other-version"
  | "not-loadable";

const brand = (name: string): symbol => Symbol.for(`nearcache.error.${name}`);

/**
 * The class above all errors of nearcache.
 *
 * @example
 * ```ts
 * try {
 *   cache.set("user:42", user);
 * } catch (error) {
 *   if (error instanceof NearcacheError && error.code === "ERR_VALUE_TOO_LARGE") log.warn(error.message);
 *   else throw error;
 * }
 * ```
 */
export class NearcacheError extends Error {
  /** @internal */
  static readonly brand: symbol = brand("NearcacheError");

  /** Says which kind of error this is; stable across versions, unlike the message. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { cause, ...rest } = details;
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    Object.assign(this, rest);
  }

  /** True for errors of this class from any copy of the package. */
  static override readonly [Symbol.hasInstance] = hasBrand;
}

// `this` is declared as what users see of the classes: their brands are stripped from the published types.
function hasBrand(this: object, value: unknown): boolean {
  if (typeof value !== "object" || value === null) {
    return false;
  }
  // A subclass written by a user has no brand of its own: the prototype chain decides.
  const own = Object.hasOwn(this, "brand") ? (this as { brand: symbol }).brand : undefined;
  return own !== undefined ? own in value : Function.prototype[Symbol.hasInstance].call(this, value);
}

/** An option of {@link createCache} is missing, unknown, of the wrong type or out of range. Code `ERR_INVALID_OPTION`. */
export class InvalidOptionError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("InvalidOptionError");
  /** The option's name, as in `l0.maxEntries`. */
  declare readonly option: string;
  /** The value that was given. */
  declare readonly value: unknown;
}

/** A method was called with something it can't work with (a loader that is no function, say). Code `ERR_INVALID_ARGUMENT`. */
export class InvalidArgumentError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("InvalidArgumentError");
  /** The value that was given. */
  declare readonly value: unknown;
}

/** A TTL that is negative, NaN, too long or not a duration. Code `ERR_INVALID_TTL`. */
export class InvalidTtlError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("InvalidTtlError");
  /** The value that was given. */
  declare readonly value: unknown;
}

/** A key that is no string (`ERR_KEY_NOT_STRING`) or longer than 65,535 bytes of UTF-8 (`ERR_KEY_TOO_LONG`). */
export class InvalidKeyError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("InvalidKeyError");
  /** The key's length in bytes, when that is what is wrong. */
  declare readonly length?: number;
  /** The longest key allowed, in bytes, when the length is what is wrong. */
  declare readonly max?: number;
}

/** A value that could not come back equal to what it was: a function, a class instance, … Code `ERR_VALUE_NOT_CACHEABLE`. */
export class ValueNotCacheableError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("ValueNotCacheableError");
  /** Where it sits, as in `value.session.socket`. */
  declare readonly path: string;
}

/** A value that is larger, encoded, than `maxValueSize`. Code `ERR_VALUE_TOO_LARGE`. */
export class ValueTooLargeError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("ValueTooLargeError");
  /** The encoded length in bytes (at least; encoding stops when the limit is passed). */
  declare readonly length: number;
  /** The largest length allowed, in bytes. */
  declare readonly max: number;
}

/** The cache found no room for an entry even by evicting others, or the process has no memory left. Code `ERR_NO_ROOM`. */
export class NoRoomError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("NoRoomError");
}

/** The cache was used after {@link Cache.close}. Code `ERR_CACHE_CLOSED`. */
export class CacheClosedError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("CacheClosedError");
}

/**
 * A bug in the engine stopped this call; the process goes on. Code `ERR_CACHE_POISONED`. Please report it.
 *
 * The cache repairs itself, losing a part of its entries, and goes on. Where it can't, later calls throw this, too: then
 * close all its handles and create it anew. `stats().repairs` counts the repairs.
 */
export class CachePoisonedError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("CachePoisonedError");
}

/** The name is already in use, with other options; the message says which option differs. Code `ERR_CONFIG_MISMATCH`. */
export class ConfigMismatchError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("ConfigMismatchError");
}

/** The addon for this platform is missing or can't be used; the message has the command that mends it. Code `ERR_NATIVE_ADDON`. */
export class NativeAddonError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("NativeAddonError");
  /** What is wrong with it. */
  declare readonly reason: NativeAddonReason;
  /** What this process runs on, in the names of the packages: `linux-x64-gnu`, `darwin-arm64`. */
  declare readonly platform: string;
}

/** A load took longer than `hardTimeout`, and there was no stale value to serve. Code `ERR_LOAD_TIMEOUT`. */
export class LoadTimeoutError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("LoadTimeoutError");
  /** The key that was being loaded. */
  declare readonly key: string;
}

/** A loader asked for a key whose load waits for that very loader. The message names the cycle. Code `ERR_LOAD_CYCLE`. */
export class LoadCycleError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("LoadCycleError");
  /** The key that was asked for. */
  declare readonly key: string;
}

/** `maxConcurrentLoads` loads are running and no more may wait. Code `ERR_LOADS_FULL`. */
export class LoadsFullError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("LoadsFullError");
  /** The key that was not loaded. */
  declare readonly key: string;
}

/** The second tier could not do what was asked: it is down, too slow, refuses, or was cut off. Code `ERR_TIER`. */
export class TierError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("TierError");
  /** What was tried, for example `set`. */
  declare readonly operation: string;
}

/** The cache demands a scope (`requireScope`), and a key was used without it. Code `ERR_SCOPE_REQUIRED`. */
export class ScopeRequiredError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("ScopeRequiredError");
  /** The dimensions that are missing. */
  declare readonly missing: readonly string[];
}

/** A write to the origin could not be made. Code `ERR_WRITE_FAILED`; `cause` is what the origin said. */
export class WriteFailedError extends NearcacheError {
  /** @internal */
  static override readonly brand: symbol = brand("WriteFailedError");
  /** The key that was being written. */
  declare readonly key: string;
}

type ErrorClass = new (code: ErrorCode, message: string, details?: ErrorDetails) => NearcacheError;

const CLASSES: Record<ErrorCode, ErrorClass> = {
  ERR_INVALID_OPTION: InvalidOptionError,
  ERR_INVALID_ARGUMENT: InvalidArgumentError,
  ERR_INVALID_TTL: InvalidTtlError,
  ERR_KEY_NOT_STRING: InvalidKeyError,
  ERR_KEY_TOO_LONG: InvalidKeyError,
  ERR_VALUE_NOT_CACHEABLE: ValueNotCacheableError,
  ERR_VALUE_TOO_LARGE: ValueTooLargeError,
  ERR_NO_ROOM: NoRoomError,
  ERR_CACHE_CLOSED: CacheClosedError,
  ERR_CACHE_POISONED: CachePoisonedError,
  ERR_CONFIG_MISMATCH: ConfigMismatchError,
  ERR_NATIVE_ADDON: NativeAddonError,
  ERR_LOAD_TIMEOUT: LoadTimeoutError,
  ERR_LOAD_CYCLE: LoadCycleError,
  ERR_LOADS_FULL: LoadsFullError,
  ERR_TIER: TierError,
  ERR_SCOPE_REQUIRED: ScopeRequiredError,
  ERR_WRITE_FAILED: WriteFailedError,
};

for (const type of [NearcacheError, ...Object.values(CLASSES)] as (typeof NearcacheError)[]) {
  Object.defineProperty(type.prototype, type.brand, { value: true, configurable: true });
  Object.defineProperty(type.prototype, "name", { value: type.name, configurable: true, writable: true });
}

/**
 * The typed error for one that the addon threw; anything else is handed back as it is. The addon does not say which key
 * it was, so whoever knows passes it.
 * @internal
 */
export function fromNative(error: unknown, key?: unknown): unknown {
  // Not `instanceof Error`: the addon belongs to the main context, and a `vm` context has an `Error` of its own.
  if (!types.isNativeError(error) || error instanceof NearcacheError) {
    return error;
  }
  const { code, ...details } = error as Error & { code?: unknown } & ErrorDetails;
  if (typeof code !== "string" || !Object.hasOwn(CLASSES, code)) {
    return error;
  }
  const isAboutKey = code === "ERR_KEY_NOT_STRING" || code === "ERR_KEY_TOO_LONG";
  const message = isAboutKey ? `${error.message}; it is ${show(key)}` : error.message;
  return new CLASSES[code as ErrorCode](code as ErrorCode, message, { ...details, cause: error });
}

/**
 * A value as error messages show it: short, on one line, and never by running code of the value's.
 * @internal
 */
export function show(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  }
  if (typeof value === "bigint") {
    return `${value}n`;
  }
  if (typeof value === "function" || typeof value === "symbol") {
    return `a ${typeof value}`;
  }
  if (typeof value === "object" && value !== null) {
    return Array.isArray(value) ? "an array" : "an object";
  }
  return Object.is(value, -0) ? "-0" : String(value);
}
