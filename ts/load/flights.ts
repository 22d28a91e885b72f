/**
 * Single flight: of one key at most one load runs, in this thread and among all threads of the process.
 *
 * A load's way: it *claims* the key in the store; if another thread has the claim, it waits for that one's result. Then
 * it looks into the store once more, then into the second tier, and only then calls the loader. What it gets is stored
 * only while its claim is current: any write, delete or invalidation of the key since then, by whatever thread or
 * process, has superseded the claim, so that what was read before never overwrites what came after. Those who wait get
 * the value all the same; who asks after that starts anew.
 *
 * A caller that aborts or runs into its time-out leaves; when none is left, the loader's signal is aborted and the claim
 * given back, unless the load goes on in the background for the sake of the next reader.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { LoadCycleError, LoadsFullError, LoadTimeoutError, show } from "../errors.js";
import type { TierAnswer, TierEntry } from "../tier.js";
import type { Snapshot } from "../values.js";
import { Context } from "./context.js";
import { type Entry, Flight, type LoadedValue, type LoadRequest, Waiter } from "./flight.js";
import { backoffMs, freshnessOf } from "./freshness.js";
import { envelopeOf, isFitForTier, prepare, toTier } from "./loaded.js";
import type { LoadOwner } from "./owner.js";
import { type Outcome, Wake } from "./wake.js";

/** A claim that is not given back is void after this, in milliseconds, if no `hardTimeout` ends the load before. */
const CLAIM_MS = 30_000;
/** A token that no claim has. Not 0, which says that another thread has the claim. */
const VOID = 0.5;
/** Between two looks for a value that another process is loading, in milliseconds, half of it by chance. */
const TIER_LOOK_MS = 40;

/** The load on whose behalf the present code runs. */
const loading = new AsyncLocalStorage<Flight>();

/** The loads of one store in this thread, whatever handle asked for them. */
export class Flights {
  /** The loads that a caller may join. */
  readonly #byKey = new Map<string, Flight>();
  /** These, and the superseded ones that callers still wait for. */
  readonly #running = new Set<Flight>();
  readonly #wake: Wake;

  constructor(name: string | undefined) {
    this.#wake = new Wake(name);
  }

