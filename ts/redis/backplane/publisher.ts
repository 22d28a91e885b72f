/**
 * Sends what this process has changed. All that is published in one turn of the event loop goes together. What could not be
 * sent is kept and sent later, in no order, as an invalidation that comes late or twice does no harm; if it becomes too
 * much, it is replaced by "everything changed".
 */
import type { Change, Context } from "./backplane.js";
import { encodeEntry } from "./entry.js";
import { Backoff, isRefusal } from "./retry.js";
import { Signals } from "./signals.js";
import { streamName } from "./stream.js";

/** Beyond this many keys and tags dropping everything is cheaper for all. */
const UNPUBLISHED_MAX = 10_000;
/** Keys and tags of one entry of the stream, in characters: what every process reads, and what the stream keeps. */
const ENTRY_CHARACTERS_MAX = 64 * 1024;

/** Who has to be told. */
export interface Audience {
  /** Those that read the stream: `always`, or only if there is a stream, made by one who reads it. */
  readonly stream: "always" | "if-there" | "never";
  /** Those that track, who hear of changed keys anyway, need to be told the rest. */
  readonly isTracking: boolean;
}

export class Publisher {
  readonly #context: Context;
  readonly #audience: () => Audience;
  readonly #failed: (error: Error) => void;
  readonly #signals: Signals;
  readonly #backoff: Backoff;
  readonly #keys = new Set<string>();
  readonly #tags = new Set<string>();
  #isAll = false;
  #version: number | undefined;
  #flushing: Promise<void> | undefined;
  #isClosed = false;
  #isFailing = false;
  /** We may not write to a stream that only others need. */
  #isRefused = false;

  constructor(context: Context, audience: () => Audience, failed: (error: Error) => void) {
    this.#context = context;
    this.#audience = audience;
    this.#failed = failed;
    this.#signals = new Signals(context.prefix);
    this.#backoff = new Backoff(context);
  }

  get unpublished(): number {
    return this.#keys.size + this.#tags.size + (this.#isAll ? 1 : 0) + (this.#version === undefined ? 0 : 1);
  }

  async publish(change: Change): Promise<void> {
    this.#keep(change);
    // The one that is under way may have begun before this change.
    if (this.#flushing) await this.#flushing;
    this.#flushing ??= this.#flushNext();
    await this.#flushing;
  }

  commandsFor(change: Change): string[][] {
    const { stream, isTracking } = this.#audience();
    const signals = isTracking ? this.#signals.namesFor(change) : [];
    const commands = signals.flatMap((name) => [
      ["SET", name, "", "PX", "1000"],
      ["UNLINK", name],
    ]);
    if (stream === "never" || (stream === "if-there" && this.#isRefused)) return commands;
    const { streamLength } = this.#context.settings;
    const mayMake = stream === "always" ? [] : ["NOMKSTREAM"];
    const head = ["XADD", streamName(this.#context.prefix), ...mayMake, "MAXLEN", "~", String(streamLength), "*"];
    const entries = split(change).map((part) => [...head, ...encodeEntry(this.#context.source, part)]);
    return [...commands, ...entries];
  }

  /** Waits for what is under way; what is kept for later is given up. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#backoff.cancel();
    await this.#flushing;
  }

  #keep({ keys = [], tags = [], all, version }: Change): void {
    this.#isAll ||= all === true;
    if (version !== undefined) this.#version = Math.max(version, this.#version ?? version);
    for (const key of keys) this.#keys.add(key);
    for (const tag of tags) this.#tags.add(tag);
    if (this.#isAll || this.#keys.size + this.#tags.size > UNPUBLISHED_MAX) {
      this.#isAll = true;
      this.#keys.clear();
      this.#tags.clear();
    }
  }

  #take(): Change {
    const change: Change = {
      ...(this.#keys.size > 0 && { keys: [...this.#keys] }),
      ...(this.#tags.size > 0 && { tags: [...this.#tags] }),
      ...(this.#isAll && { all: true }),
      ...(this.#version !== undefined && { version: this.#version }),
    };
    this.#keys.clear();
    this.#tags.clear();
    this.#isAll = false;
    this.#version = undefined;
    return change;
  }

  /** What is published in the same turn goes with it. */
  async #flushNext(): Promise<void> {
    await Promise.resolve();
    const change = this.#take();
    try {
      // One after the other is not needed: each stands for itself.
      await Promise.all(
        this.commandsFor(change).map(([name, ...parts]) => this.#context.commands.call(name as string, ...parts)),
      );
      this.#backoff.reset();
      this.#isFailing = false;
    } catch (error) {
      this.#keep(change);
      this.#isRefused ||= isRefusal(error);
      if (isFull(error))
        await this.#context.commands.call("DEL", streamName(this.#context.prefix)).catch(() => undefined);
      this.#retryLater(error as Error);
    } finally {
      this.#flushing = undefined;
    }
  }

  #retryLater(error: Error): void {
    if (!this.#isFailing) this.#failed(error);
    this.#isFailing = true;
    if (this.#isClosed) return;
    void this.#backoff.pause().then(() => {
      if (!this.#isClosed && this.unpublished > 0) this.#flushing ??= this.#flushNext();
    });
  }
}

/** Somebody added an entry with the last id there is. Who reads the stream notices that it is gone. */
function isFull(error: unknown): boolean {
  return /exhausted the last possible ID|equal or smaller than the target stream/.test((error as Error).message);
}

/** In parts of bounded size; a change that says nothing has none. */
function split({ keys = [], tags = [], all, version }: Change): Change[] {
  const rest: Change = { ...(all && { all }), ...(version !== undefined && { version }) };
  const parts: Change[] = all || version !== undefined ? [rest] : [];
  for (const [field, names] of [["keys", keys] as const, ["tags", tags] as const]) {
    for (const batch of batches(names)) parts.push({ [field]: batch });
  }
  const [first, second] = parts;
  // Usually it is one key, or a few with a version: one entry then.
  return first === rest && second && parts.length === 2 ? [{ ...rest, ...second }] : parts;
}

function batches(names: readonly string[]): string[][] {
  const found: string[][] = [];
  let room = 0;
  for (const name of names) {
    room -= name.length + 3;
    if (room < 0 || found.length === 0) {
      found.push([]);
      room = ENTRY_CHARACTERS_MAX - name.length - 3;
    }
    found.at(-1)?.push(name);
  }
  return found;
}
