/**
 * Background refresh: keeps a declared set of keys fresh, so that no reader ever waits for them, as long as somebody
 * reads them. Whether somebody does is known without a cost per read: a refreshed entry is stored with a mark that its
 * first reader, in whatever thread, takes off.
 */
import type { Loader } from "./context.js";
import type { Loading } from "./loading.js";
import type { ResolvedLoad } from "./options.js";

/** Keys that are being kept fresh. */
export interface Refreshing {
  /** Ends it. What is there stays. */
  stop(): void;
  /** The same as `stop`: `using rates = cache.refreshEvery(…)`. */
  [Symbol.dispose](): void;
}

/** See the file's head. */
export class Refresher implements Refreshing {
  readonly #loading: Loading;
  readonly #keys: readonly string[];
  readonly #loader: Loader<unknown>;
  readonly #load: ResolvedLoad;
  readonly #stopped: (refresher: Refreshing) => void;
  readonly #timer: NodeJS.Timeout;

  constructor(
    loading: Loading,
    keys: readonly string[],
    everyMs: number,
    loader: Loader<unknown>,
    load: ResolvedLoad,
    stopped: (refresher: Refreshing) => void,
  ) {
    this.#loading = loading;
    this.#keys = keys;
    this.#loader = loader;
    this.#load = load;
    this.#stopped = stopped;
    for (const key of keys) {
      this.#refresh(key);
    }
    this.#timer = setInterval(() => this.#turn(), everyMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#stopped(this);
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  #turn(): void {
    for (const key of this.#keys) {
      // Not there: it expired, so nobody read it, or was deleted; whoever asks for it next brings it back.
      const entry = this.#loading.read(key);
      if (entry !== undefined && entry.envelope?.isUnread !== true) {
        this.#refresh(key);
      }
    }
  }

  #refresh(key: string): void {
    this.#loading.refreshUnread(key, this.#loader, this.#load);
  }
}
