/** One load that is under way, and those who wait for it. */
import type { Envelope } from "../envelope.js";
import type { Snapshot } from "../values.js";
import type { Context, Loader } from "./context.js";
import { freshnessOf, type LoadPolicy } from "./freshness.js";
import type { LoadOwner } from "./owner.js";

/** An entry of the store that is not gone: fresh or stale, and what it remembers. */
export interface Entry {
  readonly value: unknown;
  /** Undefined: a bare entry, which is fresh as long as it is there. */
  readonly envelope: Envelope | undefined;
}

/** What is to be loaded, and how. */
export interface LoadRequest {
  readonly key: string;
  readonly loader: Loader<unknown>;
  readonly policy: LoadPolicy;
  readonly tags: readonly string[];
  readonly dependsOn: readonly string[];
  /** Told once, when it is clear where the value comes from: from the loader, or from elsewhere. */
  readonly decided?: (() => void) | undefined;
  /** The loader looks after the bound on concurrent loads itself. */
  readonly isBatched?: boolean;
  /** Stored with the mark that nobody has read it yet. */
  readonly isUnread?: boolean;
}

/** One call that waits. */
export class Waiter {
  /** The handle that was called. */
  readonly owner: LoadOwner;
  readonly policy: LoadPolicy;
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: unknown) => void;
  /** What to fall back on. */
  stale: Entry | undefined;
  #releases: (() => void)[] = [];

  constructor(
    owner: LoadOwner,
    policy: LoadPolicy,
    stale: Entry | undefined,
    resolve: (value: unknown) => void,
    reject: (reason: unknown) => void,
  ) {
    this.owner = owner;
    this.policy = policy;
    this.stale = stale;
    this.resolve = resolve;
    this.reject = reject;
  }

  /** Calls `then` after so many milliseconds, unless the wait is over by then. */
  after(ms: number, then: () => void): void {
    if (Number.isFinite(ms)) {
      const timer = setTimeout(then, ms);
      timer.unref();
      this.#releases.push(() => clearTimeout(timer));
    }
  }

  /** Calls `then` when the signal aborts, unless the wait is over by then. */
  onAbort(signal: AbortSignal | undefined, then: (reason: unknown) => void): void {
    if (signal !== undefined) {
      const listener = (): void => then(signal.reason);
      signal.addEventListener("abort", listener, { once: true });
      this.#releases.push(() => signal.removeEventListener("abort", listener));
    }
  }

  /** Stops timers and listening. */
  release(): void {
    for (const release of this.#releases.splice(0)) {
      release();
    }
  }

  /** The stale value that this caller may be given now, if there is one. */
  fallback(now: number): Entry | undefined {
    const { stale } = this;
    const isOfUse = stale?.envelope === undefined || freshnessOf(stale.envelope, now, this.policy) !== "gone";
    return isOfUse ? stale : undefined;
  }
}

/** See the file's head. What it goes through is in flights.ts. */
export class Flight {
  readonly request: LoadRequest;
  /** The handle that runs it. */
  owner: LoadOwner;
  readonly waiters = new Set<Waiter>();
  /** Loads that its loader waits for. */
  readonly waitsFor = new Set<Flight>();
  /** The claim on the key; 0: another thread has it. */
  token = 0;
  /** What its value hangs on, as far as it was known before anybody was asked for it; the store watches these keys. */
  watched: readonly string[] = [];
  /** The second tier's lease. */
  lease: string | undefined = undefined;
  /** When the second tier was asked, as it tells time. */
  asOf: string | undefined = undefined;
  /** The store's stamp when it began. */
  stamp = 0;
  /** When its loader was called. */
  startedAt = 0;
  /** What is there but stale. */
  stale: Entry | undefined = undefined;
  context: Context | undefined = undefined;
  /** Goes on without waiters. */
  isBackground = false;
  /** Another load waits for it: it must not wait for that one's turn to end. */
  isNested = false;
  isDone = false;
  #releases: (() => void)[] = [];
  #isDecided = false;

  constructor(request: LoadRequest, owner: LoadOwner) {
    this.request = request;
    this.owner = owner;
  }

  get key(): string {
    return this.request.key;
  }

  /** Something to be undone when it ends. */
  defer(release: () => void): void {
    this.#releases.push(release);
  }

  /** Where its value comes from is clear. */
  decide(): void {
    if (!this.#isDecided) {
      this.#isDecided = true;
      this.request.decided?.();
    }
  }

  /** It is over, whatever its loader may still do. */
  end(): void {
    this.isDone = true;
    for (const release of this.#releases.splice(0)) {
      release();
    }
    this.decide();
  }

  /** What is there now is what everybody falls back on. */
  fallBackOn(entry: Entry | undefined): void {
    this.stale = entry;
    for (const waiter of this.waiters) {
      waiter.stale = entry ?? waiter.stale;
    }
  }

  /** Tells each waiter, and lets them go. */
  settle(tell: (waiter: Waiter) => void): void {
    for (const waiter of this.waiters) {
      waiter.release();
      tell(waiter);
    }
    this.waiters.clear();
  }

  /** Whether it waits, perhaps by way of others, for `other`. */
  waitsOn(other: Flight, path: string[] = []): string[] | undefined {
    const here = [...path, this.key];
    if (this === other) {
      return here;
    }
    for (const next of this.waitsFor) {
      const found = path.includes(next.key) ? undefined : next.waitsOn(other, here);
      if (found !== undefined) {
        return found;
      }
    }
    return undefined;
  }
}

/** A value that was loaded, on its way into the tiers. */
export interface LoadedValue {
  readonly snapshot: Snapshot;
  readonly envelope: Envelope;
  /** How long it is fresh, in milliseconds. */
  readonly ttlMs: number;
}
