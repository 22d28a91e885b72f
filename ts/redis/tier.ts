/**
 * The second tier in Redis. This file ties the parts together and keeps the contract of tier.ts; what each operation does
 * at Redis is in lookups.ts, writes.ts, state.ts and patterns.ts, what keeps it from hanging in calls.ts.
 */
import { TierError } from "../errors.js";
import type { Tier, TierAnswer, TierEntry, TierEvent, TierHost, TierLookUp, TierStats, TierWrite } from "../tier.js";
import type { Backplane, BackplaneOptions, Change } from "./backplane/backplane.js";
import { createBackplane } from "./backplane/create.js";
import { nodesOf } from "./backplane/nodes.js";
import { type Attempt, Calls, isRefusal } from "./calls.js";
import { compress } from "./compression.js";
import { Echoes } from "./echoes.js";
import { Compression, NO_REVISION, type Stored } from "./format.js";
import { KeyNames } from "./keys.js";
import { Lookups, type Question } from "./lookups.js";
import type { ResolvedTierOptions } from "./options.js";
import { type Concern, WriteOrder } from "./order.js";
import { deleteOn } from "./patterns.js";
import { pick } from "./revisions.js";
import { SharedState } from "./state.js";
import { parseLease, parseMoment } from "./tokens.js";
import { type Condition, checkSize, expire, release, remove, store, touch, type WriteOwner } from "./writes.js";

/** Keys that wait to be touched; more are not worth remembering. */
const TOUCHED_MAX = 10_000;

export class RedisTier implements Tier {
  readonly name = "redis";
  readonly #options: ResolvedTierOptions;
  readonly #names: KeyNames;
  readonly #calls: Calls;
  readonly #state: SharedState;
  readonly #lookups: Lookups;
  readonly #order: WriteOrder;
  readonly #echoes: Echoes;
  readonly #backplane: Backplane;
  readonly #owner: WriteOwner;
  readonly #touched = new Set<string>();
  #host: TierHost | undefined = undefined;
  #writes = 0;
  #closing: Promise<void> | undefined = undefined;

