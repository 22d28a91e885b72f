/**
 * Tells other processes' changes from our own. Tracking names every key that changes, ours included, and not who changed it;
 * taken for another's, each write would throw away what this process has just stored.
 *
 * So what this process has changed of late is remembered with the revision that it got (of a tag: the clock). If a name
 * arrives that is remembered, Redis is asked what it has now: our revision means that nobody has changed it since.
 * Anything else, or no answer, means that it is out of date. Names that are not remembered always are.
 */
import type { Calls } from "./calls.js";
import type { Clock } from "./clock.js";
import { NO_REVISION } from "./format.js";
import type { KeyNames } from "./keys.js";
import { revisionsOf } from "./revisions.js";
import type { SharedState } from "./state.js";

/** A change arrives within milliseconds; a connection that lags more is found out and dropped. */
const REMEMBERED_MS = 5_000;
const REMEMBERED_MAX = 20_000;

/** More of one name within the time are seldom, and forgetting one costs a look-up at most. */
const REVISIONS_MAX = 16;

/** Our changes of one name. */
interface Changes {
  /** When the last one began. */
  at: number;
  /** Settles with those that are under way. */
  underWay: Promise<void>;
  /** What it got by the last of them; `undefined` where it is not known whether that was done. */
  latest: string | undefined;
  /** What it got by the latest of them, the oldest first; without those that took it away, which look all alike. */
  revisions: string[];
}

/** What is told of changes that are not ours. */
export interface Told {
  invalidate(keys: readonly string[]): void;
  invalidateTags(tags: readonly string[]): void;
}

export interface EchoOwner {
  readonly calls: Calls;
  readonly state: SharedState;
  readonly names: KeyNames;
  readonly clock: Clock;
}

export class Echoes {
  readonly #owner: EchoOwner;
  readonly #told: Told;
  readonly #keys: Remembered;
  readonly #tags: Remembered;

  constructor(owner: EchoOwner, told: Told) {
    this.#owner = owner;
    this.#told = told;
    this.#keys = new Remembered(owner.clock);
    this.#tags = new Remembered(owner.clock);
  }

  /** This process changes these keys: the result tells the revision that a key then has, or nothing if it was not changed. */
  changing<T>(keys: readonly string[], change: Promise<T>, revisionOf: (result: T) => string | undefined): Promise<T> {
    return this.#keys.remember(keys, change, revisionOf);
  }

  /** As {@link changing}, for tags and the tag clock. */
  changingTags<T>(tags: readonly string[], change: Promise<T>, clockOf: (result: T) => number): Promise<T> {
    return this.#tags.remember(tags, change, (result) => String(clockOf(result)));
  }

  /** Somebody has changed these keys. */
  changed(keys: readonly string[]): void {
    const [ours, foreign] = this.#keys.split(keys);
    if (foreign.length > 0) {
      this.#told.invalidate(foreign);
    }
    if (ours.length > 0) {
      void this.#check(this.#keys, ours, () => this.#revisions(ours)).then((changed) => {
        if (changed.length > 0) {
          this.#told.invalidate(changed);
        }
      });
    }
  }

  /** Somebody has invalidated these tags. */
  changedTags(tags: readonly string[]): void {
    const [ours, foreign] = this.#tags.split(tags);
    if (foreign.length > 0) {
      this.#told.invalidateTags(foreign);
    }
    if (ours.length > 0) {
      void this.#check(this.#tags, ours, () => this.#tagClocks(ours)).then((changed) => {
        if (changed.length > 0) {
          this.#told.invalidateTags(changed);
        }
      });
    }
  }

  /**
   * Those that are no longer as we left them. Never rejects.
   *
   * We may change more while Redis is asked. A revision is never given twice, so any of ours will do. A key that is gone
   * is ours if deleting it was the last that we had done when Redis was asked, or since: had somebody else deleted it in
   * between, a message of its own tells, and is checked anew.
   */
  async #check(
    remembered: Remembered,
    names: readonly string[],
    ask: () => Promise<ReadonlyMap<string, string>>,
  ): Promise<string[]> {
    await Promise.all(names.map((name) => remembered.settled(name)));
    const latest = names.map((name) => remembered.latestOf(name));
    const found = await ask().catch(() => undefined);
    if (found === undefined) {
      return [...names];
    }
    await Promise.all(names.map((name) => remembered.settled(name)));
    return names.filter((name, index) => {
      const revision = found.get(name);
      const isLatest = revision === latest[index] || revision === remembered.latestOf(name);
      return revision === undefined || !(isLatest || remembered.has(name, revision));
    });
  }

  #revisions(keys: readonly string[]): Promise<Map<string, string>> {
    const { calls, state, names } = this.#owner;
    return calls.attempt("compare revisions", async (attempt) => {
      const version = state.version ?? (await state.current(attempt)).version;
      return revisionsOf(attempt, names, version, keys, calls.connection.isCluster);
    });
  }

  async #tagClocks(tags: readonly string[]): Promise<Map<string, string>> {
    const { calls, state } = this.#owner;
    const times = await calls.attempt("compare tags", (attempt) => state.tagTimes(attempt, tags));
    return new Map([...times].map(([tag, time]) => [tag, String(time)]));
  }
}

/** The latest changes of ours, the oldest first. */
class Remembered {
  readonly #clock: Clock;
  readonly #changes = new Map<string, Changes>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  remember<T>(names: readonly string[], change: Promise<T>, revisionOf: (result: T) => string | undefined): Promise<T> {
    const now = this.#clock.now();
    this.#forgetOld(now);
    for (const name of names) {
      const changes = this.#changesOf(name, now);
      const done = change.then(
        (result) => note(changes, revisionOf(result)),
        () => {
          changes.latest = undefined;
        },
      );
      changes.underWay = Promise.all([changes.underWay, done]).then(() => undefined);
    }
    return change;
  }

  split(names: readonly string[]): [ours: string[], foreign: string[]] {
    const isOurs = (name: string): boolean => this.#changes.has(name);
    return [names.filter(isOurs), names.filter((name) => !isOurs(name))];
  }

  settled(name: string): Promise<void> | undefined {
    return this.#changes.get(name)?.underWay;
  }

  latestOf(name: string): string | undefined {
    return this.#changes.get(name)?.latest;
  }

  has(name: string, revision: string): boolean {
    return this.#changes.get(name)?.revisions.includes(revision) ?? false;
  }

  /** Put at the end, so that the order is that of the latest changes. */
  #changesOf(name: string, now: number): Changes {
    const changes = this.#changes.get(name) ?? {
      at: now,
      underWay: Promise.resolve(),
      latest: undefined,
      revisions: [],
    };
    changes.at = now;
    this.#changes.delete(name);
    this.#changes.set(name, changes);
    return changes;
  }

  #forgetOld(now: number): void {
    for (const [name, { at }] of this.#changes) {
      if (now - at < REMEMBERED_MS && this.#changes.size < REMEMBERED_MAX) {
        return;
      }
      this.#changes.delete(name);
    }
  }
}

function note(changes: Changes, revision: string | undefined): void {
  if (revision === undefined) {
    return;
  }
  changes.latest = revision;
  if (revision !== NO_REVISION) {
    changes.revisions.push(revision);
    if (changes.revisions.length > REVISIONS_MAX) {
      changes.revisions.shift();
    }
  }
}
