/**
 * Look-ups. All that are asked for in one turn of the event loop go out together: one script for all keys (one per slot in
 * a Cluster), then one look at their tags, then the leases of those that are to be loaded. No step is made for nothing.
 *
 * What can't be had is a miss. A key that changes between the look-up and its lease is looked up once more.
 */
import { randomBytes } from "node:crypto";
import type { TierAnswer, TierEntry } from "../tier.js";
import { type Attempt, type Calls, isReply } from "./calls.js";
import { decompress } from "./compression.js";
import type { Deadline } from "./deadlines.js";
import type { Echoes } from "./echoes.js";
import {
  type Decoded,
  decode,
  NO_REVISION,
  placeholderHead,
  revisionOf,
  TOKEN_BYTES,
  UndecodableError,
} from "./format.js";
import type { KeyNames } from "./keys.js";
import { type Dependency, dependenciesOn, revisionsOf } from "./revisions.js";
import { LEASE, READ } from "./scripts.js";
import { groupBySlot } from "./slots.js";
import type { SharedState, State } from "./state.js";
import { moment, showLease } from "./tokens.js";

/** More keys in one script would hold up others at Redis. */
const KEYS_PER_SCRIPT = 256;
/** How many answers of a script stand for one key. */
const REPLIES_PER_KEY = 2;
const TAKEN = 1;
const CHANGED = 2;
const PLACEHOLDER = placeholderHead();

/** What was asked. */
export interface Question {
  readonly key: string;
  readonly leaseMs: number;
  /** What a value that is loaded then will be built from. */
  readonly dependsOn: readonly string[];
}

/** What a look-up counts. */
export interface LookupCounters {
  hits: number;
  misses: number;
  undecodable: number;
}

/** What look-ups need of the tier. */
export interface LookupOwner {
  readonly calls: Calls;
  readonly state: SharedState;
  readonly names: KeyNames;
  readonly echoes: Echoes;
  readonly valueBytesMax: number;
  failed(operation: string, error: Error): void;
}

interface Pending extends Question {
  resolve(answer: TierAnswer): void;
}

/** What lies under a key: what it is, if it can be decoded, and its revision, if it has one. */
interface Stored {
  readonly decoded: Decoded | undefined;
  readonly revision: string;
}

/** What is known of a key after it was read. */
interface Found {
  readonly question: Question;
  /** Neither damaged, nor a placeholder, nor invalidated by a tag. */
  readonly decoded: Decoded | undefined;
  readonly revision: string;
  readonly lease: string | undefined;
  readonly isHeld: boolean;
  readonly isChanged: boolean;
  readonly state: State;
  /** What the question's keys were, before anything is loaded. */
  readonly dependencies: readonly Dependency[];
}

const ABSENT: Stored = { decoded: undefined, revision: NO_REVISION };
const NOTHING: TierAnswer = { entry: undefined, lease: undefined, isHeld: false };

export class Lookups {
  readonly counters: LookupCounters = { hits: 0, misses: 0, undecodable: 0 };
  readonly #owner: LookupOwner;
  #pending: Pending[] = [];

  constructor(owner: LookupOwner) {
    this.#owner = owner;
  }

  /** Looks a key up with all others of this turn. `deadline`: one that runs already, for a look-up of its own. */
  get(question: Question, deadline?: Deadline): Promise<TierAnswer> {
    if (!this.#owner.calls.admits()) {
      this.counters.misses++;
      return Promise.resolve(NOTHING);
    }
    return new Promise((resolve) => {
      const pending = { ...question, resolve };
      if (deadline !== undefined) {
        void this.#ask([pending], deadline);
        return;
      }
      if (this.#pending.length === 0) {
        setImmediate(() => this.#flush());
      }
      this.#pending.push(pending);
    });
  }

  /** A look-up that found nothing, without asking. */
  missed(): TierAnswer {
    this.counters.misses++;
    return NOTHING;
  }

  #flush(): void {
    const pending = this.#pending;
    this.#pending = [];
    for (const group of this.#group(pending, this.#owner.state.version)) {
      for (let at = 0; at < group.length; at += KEYS_PER_SCRIPT) {
        void this.#ask(group.slice(at, at + KEYS_PER_SCRIPT));
      }
    }
  }

