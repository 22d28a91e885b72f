/** Brings the loads of several keys together into one call of a batch loader. */
import { InvalidArgumentError, show } from "../errors.js";
import type { BatchLoaded, BatchLoader, LoadContext } from "./context.js";
import type { Limiter } from "./limiter.js";

interface Wanted {
  readonly key: string;
  readonly context: LoadContext<unknown>;
  resolve(value: unknown): void;
  reject(reason: unknown): void;
}

/**
 * Waits until it is clear of every key whether it has to be loaded, then loads those in one call. A key that turns out
 * later to need loading, because another thread gave up, is loaded in a call of its own.
 */
export class Batch {
  readonly #loader: BatchLoader<unknown>;
  readonly #limiter: Limiter | undefined;
  #undecided: number;
  #wanted: Wanted[] = [];

  constructor(loader: BatchLoader<unknown>, keys: number, limiter: Limiter | undefined) {
    this.#loader = loader;
    this.#undecided = keys;
    this.#limiter = limiter;
  }

  /** The loader of each single key. */
  readonly load = (key: string, context: LoadContext<unknown>): Promise<unknown> =>
    new Promise((resolve, reject) => {
      this.#wanted.push({ key, context, resolve, reject });
      if (this.#undecided <= 0) {
        this.#call();
      }
    });

  /** It is clear of one more key where its value comes from. */
  decided(): void {
    this.#undecided--;
    if (this.#undecided === 0) {
      // The last key's own loader is called right after this.
      queueMicrotask(() => this.#call());
    }
  }

  #call(): void {
    const wanted = this.#wanted.splice(0);
    if (wanted.length === 0) {
      return;
    }
    const run = (): void => {
      const signal = anyAborted(wanted);
      const done = (): void => this.#limiter?.leave();
      new Promise<BatchLoaded<unknown>>((resolve) =>
        resolve(
          this.#loader(
            wanted.map(({ key }) => key),
            { signal },
          ),
        ),
      )
        .then((loaded) => handOut(wanted, loaded))
        .catch((error: unknown) => rejectAll(wanted, error))
        .then(done);
    };
    try {
      if (this.#limiter === undefined) {
        run();
      } else {
        this.#limiter.enter(wanted[0]?.key ?? "", run);
      }
    } catch (error) {
      rejectAll(wanted, error);
    }
  }
}

function rejectAll(wanted: readonly Wanted[], error: unknown): void {
  for (const { reject } of wanted) {
    reject(error);
  }
}

function handOut(wanted: readonly Wanted[], loaded: BatchLoaded<unknown>): void {
  if (Array.isArray(loaded) && loaded.length === wanted.length) {
    for (const [index, { resolve }] of wanted.entries()) {
      resolve(loaded[index]);
    }
  } else if (loaded instanceof Map) {
    for (const { key, resolve } of wanted) {
      resolve(loaded.get(key));
    }
  } else {
    const message = `A batch loader returns a Map by key, or an array of ${wanted.length} values in the keys' order; it returned ${show(loaded)}.`;
    throw new InvalidArgumentError("ERR_INVALID_ARGUMENT", message, { value: loaded });
  }
}

/** Aborted when nobody waits for any of the keys any more. */
function anyAborted(wanted: readonly Wanted[]): AbortSignal {
  const controller = new AbortController();
  let left = wanted.length;
  for (const { context } of wanted) {
    const aborted = (): void => {
      left--;
      if (left === 0) {
        controller.abort(context.signal.reason);
      }
    };
    if (context.signal.aborted) {
      aborted();
    } else {
      context.signal.addEventListener("abort", aborted, { once: true });
    }
  }
  return controller.signal;
}
