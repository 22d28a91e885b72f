/**
 * What of loading and of options speaks of keys and tags, between a scope and the cache. Within a scope, keys are the
 * scope's own. A tag is stored twice: as the scope's own, by which the scope invalidates, and as it is, by which the whole
 * cache does.
 */
import type { BatchLoaded, BatchLoader, LoadContext, Loader, NotModified, StaleValue } from "./load/context.js";
import type { Duration } from "./units.js";

/** Options that may speak of keys and tags. */
interface Naming {
  readonly tags?: readonly string[] | undefined;
  readonly dependsOn?: readonly string[] | undefined;
}

/** Options of a call in a scope as options of a call of the cache. What is wrong with them, the cache says. */
export function scopedOptions<O extends Naming>(
  prefix: string,
  options: O | Duration | undefined,
): O | Duration | undefined {
  if (typeof options !== "object" || options === null || (options.tags ?? options.dependsOn) === undefined) {
    return options;
  }
  const { tags, dependsOn } = options;
  return {
    ...options,
    ...(areTexts(tags) ? { tags: scopedTags(prefix, tags) } : {}),
    ...(areTexts(dependsOn) ? { dependsOn: dependsOn.map((key) => prefix + key) } : {}),
  };
}

/** A scope's tags as the cache's. */
export function scopedTags(prefix: string, tags: readonly string[]): string[] {
  return [...tags.map((tag) => prefix + tag), ...tags];
}

/** A loader of a scope as one of the cache; what is none stays as it is, for the cache to say so. */
export function scopedLoader<T>(prefix: string, loader: Loader<T>): Loader<T> {
  return typeof loader === "function"
    ? (key, context) => loader(key.slice(prefix.length), new ScopedContext(prefix, context))
    : loader;
}

/** The same for a loader of several keys. */
export function scopedBatchLoader<T>(prefix: string, loader: BatchLoader<T>): BatchLoader<T> {
  if (typeof loader !== "function") {
    return loader;
  }
  return async (keys, context) => {
    const loaded: BatchLoaded<T> = await loader(
      keys.map((key) => key.slice(prefix.length)),
      context,
    );
    return loaded instanceof Map ? new Map([...loaded].map(([key, value]) => [prefix + key, value])) : loaded;
  };
}

/** Whether all are texts that say something: those that don't are the cache's to refuse. */
function areTexts(values: readonly string[] | undefined): values is readonly string[] {
  return Array.isArray(values) && values.every((value) => typeof value === "string" && value !== "");
}

class ScopedContext<T> implements LoadContext<T> {
  readonly #prefix: string;
  readonly #context: LoadContext<T>;

  constructor(prefix: string, context: LoadContext<T>) {
    this.#prefix = prefix;
    this.#context = context;
  }

  get signal(): AbortSignal {
    return this.#context.signal;
  }

  get stale(): StaleValue<T> | undefined {
    return this.#context.stale;
  }

  ttl(ttl: Duration): void {
    this.#context.ttl(ttl);
  }

  tags(...tags: string[]): void {
    this.#context.tags(...(areTexts(tags) ? scopedTags(this.#prefix, tags) : tags));
  }

  dependsOn(...keys: string[]): void {
    this.#context.dependsOn(...(areTexts(keys) ? keys.map((key) => this.#prefix + key) : keys));
  }

  validators(validators: { readonly etag?: string | undefined; readonly lastModified?: string | undefined }): void {
    this.#context.validators(validators);
  }

  doNotCache(): void {
    this.#context.doNotCache();
  }

  notFound(): T & null {
    return this.#context.notFound();
  }

  notModified(): NotModified {
    return this.#context.notModified();
  }
}
