/**
 * The version and the tag clock, which all processes share. They are asked for with every batch, so that a process that
 * hears of nothing still works with the current ones; all who ask at once share one command.
 */
import type { Attempt } from "./calls.js";
import type { KeyNames } from "./keys.js";
import { ADVANCE, INVALIDATE_TAGS, KEEP_TAGS, STATE } from "./scripts.js";
import { groupBySlot } from "./slots.js";

/** Where the counters stand. */
export interface State {
  /** A part of every entry's name. */
  readonly version: number;
  /** Moved by every invalidation of tags. */
  readonly clock: number;
}

/** How long a tag is remembered at least: longer than any write may be under way. */
const TAG_MS_MIN = 600_000;

export class SharedState {
  readonly #names: KeyNames;
  readonly #isCluster: boolean;
  readonly #onNewVersion: () => void;
  #version: number | undefined = undefined;
  #asked: Promise<State> | undefined = undefined;

  /** `onNewVersion` is called when all that came from Redis so far has become invalid. */
  constructor(names: KeyNames, isCluster: boolean, onNewVersion: () => void) {
    this.#names = names;
    this.#isCluster = isCluster;
    this.#onNewVersion = onNewVersion;
  }

  /** The version as it was last heard of. */
  get version(): number | undefined {
    return this.#version;
  }

  /** Asks Redis: what it had before this call is not good enough, so only those who ask at the same time share. */
  current(attempt: Attempt): Promise<State> {
    if (this.#asked === undefined) {
      this.#asked = this.#ask(attempt);
      process.nextTick(() => {
        this.#asked = undefined;
      });
    }
    return this.#asked;
  }

  /**
   * Makes everything older unreachable. What this process has stored since the call is not older: only if others have moved
   * the version, too, is there something to be dropped here.
   */
  async bumpVersion(attempt: Attempt): Promise<number> {
    const before = this.#version;
    const version = Number(await attempt.script(ADVANCE, [this.#names.version]));
    if (version === (before ?? version - 1) + 1) {
      this.#version = version;
    } else {
      this.#learn(version);
    }
    return version;
  }

  /** When tags were invalidated last, by the tag clock; `undefined` for those that nobody knows any more. */
  async tagTimes(attempt: Attempt, tags: Iterable<string>): Promise<Map<string, number>> {
    const times = new Map<string, number>();
    const ask = async (group: readonly string[]): Promise<void> => {
      const names = group.map((tag) => this.#names.tag(tag));
      const replies = (await attempt.command("mget", names)) as (Buffer | null)[];
      for (const [index, reply] of replies.entries()) {
        if (reply !== null) {
          times.set(group[index] as string, Number(reply));
        }
      }
    };
    await Promise.all(this.#group([...tags]).map(ask));
    return times;
  }

  /** Sees to it that tags are known for as long as an entry lives (0: for ever); when the latest of them was invalidated. */
  async keepTags(attempt: Attempt, tags: readonly string[], clock: number, pxMs: number): Promise<number> {
    const keepMs = pxMs === 0 ? 0 : Math.max(pxMs, TAG_MS_MIN);
    const replies = await Promise.all(
      this.#group(tags).map((group) => {
        const names = group.map((tag) => this.#names.tag(tag));
        return attempt.script(KEEP_TAGS, names, [clock, keepMs]) as Promise<Buffer[]>;
      }),
    );
    return replies.flat().reduce((latest, reply) => Math.max(latest, Number(reply)), 0);
  }

  /** Moves the tag clock, and notes where it stands then with the tags. */
  async invalidateTags(attempt: Attempt, tags: readonly string[]): Promise<number> {
    const clock = Number(await attempt.script(ADVANCE, [this.#names.clock]));
    const groups = this.#group(tags);
    await Promise.all(
      groups.map((group) =>
        attempt.script(
          INVALIDATE_TAGS,
          group.map((tag) => this.#names.tag(tag)),
          [clock, TAG_MS_MIN],
        ),
      ),
    );
    return clock;
  }

  async #ask(attempt: Attempt): Promise<State> {
    const reply = (await attempt.script(STATE, [this.#names.version, this.#names.clock])) as Buffer[];
    const [version, clock] = [Number(reply[0]), Number(reply[1])];
    this.#learn(version);
    return { version, clock };
  }

  /** Another process says what the version is. */
  heard(version: number): void {
    if (this.#version !== version) {
      this.#version = version;
      this.#onNewVersion();
    }
  }

  /** Redis says what the version is. The first time there is nothing that could have become invalid. */
  #learn(version: number): void {
    if (this.#version === undefined) {
      this.#version = version;
    } else {
      this.heard(version);
    }
  }

  #group(tags: readonly string[]): (readonly string[])[] {
    const all = tags.length === 0 ? [] : [tags];
    return this.#isCluster ? groupBySlot(tags, (tag) => this.#names.tag(tag)) : all;
  }
}