  /** Waits for the key's load, and starts it if there is none. `stale` is what to fall back on. */
  join(owner: LoadOwner, request: LoadRequest, stale: Entry | undefined, signal?: AbortSignal): Promise<unknown> {
    const running = this.#current(owner, request.key);
    const flight = running ?? new Flight(request, owner);
    const parent = loading.getStore();
    const cycle = parent === undefined ? undefined : flight.waitsOn(parent);
    if (parent !== undefined && cycle !== undefined) {
      return Promise.reject(cycleError(request.key, cycle));
    }
    const promise = new Promise((resolve, reject) => {
      const waiter = new Waiter(owner, request.policy, stale ?? flight.stale, resolve, reject);
      waiter.onAbort(signal, (reason) => this.#leave(flight, waiter, reason, () => reject(reason)));
      waiter.after(request.policy.softTimeoutMs, () => this.#softTimeout(flight, waiter));
      waiter.after(request.policy.hardTimeoutMs, () => this.#hardTimeout(flight, waiter));
      flight.waiters.add(waiter);
    });
    if (parent !== undefined) {
      parent.waitsFor.add(flight);
      const done = (): boolean => parent.waitsFor.delete(flight);
      promise.then(done, done);
    }
    if (running === undefined) {
      flight.isNested = parent !== undefined && !parent.isDone;
      this.#start(flight);
    } else {
      owner.note({ type: "coalesced", key: request.key });
      request.decided?.();
    }
    return promise;
  }

  /** Loads a key for the next reader, unless a load of it is under way. */
  refresh(owner: LoadOwner, request: LoadRequest, stale: Entry | undefined): void {
    if (this.#current(owner, request.key) === undefined) {
      const flight = new Flight(request, owner);
      flight.isBackground = true;
      flight.stale = stale;
      this.#start(flight);
    }
  }

  /**
   * Changes a key in the second tier, by `send`, and then here, by `store`: nobody in this process is given the new value
   * before it is there, nor the old one after that. Loads of the key wait until it is done. Rejects as `send` does; it is
   * not known then what the tier has, and the store has nothing.
   */
  async change(
    owner: LoadOwner,
    key: string,
    send: () => Promise<unknown>,
    store: (token: number) => void,
  ): Promise<void> {
    owner.discard(key);
    // None, if another thread has begun to load it this instant: then that load is made void afterwards.
    const token = Math.max(owner.claim(key, CLAIM_MS), VOID);
    try {
      await send();
      if (token === VOID) {
        owner.discard(key);
      } else {
        store(token);
      }
    } catch (error) {
      owner.discard(key);
      throw error;
    } finally {
      if (owner.release(key, token)) {
        this.#wake.tell(key, { is: "stored" });
      }
    }
  }

  /** A handle is closed: its callers are told so, and loads that nobody else waits for are aborted. */
  closeOwner(owner: LoadOwner, reason: unknown): void {
    for (const flight of this.#running) {
      for (const waiter of flight.waiters) {
        if (waiter.owner === owner) {
          this.#leave(flight, waiter, reason, () => waiter.reject(reason));
        }
      }
      if (flight.owner === owner && !flight.isDone) {
        this.#handOver(flight, reason);
      }
    }
  }

  /** When no handle is left. */
  close(): void {
    this.#wake.close();
  }

  #current(owner: LoadOwner, key: string): Flight | undefined {
    const flight = this.#byKey.get(key);
    if (flight === undefined || flight.token === 0 || owner.isCurrent(key, flight.token)) {
      return flight;
    }
    // Written or deleted since it began: who asks now must not be given what was read before.
    this.#byKey.delete(key);
    return undefined;
  }

  #start(flight: Flight): void {
    this.#byKey.set(flight.key, flight);
    this.#running.add(flight);
    const { hardTimeoutMs } = flight.request.policy;
    if (Number.isFinite(hardTimeoutMs)) {
      const timer = setTimeout(() => this.#deadline(flight, hardTimeoutMs), hardTimeoutMs);
      timer.unref();
      flight.defer(() => clearTimeout(timer));
    }
    this.#claim(flight);
  }

  // --- the stages -----------------------------------------------------------------------------------------------

  #claim(flight: Flight): void {
    try {
      const { key, request } = flight;
      const leaseMs = Math.min(request.policy.hardTimeoutMs, CLAIM_MS);
      let token = flight.owner.claim(key, leaseMs);
      if (token <= 0 && this.#wake.listen()) {
        token = flight.owner.claim(key, leaseMs);
      }
      if (token <= 0) {
        this.#waitElsewhere(flight, -token);
        return;
      }
      flight.token = token;
      flight.stamp = flight.owner.stamp();
      if (request.dependsOn.length > 0) {
        this.#watch(flight, request.dependsOn);
      }
      this.#lookAgain(flight);
    } catch (error) {
      this.#fail(flight, error);
    }
  }

  /** From now on a change of these keys makes void what is built from them, and what is asked for now is as of now. */
  #watch(flight: Flight, keys: readonly string[]): void {
    flight.watched = [...flight.watched, ...keys];
    flight.owner.depend(keys);
    flight.stamp = flight.owner.stamp();
  }

