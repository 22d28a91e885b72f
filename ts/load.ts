/**
 * Loads in flight: one per key and thread, however many callers wait for it, also through several handles of one store.
 *
 * Rules. A write, delete or clear of the key in this thread supersedes the load: its callers still get what it loads,
 * but that is not stored, and the next `getOrLoad` starts a new load. A caller that aborts leaves; when none is left, the
 * loader's signal is aborted and the load forgotten. A load stores only if the key is still absent, so it never
 * overwrites what another thread stored meanwhile. There are no timers: a loader that never settles is its callers' to
 * abort.
 */
import type { Snapshot } from "./values.js";

/** What a loader is given beside the key. */
export interface LoadContext {
  /** Aborted when nobody waits for this load any more (all callers aborted, or the cache was closed). */
  readonly signal: AbortSignal;
}

/**
 * Fetches a value that the cache does not have. May be synchronous. `undefined` is passed on and not cached; `null` is
 * cached like any value. What it throws reaches every caller that waits.
 */
export type Loader<T> = (key: string, context: LoadContext) => T | undefined | PromiseLike<T | undefined>;

/** What a load needs from the handle that asked for it. */
export interface LoadOwner {
  /** Takes a loaded value apart. */
  snapshot(value: unknown): Snapshot;
  /** Stores it, if the key is still absent and the value fits. */
  storeLoaded(key: string, snapshot: Snapshot, ttlMs: number | undefined): void;
}

/** One call of getOrLoad. */
interface Waiter {
  readonly owner: LoadOwner;
  readonly ttlMs: number | undefined;
  resolve(value: unknown): void;
  reject(reason: unknown): void;
  /** Stops listening to the caller's signal. */
  release(): void;
}

/** Makes the loader's signal only for loaders that look at it. */
class Context implements LoadContext {
  #controller: AbortController | undefined = undefined;
  #reason: { readonly value: unknown } | undefined = undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) {
        this.#controller.abort(this.#reason.value);
      }
    }
    return this.#controller.signal;
  }

  abort(reason: unknown): void {
    this.#reason = { value: reason };
    this.#controller?.abort(reason);
  }
}

class Load {
  readonly key: string;
  readonly context = new Context();
  readonly waiters = new Set<Waiter>();
  isSuperseded = false;

  constructor(key: string) {
    this.key = key;
  }

  resolve(loaded: unknown): void {
    const [first] = this.waiters;
    if (first === undefined) {
      return;
    }
    if (loaded === undefined) {
      this.#settle((waiter) => waiter.resolve(undefined));
      return;
    }
    try {
      const snapshot = first.owner.snapshot(loaded);
      if (!this.isSuperseded) {
        first.owner.storeLoaded(this.key, snapshot, first.ttlMs);
      }
      this.#settle((waiter) => waiter.resolve(snapshot.give()));
    } catch (error) {
      this.reject(error);
    }
  }

  reject(reason: unknown): void {
    this.#settle((waiter) => waiter.reject(reason));
  }

  #settle(tell: (waiter: Waiter) => void): void {
    for (const waiter of this.waiters) {
      waiter.release();
      tell(waiter);
    }
    this.waiters.clear();
  }
}

/** The loads of one store in this thread. */
export class Loads {
  /** The loads that a caller may join. */
  readonly #byKey = new Map<string, Load>();
  /** These, and the superseded ones that callers still wait for. */
  readonly #running = new Set<Load>();

  /** How many keys are being loaded. */
  get size(): number {
    return this.#byKey.size;
  }

  /** Waits for the key's load, and starts it if there is none. */
  join(
    key: string,
    loader: Loader<unknown>,
    owner: LoadOwner,
    ttlMs: number | undefined,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    const running = this.#byKey.get(key);
    const load = running ?? new Load(key);
    const promise = new Promise((resolve, reject) => {
      const leave = (): void => this.#leave(load, waiter, signal?.reason);
      const release = (): void => signal?.removeEventListener("abort", leave);
      const waiter: Waiter = { owner, ttlMs, resolve, reject, release };
      signal?.addEventListener("abort", leave, { once: true });
      load.waiters.add(waiter);
    });
    if (running === undefined) {
      this.#byKey.set(key, load);
      this.#running.add(load);
      this.#run(load, loader);
    }
    return promise;
  }

  /** The key was written or deleted: a load of it that is under way is out of date. */
  supersede(key: string): void {
    const load = this.#byKey.get(key);
    if (load !== undefined) {
      load.isSuperseded = true;
      this.#byKey.delete(key);
    }
  }

  /** All keys that begin with `prefix` were deleted. */
  supersedePrefix(prefix: string): void {
    for (const key of this.#byKey.keys()) {
      if (key.startsWith(prefix)) {
        this.supersede(key);
      }
    }
  }

  /** A handle is closed: its callers are told so, and loads that nobody else waits for are aborted. */
  closeOwner(owner: LoadOwner, reason: unknown): void {
    for (const load of this.#running) {
      for (const waiter of load.waiters) {
        if (waiter.owner === owner) {
          this.#leave(load, waiter, reason);
        }
      }
    }
  }

  #run(load: Load, loader: Loader<unknown>): void {
    // The loader runs at once; what it throws becomes a rejection like any other.
    new Promise((resolve) => resolve(loader(load.key, load.context))).then(
      (value) => {
        this.#forget(load);
        load.resolve(value);
      },
      (error: unknown) => {
        this.#forget(load);
        load.reject(error);
      },
    );
  }

  #leave(load: Load, waiter: Waiter, reason: unknown): void {
    load.waiters.delete(waiter);
    waiter.release();
    waiter.reject(reason);
    if (load.waiters.size === 0) {
      this.#forget(load);
      load.context.abort(reason);
    }
  }

  #forget(load: Load): void {
    this.#running.delete(load);
    if (this.#byKey.get(load.key) === load) {
      this.#byKey.delete(load.key);
    }
  }
}

const shared = new Map<string, { readonly loads: Loads; handles: number }>();

/** The loads of a named store, the same for all its handles in this thread; without a name, new ones. */
export function acquireLoads(name: string | undefined): Loads {
  if (name === undefined) {
    return new Loads();
  }
  const entry = shared.get(name) ?? { loads: new Loads(), handles: 0 };
  entry.handles++;
  shared.set(name, entry);
  return entry.loads;
}

/** Gives back what {@link acquireLoads} gave. */
export function releaseLoads(name: string | undefined): void {
  const entry = name === undefined ? undefined : shared.get(name);
  if (entry !== undefined && --entry.handles === 0 && name !== undefined) {
    shared.delete(name);
  }
}