  constructor(options: ResolvedTierOptions) {
    this.#options = options;
    this.#names = new KeyNames(options.prefix);
    this.#calls = new Calls(options, this.#names, {
      breakerChanged: (change) => this.#report({ type: "breaker", ...change }),
      failed: (operation, error) => this.#report({ type: "error", operation, error }),
    });
    const { isCluster } = this.#calls.connection;
    this.#state = new SharedState(this.#names, isCluster, () => this.#host?.invalidateAll());
    this.#order = new WriteOrder(options.writesMax);
    this.#owner = { state: this.#state, names: this.#names, isCluster };
    const shared = { calls: this.#calls, state: this.#state, names: this.#names };
    this.#echoes = new Echoes(
      { ...shared, clock: options.clock },
      {
        invalidate: (keys) => this.#host?.invalidate(keys),
        invalidateTags: (tags) => this.#host?.invalidateTags(tags),
      },
    );
    this.#backplane = createBackplane(this.#backplaneOptions());
    this.#lookups = new Lookups({
      ...shared,
      echoes: this.#echoes,
      valueBytesMax: options.valueBytesMax,
      failed: (operation, error) => this.#report({ type: "error", operation, error }),
    });
  }

  attach(host: TierHost): void {
    this.#host = host;
    this.#backplane.start({
      invalidate: (keys) => this.#echoes.changed(keys),
      invalidateTags: (tags) => this.#echoes.changedTags(tags),
      invalidateAll: () => host.invalidateAll(),
      versionChanged: (version) => this.#state.heard(version),
      report: (event) => host.report(event),
    });
  }

  get(key: string, how: TierLookUp): Promise<TierAnswer> {
    const { dependsOn = [] } = how;
    const question = { key, leaseMs: Math.ceil(how.leaseMs), dependsOn };
    const pending = this.#order.pending([key, ...dependsOn]);
    return pending === undefined ? this.#lookups.get(question) : this.#getAfter(pending, question);
  }

  async set(key: string, entry: TierEntry, how: TierWrite): Promise<boolean> {
    checkSize(key, entry, this.#options.valueBytesMax);
    const condition = conditionOf(how, entry.dependsOn ?? []);
    if (condition === undefined) {
      await (how.lease && this.release(key, how.lease));
      return false;
    }
    if (entry.liveMs <= 0) {
      await this.delete([key]);
      return true;
    }
    return this.#write("set", [key], async () => {
      const stored = await this.#compressed(entry);
      const write = this.#calls.attempt("set", async (attempt) => {
        const storing = store(this.#owner, attempt, key, entry, stored, condition);
        const revision = await this.#told({ keys: [key] }, storing, isRefusal);
        this.#writes += revision === undefined ? 0 : 1;
        return revision;
      });
      return (await this.#echoes.changing([key], write, (revision) => revision)) !== undefined;
    });
  }

  delete(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) {
      return Promise.resolve();
    }
    return this.#write("delete", keys, () => {
      const write = this.#calls.attempt("delete", (attempt) =>
        this.#told(
          { keys },
          remove(this.#owner, attempt, keys).then(() => true),
        ),
      );
      return this.#echoes.changing(keys, write, () => NO_REVISION).then(() => undefined);
    });
  }

  async expire(key: string): Promise<void> {
    await this.#write("expire", [key], () => {
      const write = this.#calls.attempt("expire", (attempt) =>
        this.#told({ keys: [key] }, expire(this.#owner, attempt, key), isRefusal),
      );
      return this.#echoes.changing([key], write, (revision) => revision);
    });
  }

  deletePattern(pattern: string): Promise<number> {
    return this.#write("deletePattern", "everything", async () => {
      const step = <T>(body: (attempt: Attempt) => Promise<T>): Promise<T> =>
        this.#calls.attempt("deletePattern", body);
      const { version } = await step((attempt) => this.#state.current(attempt));
      const { isCluster } = this.#owner;
      const tell = (keys: readonly string[]): Promise<void> => this.#backplane.publish({ keys });
      const walks = this.#calls.connection
        .masters()
        .map((master) => deleteOn(master, this.#names, version, pattern, isCluster, step, tell));
      const counts = await Promise.all(walks);
      return counts.reduce((sum, count) => sum + count, 0);
    });
  }

  async invalidateTags(tags: readonly string[]): Promise<void> {
    if (tags.length === 0) {
      return;
    }
    await this.#write("invalidateTags", "everything", () => {
      const write = this.#calls.attempt("invalidateTags", (attempt) =>
        this.#told({ tags }, this.#state.invalidateTags(attempt, tags)),
      );
      return this.#echoes.changingTags(tags, write, (clock) => clock);
    });
  }

  bumpVersion(): Promise<void> {
    return this.#write("bumpVersion", "everything", () =>
      this.#calls.attempt("bumpVersion", async (attempt) => {
        const version = await this.#state.bumpVersion(attempt).catch((error: unknown) => {
          // It may have been made, and nobody knows which it is.
          if (!isRefusal(error)) {
            void this.#backplane.publish({ all: true });
          }
          throw error;
        });
        await this.#backplane.publish({ version });
      }),
    );
  }

  async release(key: string, lease: string): Promise<void> {
    const parsed = parseLease(lease);
    if (parsed === undefined) {
      return;
    }
    const write = (): Promise<unknown> => {
      const { token, moment } = parsed;
      const released = this.#calls.attempt("release", (attempt) => release(this.#owner, attempt, key, token, moment));
      return this.#echoes.changing([key], released, (revision) => revision);
    };
    // Errors are counted and reported where they happen; the lease ends by itself.
    await this.#write("release", [key], write).catch(() => undefined);
  }

  async touch(keys: readonly string[]): Promise<void> {
    const isFirst = this.#touched.size === 0;
    for (const key of keys) {
      if (this.#touched.size < TOUCHED_MAX) {
        this.#touched.add(key);
      }
    }
    if (!isFirst || this.#touched.size === 0) {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
    const touched = [...this.#touched];
    this.#touched.clear();
    await this.#calls.attempt("touch", (attempt) => touch(this.#owner, attempt, touched)).catch(() => undefined);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  stats(): TierStats {
    const { hits, misses, undecodable } = this.#lookups.counters;
    const { errors, timeouts, skipped } = this.#calls.counters;
    const { messages, gaps } = this.#backplane.stats();
    return {
      name: this.name,
      ...{ hits, misses, writes: this.#writes, errors: errors + undecodable, timeouts, undecodable, skipped },
      breaker: this.#calls.breakerState,
      ...(this.#calls.connection.isCluster && { brokenNodes: this.#calls.brokenNodes }),
      coherence: this.#backplane.coherence,
      messages,
      gaps,
    };
  }

  async #close(): Promise<void> {
    await this.#order.settled();
    await this.#backplane.close();
    await this.#calls.close();
  }

  #backplaneOptions(): BackplaneOptions {
    const { client } = this.#calls.connection;
    return {
      mode: this.#options.coherence,
      prefix: this.#options.prefix,
      entryPrefix: this.#names.allEntries,
      keyOf: (name) => {
        const found = this.#names.parse(name.toString());
        return found?.type === "entry" ? found.key : undefined;
      },
      nodes: nodesOf(client),
      commands: { call: (command, ...parts) => this.#calls.single(command, parts) },
      clock: this.#options.clock,
    };
  }

  /** A look-up of what is being written: it waits for the write, and still no longer than its own deadline. */
  async #getAfter(pending: Promise<unknown>, question: Question): Promise<TierAnswer> {
    if (!this.#calls.admits()) {
      return this.#lookups.missed();
    }
    const deadline = this.#calls.startDeadline();
    try {
      await deadline.race(pending);
    } catch {
      return this.#lookups.missed();
    }
    return this.#lookups.get(question, deadline);
  }

  /**
   * Tells others of a change when Redis has made it (an undefined result: it has not), and also when nobody knows whether
   * it has: the connection was lost before the answer came. One that was not made does no harm.
   */
  async #told<T>(
    change: Change,
    made: Promise<T>,
    isSurelyNotMade: (error: unknown) => boolean = () => false,
  ): Promise<T> {
    let result: T;
    try {
      result = await made;
    } catch (error) {
      if (!isSurelyNotMade(error)) {
        void this.#backplane.publish(change);
      }
      throw error;
    }
    if (result !== undefined) {
      await this.#backplane.publish(change);
    }
    return result;
  }

  /** A write in its turn. */
  #write<T>(operation: string, concern: Concern, body: () => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) {
      return Promise.reject(
        new TierError("ERR_TIER", `Redis was not asked to ${operation}: the tier is closed`, { operation }),
      );
    }
    if (this.#order.isFull) {
      const message = `Redis was not asked to ${operation}: ${this.#options.writesMax} writes are under way already (redisTier's writeQueue)`;
      return Promise.reject(new TierError("ERR_TIER", message, { operation }));
    }
    return this.#order.run(concern, body);
  }

  #compressed(entry: TierEntry): Promise<Stored> | Stored {
    const { compressWith, compressAbove } = this.#options;
    return compressWith !== undefined && entry.bytes.byteLength > compressAbove
      ? compress(entry.bytes, compressWith)
      : { compression: Compression.none, bytes: entry.bytes };
  }

  #report(event: TierEvent): void {
    this.#host?.report(event);
  }
}

/** What a write hangs on; `undefined`: on something that this tier never handed out, or could not tell, so it can't hold. */
function conditionOf({ lease, asOf }: TierWrite, dependsOn: readonly string[]): Condition | undefined {
  const parsed = lease === undefined ? undefined : parseLease(lease);
  const moment = parsed?.moment ?? (asOf === undefined ? undefined : parseMoment(asOf));
  const isStrange = lease === undefined ? asOf !== undefined && moment === undefined : parsed === undefined;
  const dependencies = pick(moment?.dependencies ?? [], dependsOn);
  return isStrange || dependencies === undefined ? undefined : { moment, token: parsed?.token, dependencies };
}