  /** Where a slot's node is away, others' keys must not wait for it. The slots are known when the version is. */
  #group<T extends Question>(questions: readonly T[], version: number | undefined): (readonly T[])[] {
    if (!this.#owner.calls.connection.isCluster) {
      return [questions];
    }
    if (version === undefined) {
      return questions.map((question) => [question]);
    }
    return groupBySlot(questions, ({ key }) => this.#owner.names.entry(version, key));
  }

  async #ask(group: readonly Pending[], deadline?: Deadline): Promise<void> {
    const { calls } = this.#owner;
    let found: readonly Found[];
    try {
      found = await calls.attempt("get", (attempt) => this.#lookUp(attempt, group), deadline);
    } catch {
      // It is counted and reported where it failed.
      for (const { resolve } of group) {
        this.counters.misses++;
        resolve(NOTHING);
      }
      return;
    }
    for (const [index, { resolve }] of group.entries()) {
      void this.#answer(found[index] as Found).then(resolve);
    }
  }

  async #lookUp(attempt: Attempt, questions: readonly Question[]): Promise<readonly Found[]> {
    const found = await this.#readAndLease(attempt, questions);
    const changed = found.filter(({ isChanged }) => isChanged);
    if (changed.length === 0) {
      return found;
    }
    // Somebody was quicker. Whatever they left is the answer; a lease is not asked for again.
    const again = changed.map(({ question }) => ({ ...question, leaseMs: 0 }));
    const later = (await this.#readAndLease(attempt, again)).values();
    return found.map((first) => (first.isChanged ? (later.next().value as Found) : first));
  }