  /** Another thread loads the key. */
  #waitElsewhere(flight: Flight, ms: number): void {
    flight.decide();
    if (flight.isBackground && flight.waiters.size === 0) {
      this.#forget(flight);
      return;
    }
    const cancel = this.#wake.wait(flight.key, ms, (outcome) => {
      if (outcome === undefined || outcome.is === "stored") {
        this.#claim(flight);
      } else {
        this.#takeOver(flight, outcome);
      }
    });
    flight.defer(cancel);
  }

  /** What the load in another thread came to. */
  #takeOver(flight: Flight, outcome: Outcome): void {
    try {
      if (outcome.is === "error") {
        this.#fail(flight, outcome.error);
      } else {
        const snapshot = outcome.is === "value" ? flight.owner.unpack(outcome.packed) : undefined;
        this.#succeed(flight, snapshot, { is: "nothing" });
      }
    } catch (error) {
      this.#fail(flight, error);
    }
  }

  /** Between the caller's look and the claim somebody may have stored it. */
  #lookAgain(flight: Flight): void {
    const entry = flight.owner.read(flight.key);
    const { policy } = flight.request;
    const freshness = entry?.envelope === undefined ? "fresh" : freshnessOf(entry.envelope, flight.owner.now(), policy);
    const isRenewed = entry?.envelope?.freshUntil !== flight.stale?.envelope?.freshUntil;
    if (entry !== undefined && freshness === "fresh" && (!flight.isBackground || isRenewed)) {
      this.#succeed(flight, { give: () => entry.value }, { is: "stored" });
      return;
    }
    flight.fallBackOn(freshness === "gone" ? undefined : entry);
    if (flight.owner.tier === undefined) {
      this.#run(flight);
    } else {
      this.#askTier(flight, flight.owner.now());
    }
  }

  #askTier(flight: Flight, since: number): void {
    const leaseMs = flight.owner.options.tierLeaseMs;
    const answered = (answer: TierAnswer): void => {
      if (flight.isDone) {
        this.#releaseLease(flight.owner, flight.key, answer.lease);
        return;
      }
      flight.lease = answer.lease;
      flight.asOf = answer.asOf;
      try {
        const unwatched = answer.entry?.dependsOn?.filter((key) => !flight.watched.includes(key)) ?? [];
        if (unwatched.length > 0) {
          // One of them may have changed since the tier looked, unseen. From now on that would be seen.
          this.#releaseLease(flight.owner, flight.key, answer.lease);
          flight.lease = undefined;
          this.#watch(flight, unwatched);
          this.#askTier(flight, since);
          return;
        }
        if (this.#takeFromTier(flight, answer.entry)) {
          return;
        }
        if (answer.isHeld && flight.owner.options.isTierWaitedFor && flight.owner.now() - since < leaseMs) {
          const timer = setTimeout(
            () => this.#askTier(flight, since),
            TIER_LOOK_MS * (0.5 + flight.owner.random() / 2),
          );
          flight.defer(() => clearTimeout(timer));
          return;
        }
        this.#run(flight);
      } catch (error) {
        this.#fail(flight, error);
      }
    };
    flight.owner.tier?.get(flight.key, { leaseMs, dependsOn: flight.watched }).then(answered);
  }

  /** Takes what the second tier has; whether that is the answer. */
  #takeFromTier(flight: Flight, found: TierEntry | undefined): boolean {
    if (found === undefined) {
      return false;
    }
    const now = flight.owner.now();
    const snapshot = flight.owner.unpack(found);
    let value: unknown;
    try {
      value = snapshot.give();
    } catch (error) {
      flight.owner.note({ type: "tierError", key: flight.key, error });
      return false;
    }
    const envelope = envelopeOf(found, value, flight.stamp, now);
    const freshness = found.freshMs > 0 ? "fresh" : freshnessOf(envelope, now, flight.request.policy);
    if (freshness === "gone") {
      return false;
    }
    const stored = flight.owner.store(flight.key, flight.token, snapshot, envelope, found.liveMs);
    if (freshness === "fresh") {
      this.#releaseLease(flight.owner, flight.key, flight.lease);
      flight.lease = undefined;
      this.#succeed(flight, snapshot, outcomeOf(stored, snapshot));
      return true;
    }
    flight.fallBackOn({ value, envelope });
    if (freshness === "stale") {
      flight.isBackground = true;
      flight.settle((waiter) => this.#serveStale(flight, waiter, { value, envelope }));
    }
    return false;
  }

  #run(flight: Flight): void {
    const { key, loader, isBatched } = flight.request;
    const limiter = isBatched === true || flight.isNested ? undefined : flight.owner.limiter;
    let hasEntered = false;
    const start = (): void => {
      hasEntered = true;
      const stale = flight.stale;
      flight.context = new Context(
        flight.owner.checkTtl,
        flight.request.tags,
        flight.request.dependsOn,
        stale === undefined
          ? undefined
          : () => ({
              value: stale.value,
              etag: stale.envelope?.etag,
              lastModified: stale.envelope?.lastModified,
            }),
        (keys) => flight.owner.depend(keys),
      );
      flight.startedAt = flight.owner.now();
      const { context } = flight;
      flight.decide();
      // The loader runs at once; what it throws becomes a rejection like any other.
      loading
        .run(flight, () => new Promise((resolve) => resolve(loader(key, context))))
        .then(
          (value) => this.#loaded(flight, value),
          (error: unknown) => this.#loadFailed(flight, error),
        );
    };
    if (limiter === undefined) {
      start();
      return;
    }
    const leaveQueue = limiter.enter(key, start);
    flight.defer(() => {
      leaveQueue?.();
      if (hasEntered) {
        limiter.leave();
      }
    });
  }

  #loaded(flight: Flight, value: unknown): void {
    if (flight.isDone || flight.context === undefined) {
      return;
    }
    try {
      flight.owner.note({ type: "load", key: flight.key, ms: flight.owner.now() - flight.startedAt });
      if (value === undefined) {
        this.#succeed(flight, undefined, { is: "nothing" });
        return;
      }
      const loaded = prepare(flight, flight.context, value);
      if (loaded.ttlMs === 0) {
        this.#succeed(flight, loaded.snapshot, { is: "value", packed: loaded.snapshot.packed });
        return;
      }
      const total = loaded.ttlMs + loaded.envelope.liveForMs;
      const stored = flight.owner.store(flight.key, flight.token, loaded.snapshot, loaded.envelope, total);
      const finish = (): void => this.#succeed(flight, loaded.snapshot, outcomeOf(stored, loaded.snapshot));
      const written = stored === "superseded" ? undefined : this.#writeTier(flight, loaded);
      if (written !== undefined && flight.owner.options.isTierAwaited) {
        written.then(finish);
      } else {
        finish();
      }
    } catch (error) {
      this.#fail(flight, error);
    }
  }

  #writeTier(flight: Flight, loaded: LoadedValue): Promise<unknown> | undefined {
    const { key, lease, asOf, owner } = flight;
    if (!isFitForTier(flight, loaded)) {
      return undefined;
    }
    flight.lease = undefined;
    return owner.tier?.set(key, toTier(loaded), { lease, asOf });
  }

  #loadFailed(flight: Flight, error: unknown): void {
    if (!flight.isDone) {
      const ms = flight.owner.now() - flight.startedAt;
      flight.owner.note({ type: "loadFailed", key: flight.key, error, ms });
      this.#fail(flight, error);
    }
  }

  // --- how it ends ----------------------------------------------------------------------------------------------

  #succeed(flight: Flight, result: Pick<Snapshot, "give"> | undefined, outcome: Outcome): void {
    // What has been superseded is for those who asked before; who waits elsewhere may have asked after that.
    const { key, token, owner } = flight;
    const isForAll = outcome.is === "stored" || token <= 0 || owner.isCurrent(key, token);
    this.#forget(flight, isForAll ? outcome : { is: "stored" });
    flight.settle((waiter) => {
      try {
        waiter.resolve(result?.give());
      } catch (error) {
        waiter.reject(error);
      }
    });
  }

  #fail(flight: Flight, error: unknown): void {
    if (error instanceof LoadsFullError) {
      flight.owner.note({ type: "shed", key: flight.key });
    }
    this.#backOff(flight);
    this.#forget(flight, { is: "error", error });
    const now = flight.owner.now();
    flight.settle((waiter) => {
      const fallback = waiter.fallback(now);
      if (fallback === undefined) {
        waiter.reject(error);
      } else {
        this.#serveStale(flight, waiter, fallback);
      }
    });
  }

  /** The stale entry remembers the failure, so that the loader is left alone for a while. */
  #backOff(flight: Flight): void {
    const { stale, token, key, request } = flight;
    if (stale?.envelope === undefined || token === 0) {
      return;
    }
    const now = flight.owner.now();
    const failures = stale.envelope.failures + 1;
    const retryAt = now + backoffMs(request.policy, failures, flight.owner.random());
    const remaining = stale.envelope.freshUntil + stale.envelope.liveForMs - now;
    if (remaining > 0) {
      try {
        flight.owner.store(
          key,
          token,
          flight.owner.snapshot(stale.value),
          { ...stale.envelope, failures, retryAt },
          remaining,
        );
      } catch (error) {
        // The next caller tries again at once, which is all that is lost.
        flight.owner.note({ type: "loadFailed", key, error, ms: 0 });
      }
    }
  }

  #serveStale(flight: Flight, waiter: Waiter, entry: Entry): void {
    waiter.release();
    flight.owner.note({ type: "staleServed", key: flight.key });
    waiter.resolve(entry.value);
  }

  #softTimeout(flight: Flight, waiter: Waiter): void {
    const fallback = waiter.fallback(flight.owner.now());
    if (fallback !== undefined) {
      flight.isBackground = true;
      flight.waiters.delete(waiter);
      this.#serveStale(flight, waiter, fallback);
    }
  }

  #hardTimeout(flight: Flight, waiter: Waiter): void {
    const ms = waiter.policy.hardTimeoutMs;
    if (flight.waiters.size === 1) {
      // Nobody else has more patience: the load has failed.
      this.#deadline(flight, ms);
      return;
    }
    const error = timeoutError(flight.key, ms);
    const fallback = waiter.fallback(flight.owner.now());
    this.#leave(flight, waiter, error, () => {
      if (fallback === undefined) {
        flight.owner.note({ type: "loadTimeout", key: flight.key });
        waiter.reject(error);
      } else {
        this.#serveStale(flight, waiter, fallback);
      }
    });
  }

  /** The load itself has run out of time. */
  #deadline(flight: Flight, ms: number): void {
    const error = timeoutError(flight.key, ms);
    flight.owner.note({ type: "loadTimeout", key: flight.key });
    flight.context?.abort(error);
    this.#fail(flight, error);
  }

  #leave(flight: Flight, waiter: Waiter, reason: unknown, tell: () => void): void {
    flight.waiters.delete(waiter);
    waiter.release();
    tell();
    if (flight.waiters.size === 0 && !flight.isBackground && !flight.isDone) {
      this.#forget(flight);
      flight.context?.abort(reason);
    }
  }

  /** The handle that runs a load is closed: another one whose callers wait goes on with it. */
  #handOver(flight: Flight, reason: unknown): void {
    const [next] = flight.waiters;
    if (next === undefined) {
      this.#forget(flight);
      flight.context?.abort(reason);
      return;
    }
    const { key, owner, token } = flight;
    const isCurrent = token > 0 && owner.isCurrent(key, token);
    if (token > 0) {
      owner.release(key, token);
    }
    flight.owner = next.owner;
    // A void token: what is loaded is given to those who wait, and not stored.
    flight.token = isCurrent ? Math.max(next.owner.claim(key, CLAIM_MS), VOID) : VOID;
  }

  /** It is over: the claim is given back, and the other threads that wait are told how it ended. */
  #forget(flight: Flight, outcome: Outcome = { is: "stored" }): void {
    if (flight.isDone) {
      return;
    }
    flight.end();
    this.#running.delete(flight);
    if (this.#byKey.get(flight.key) === flight) {
      this.#byKey.delete(flight.key);
    }
    this.#releaseLease(flight.owner, flight.key, flight.lease);
    if (flight.token > 0 && flight.owner.release(flight.key, flight.token)) {
      this.#wake.tell(flight.key, outcome);
    }
  }

  #releaseLease(owner: LoadOwner, key: string, lease: string | undefined): void {
    if (lease !== undefined) {
      owner.tier?.release(key, lease);
    }
  }
}

function outcomeOf(stored: string, snapshot: Snapshot): Outcome {
  return stored === "stored" ? { is: "stored" } : { is: "value", packed: snapshot.packed };
}

function timeoutError(key: string, ms: number): LoadTimeoutError {
  const message = `Loading key ${show(key)} took longer than hardTimeout, ${ms} ms, and there is no stale value to serve (staleIfError).`;
  return new LoadTimeoutError("ERR_LOAD_TIMEOUT", message, { key });
}

function cycleError(key: string, path: readonly string[]): LoadCycleError {
  const cycle = [...path, key].map((step) => show(step)).join(" -> ");
  const message = `The loader of ${show(path.at(-1))} asks for ${show(key)}, which waits for it: ${cycle}. Load it without the cache, or under another key.`;
  return new LoadCycleError("ERR_LOAD_CYCLE", message, { key });
}
