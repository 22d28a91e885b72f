/** What a loader is told, and what it may say about its value beside the value itself. */
import { InvalidArgumentError, show } from "../errors.js";
import type { Duration } from "../units.js";

/** The value that a refresh is about to replace. */
export interface StaleValue<T> {
  /** As it was loaded. */
  readonly value: T;
  /** The validators that the loader gave it. */
  readonly etag: string | undefined;
  /** As `etag`: what `Last-Modified` said. */
  readonly lastModified: string | undefined;
}

/** What a loader returns: a value, or `undefined` for "nothing, and don't remember that". */
export type Loaded<T> = T | undefined | NotModified;

/**
 * Fetches a value that the cache does not have. May be synchronous. `undefined` is passed on and not cached; `null` is
 * cached for `negativeTtl`. What it throws reaches every caller that waits and has no stale value to fall back on.
 */
export type Loader<T> = {
  /** Called with the key that is missing and what there is to say about it. */
  // As a method, so that a Cache<User> can be handed to whoever takes a Cache<unknown>.
  call(key: string, context: LoadContext<T>): Loaded<T> | PromiseLike<Loaded<T>>;
}["call"];

/** Fetches the values of several keys at once: a `Map` by key, or an array in the keys' order. */
export type BatchLoader<T> = (
  keys: readonly string[],
  context: { readonly signal: AbortSignal },
) => BatchLoaded<T> | PromiseLike<BatchLoaded<T>>;

/** See {@link BatchLoader}. What is missing or `undefined` is not cached. */
export type BatchLoaded<T> = ReadonlyMap<string, T | undefined> | readonly (T | undefined)[];

declare const notModified: unique symbol;
/** The answer "what you have is current": see {@link LoadContext.notModified}. */
export interface NotModified {
  /** Of no use to anybody: only `context.notModified()` gives one. */
  readonly [notModified]: true;
}

/** The one {@link NotModified} there is. */
export const NOT_MODIFIED = Object.freeze({}) as NotModified;

/** What a loader is given beside the key. */
export interface LoadContext<T = unknown> {
  /**
   * Aborted when nobody waits for this load any more (all callers aborted or timed out, or the cache was closed), or when
   * it exceeds `hardTimeout`.
   */
  readonly signal: AbortSignal;
  /** What is there but stale; `undefined` if nothing is. For conditional requests: see {@link validators}. */
  readonly stale: StaleValue<T> | undefined;
  /** How long this value is fresh, instead of the `ttl` of the call. `0`: don't cache it. Throws {@link InvalidTtlError}. */
  ttl(ttl: Duration): void;
  /** Adds tags to the value. */
  tags(...tags: string[]): void;
  /**
   * Adds keys that the value is built from: when one of them is written or deleted from now on, it is invalidated. To be
   * called before they are read.
   */
  dependsOn(...keys: string[]): void;
  /** Remembers what a conditional request needs the next time. */
  validators(validators: { readonly etag?: string | undefined; readonly lastModified?: string | undefined }): void;
  /** Passes the value on to those who wait, and does not cache it. */
  doNotCache(): void;
  /**
   * "There is no such thing": cached as `null` for `negativeTtl`. To be returned. Readers are then given `null`, so declare
   * the cache with it: `createCache<User | null>`.
   */
  notFound(): T & null;
  /** "What you have is current": the stale value is fresh again. To be returned; only if there is a stale value. */
  notModified(): NotModified;
}

/** What a loader has said so far. */
export interface Sayings {
  ttlMs: number | undefined;
  tags: readonly string[];
  dependsOn: readonly string[];
  etag: string | undefined;
  lastModified: string | undefined;
  isCached: boolean;
}

/** Checks a TTL; throws. */
export type TtlCheck = (ttl: unknown) => number;

/** The context of one run of a loader. Makes the signal only for loaders that look at it. */
export class Context implements LoadContext<unknown> {
  readonly said: Sayings;
  readonly #stale: (() => StaleValue<unknown>) | undefined;
  readonly #checkTtl: TtlCheck;
  readonly #watch: (keys: readonly string[]) => void;
  #controller: AbortController | undefined = undefined;
  #reason: { readonly value: unknown } | undefined = undefined;

  constructor(
    checkTtl: TtlCheck,
    tags: readonly string[],
    dependsOn: readonly string[],
    stale: (() => StaleValue<unknown>) | undefined,
    watch: (keys: readonly string[]) => void,
  ) {
    this.#checkTtl = checkTtl;
    this.#watch = watch;
    this.#stale = stale;
    this.said = { ttlMs: undefined, tags, dependsOn, etag: undefined, lastModified: undefined, isCached: true };
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) {
        this.#controller.abort(this.#reason.value);
      }
    }
    return this.#controller.signal;
  }

  get stale(): StaleValue<unknown> | undefined {
    return this.#stale?.();
  }

  ttl(ttl: Duration): void {
    this.said.ttlMs = this.#checkTtl(ttl);
  }

  tags(...tags: string[]): void {
    this.said.tags = [...new Set([...this.said.tags, ...texts(tags, "tags")])];
  }

  dependsOn(...keys: string[]): void {
    this.#watch(texts(keys, "dependsOn"));
    this.said.dependsOn = [...new Set([...this.said.dependsOn, ...keys])];
  }

  validators({ etag, lastModified }: { etag?: string | undefined; lastModified?: string | undefined }): void {
    this.said.etag = etag;
    this.said.lastModified = lastModified;
  }

  doNotCache(): void {
    this.said.isCached = false;
  }

  notFound(): null {
    return null;
  }

  notModified(): NotModified {
    if (this.#stale === undefined) {
      const message = "notModified() was called, but there is no stale value: return the value.";
      throw new InvalidArgumentError("ERR_INVALID_ARGUMENT", message);
    }
    return NOT_MODIFIED;
  }

  abort(reason: unknown): void {
    this.#reason ??= { value: reason };
    this.#controller?.abort(reason);
  }
}

/** Checks a list of tags or keys, each of which is text and not empty. Throws {@link InvalidArgumentError}. */
export function texts(values: unknown, name: string): readonly string[] {
  if (!Array.isArray(values)) {
    const message = `${name} must be a list of texts; it is ${show(values)}.`;
    throw new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value: values });
  }
  for (const value of values) {
    if (typeof value !== "string" || value === "") {
      const message = `${name} must be texts that are not empty; there is ${show(value)}.`;
      throw new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value });
    }
  }
  return values as string[];
}