  async #readAndLease(attempt: Attempt, questions: readonly Question[]): Promise<readonly Found[]> {
    const { state, stored, revisions } = await this.#read(attempt, questions);
    const isValid = await this.#checks(attempt, state.version, stored, revisions);
    return Promise.all(
      questions.map((question) => {
        const { decoded, revision } = stored.get(question) ?? ABSENT;
        const isPlaceholder = decoded?.isPlaceholder ?? false;
        const valid = decoded !== undefined && !isPlaceholder && isValid(decoded) ? decoded : undefined;
        const found = {
          question,
          decoded: valid,
          revision,
          state,
          dependencies: dependenciesOn(question.dependsOn, revisions),
          lease: undefined,
          isHeld: isPlaceholder,
          isChanged: false,
        };
        const isFresh = valid !== undefined && valid.entry.freshMs > 0;
        return question.leaseMs > 0 && !isFresh && !isPlaceholder ? this.#lease(attempt, found) : found;
      }),
    );
  }

  /** Reads with the version that is known, and again if it was not the current one. */
  async #read(
    attempt: Attempt,
    questions: readonly Question[],
  ): Promise<{ state: State; stored: Map<Question, Stored>; revisions: Map<string, string> }> {
    const { state } = this.#owner;
    const version = state.version ?? (await state.current(attempt)).version;
    const stored = new Map<Question, Stored>();
    const read = async (group: readonly Question[]): Promise<void> => {
      const names = group.map(({ key }) => this.#owner.names.entry(version, key));
      const replies = (await attempt.script(READ, names)) as unknown[];
      for (const [index, question] of group.entries()) {
        stored.set(
          question,
          this.#decode(question.key, replies[REPLIES_PER_KEY * index], replies[REPLIES_PER_KEY * index + 1]),
        );
      }
    };
    const dependsOn = new Set(questions.flatMap((question) => question.dependsOn));
    const [current, revisions] = await Promise.all([
      state.current(attempt),
      this.#revisions(attempt, version, dependsOn),
      ...this.#group(questions, version).map(read),
    ]);
    return current.version === version ? { state: current, stored, revisions } : this.#read(attempt, questions);
  }

  #decode(key: string, bytes: unknown, pttlMs: unknown): Stored {
    if (bytes === null) {
      return ABSENT;
    }
    try {
      if (!Buffer.isBuffer(bytes)) {
        throw new UndecodableError("it is of another type than string");
      }
      const decoded = decode(bytes, Number(pttlMs));
      return { decoded, revision: decoded.revision };
    } catch (error) {
      this.#undecodable(key, error as Error);
      return { decoded: undefined, revision: Buffer.isBuffer(bytes) ? revisionOf(bytes) : NO_REVISION };
    }
  }

  #revisions(attempt: Attempt, version: number, keys: ReadonlySet<string>): Promise<Map<string, string>> {
    const { names, calls } = this.#owner;
    return revisionsOf(attempt, names, version, [...keys], calls.connection.isCluster);
  }

  /**
   * Looks at all tags of these entries at once, and at what they depend on as far as that is not known from `revisions`. A
   * tag that nobody knows any more may have been invalidated: it counts so.
   */
  async #checks(
    attempt: Attempt,
    version: number,
    stored: ReadonlyMap<Question, Stored>,
    revisions: ReadonlyMap<string, string>,
  ): Promise<(decoded: Decoded) => boolean> {
    const all = [...stored.values()].flatMap(({ decoded }) => decoded ?? []);
    const tags = new Set(all.flatMap(({ entry }) => entry.tags));
    const keys = new Set(all.flatMap(({ dependencies }) => dependencies.map(({ key }) => key)));
    for (const key of revisions.keys()) {
      keys.delete(key);
    }
    if (tags.size === 0 && keys.size === 0 && revisions.size === 0) {
      return () => true;
    }
    const [times, others] = await Promise.all([
      this.#owner.state.tagTimes(attempt, tags),
      this.#revisions(attempt, version, keys),
    ]);
    return ({ entry, clock, dependencies }) =>
      entry.tags.every((tag) => (times.get(tag) ?? Number.POSITIVE_INFINITY) <= clock) &&
      dependencies.every(({ key, revision }) => (revisions.get(key) ?? others.get(key)) === revision);
  }

  /** Where Redis refuses (its memory is full, it is a replica), what was found is good all the same. */
  async #lease(attempt: Attempt, found: Found): Promise<Found> {
    try {
      return await this.#takeLease(attempt, found);
    } catch (error) {
      if (!isReply(error)) {
        throw error;
      }
      this.#owner.calls.refused("lease", error as Error);
      return found;
    }
  }

  async #takeLease(attempt: Attempt, found: Found): Promise<Found> {
    const { question, state, revision: seen } = found;
    const token = randomBytes(TOKEN_BYTES);
    const name = this.#owner.names.entry(state.version, question.key);
    const args = [Buffer.from(seen, "hex"), question.leaseMs, token, PLACEHOLDER];
    const asked = attempt.script(LEASE, [name], args) as Promise<[number, Buffer]>;
    const revisionTaken = ([outcome, bytes]: [number, Buffer]): string | undefined =>
      Number(outcome) === TAKEN ? bytes.toString("hex") : undefined;
    const [reply, bytes] = await this.#owner.echoes.changing([question.key], asked, revisionTaken);
    const outcome = Number(reply);
    if (outcome === CHANGED) {
      return { ...found, isChanged: true };
    }
    const revision = bytes.toString("hex");
    const lease = outcome === TAKEN ? showLease(token, moment(state, revision, found.dependencies)) : undefined;
    return { ...found, revision, lease, isHeld: lease === undefined };
  }

  /** Never rejects. */
  async #answer({ question, decoded, revision, state, lease, isHeld, dependencies }: Found): Promise<TierAnswer> {
    let entry: TierEntry | undefined;
    if (decoded !== undefined) {
      try {
        const stored = { compression: decoded.compression, bytes: decoded.entry.bytes };
        entry = { ...decoded.entry, bytes: await decompress(stored, this.#owner.valueBytesMax) };
      } catch (error) {
        this.#undecodable(question.key, error as Error);
      }
    }
    if (entry === undefined) {
      this.counters.misses++;
    } else {
      this.counters.hits++;
    }
    return { entry, lease, isHeld, asOf: moment(state, revision, dependencies) };
  }

  #undecodable(key: string, cause: Error): void {
    this.counters.undecodable++;
    const message = `What Redis has for ${JSON.stringify(key)} can't be decoded, and counts as a miss: ${cause.message}`;
    this.#owner.failed("get", new UndecodableError(message, { cause }));
  }
}
