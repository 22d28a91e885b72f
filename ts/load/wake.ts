/**
 * Tells other threads how a load ended that they wait for. A channel by the store's name reaches all threads of the
 * process; it keeps a thread alive only while that thread waits. Messages may be lost when a thread dies: whoever waits
 * also looks for itself now and then.
 */
import { BroadcastChannel } from "node:worker_threads";
import type { Packed } from "../values.js";

/** How a load ended. `stored`: read the cache. Otherwise what it came to, which the cache does not have. */
export type Outcome =
  | { readonly is: "stored" }
  | { readonly is: "nothing" }
  | { readonly is: "value"; readonly packed: Packed }
  | { readonly is: "error"; readonly error: unknown };

interface Message {
  readonly key: string;
  readonly outcome: Outcome;
}

/** How often who waits looks for itself, in milliseconds. */
const LOOK_MS = 100;

type Waiter = (outcome: Outcome | undefined) => void;

/** The waiting loads of one store in this thread. */
export class Wake {
  readonly #name: string | undefined;
  /** By key those who wait, each with how to stop that. */
  readonly #waiting = new Map<string, Map<Waiter, () => void>>();
  #channel: BroadcastChannel | undefined = undefined;

  /** Without a name the store is this thread's alone, and nobody else ever waits. */
  constructor(name: string | undefined) {
    this.#name = name;
  }

  /** Begins to listen; false if this thread does already. What was said before is not heard: look once more. */
  listen(): boolean {
    const isNew = this.#channel === undefined && this.#name !== undefined;
    this.#open();
    return isNew;
  }

  /**
   * Calls `wake` once: when the load of `key` ends elsewhere, with how, or after `ms` or a little while without. The result
   * waits no longer when it is called; others who wait for the key are theirs.
   */
  wait(key: string, ms: number, wake: Waiter): () => void {
    this.#open()?.ref();
    const waiting = this.#waiting.get(key) ?? new Map<Waiter, () => void>();
    this.#waiting.set(key, waiting);
    const cancel = (): void => {
      clearTimeout(timer);
      waiting.delete(once);
      if (waiting.size === 0 && this.#waiting.get(key) === waiting) {
        this.#waiting.delete(key);
      }
      if (this.#waiting.size === 0) {
        this.#channel?.unref();
      }
    };
    const once: Waiter = (outcome) => {
      cancel();
      wake(outcome);
    };
    const timer = setTimeout(() => once(undefined), Math.min(Math.max(ms, 1), LOOK_MS));
    waiting.set(once, cancel);
    return cancel;
  }

  /** Tells the other threads, and whoever waits in this one. */
  tell(key: string, outcome: Outcome): void {
    this.#wake(key, outcome);
    const channel = this.#open();
    try {
      channel?.postMessage({ key, outcome } satisfies Message);
    } catch {
      // An error that can't be cloned: its text can.
      const error = new Error(outcome.is === "error" ? String(outcome.error) : "the outcome could not be cloned");
      channel?.postMessage({ key, outcome: { is: "error", error } } satisfies Message);
    }
  }

  close(): void {
    for (const cancel of [...this.#waiting.values()].flatMap((waiting) => [...waiting.values()])) {
      cancel();
    }
    this.#channel?.close();
    this.#channel = undefined;
  }

  #open(): BroadcastChannel | undefined {
    if (this.#channel === undefined && this.#name !== undefined) {
      this.#channel = new BroadcastChannel(`nearcache:loads:${this.#name}`);
      this.#channel.onmessage = (event) => {
        const { key, outcome } = (event as { data: Message }).data;
        this.#wake(key, outcome);
      };
      this.#channel.unref();
    }
    return this.#channel;
  }

  #wake(key: string, outcome: Outcome): void {
    for (const wake of [...(this.#waiting.get(key)?.keys() ?? [])]) {
      wake(outcome);
    }
  }
}
