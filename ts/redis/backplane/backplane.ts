/**
 * What a backplane is: how other processes' writes reach this one, and this one's the others. Two ways stand behind it,
 * tracking.ts and stream.ts; create.ts chooses. This file holds what all of them share, and no code.
 */
import type { Coherence, TierEvent } from "../../tier.js";
import type { Clock } from "../clock.js";

/** What has changed. It names keys and tags, and never carries values. */
export interface Change {
  /** Keys that were written or deleted. */
  readonly keys?: readonly string[];
  /** Tags that were invalidated. */
  readonly tags?: readonly string[];
  /** Everything. */
  readonly all?: boolean;
  /** The version that is in force now. Versions grow: the newest wins. */
  readonly version?: number;
}

/** What a backplane tells those who use it. All calls are synchronous, and may come at any time between start and close. */
export interface BackplaneHost {
  /** These keys were written or deleted. May name keys that this process wrote itself. */
  invalidate(keys: readonly string[]): void;
  invalidateTags(tags: readonly string[]): void;
  /** Everything changed, or changes were missed. A read that was sent before this call must not be stored after it. */
  invalidateAll(): void;
  /** The version that is in force now. Called with growing numbers only. */
  versionChanged(version: number): void;
  report(event: TierEvent): void;
}

export interface Backplane {
  /** Begins to listen, and goes on through every loss until {@link close}. To be called once. */
  start(host: BackplaneHost): void;
  /**
   * Tells the others. To be called when Redis has confirmed the write, never before: whoever is told reads Redis next, and
   * would keep the old value. To be called as well when it is not known whether the write was done (a time-out, a lost
   * connection): a message too many does no harm, and one too few leaves old values. Never rejects: what can't be sent now is kept (as "everything", if it becomes much), and
   * sent as soon as Redis can be reached. Resolves after the first attempt.
   */
  publish(change: Change): Promise<void>;
  /**
   * The commands by which {@link publish} would tell the others now, for those who can put them into one `MULTI` with
   * the write itself: then no crash comes between the two. May be none.
   */
  commandsFor(change: Change): readonly (readonly string[])[];
  /** What is in force now. */
  readonly coherence: Coherence;
  stats(): BackplaneStats;
  /** Waits for what is being published, then lets go of connections and timers. Never rejects. */
  close(): Promise<void>;
}

/** Counters since the start. */
export interface BackplaneStats {
  /** Messages from other processes, or from Redis about their writes. */
  readonly messages: number;
  /** How often messages were, or may have been, missed. Each time all was invalidated. */
  readonly gaps: number;
  /** Entries of the stream that no process of ours wrote, or that were spoilt. */
  readonly junk: number;
  /** Keys and tags that are still to be published. */
  readonly unpublished: number;
}

/** Where one Redis server is, and how to get in. */
export interface Address {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** A Unix socket, instead of host and port. */
  readonly path?: string | undefined;
  readonly tls?: object | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly database?: number | undefined;
}

/** The servers that take writes, as they are known now. Asked again and again, as they change. */
export interface NodeSource {
  nodes(): readonly Address[];
}

/** The client that writes: an ioredis `Redis` or `Cluster` fits. Every call must settle by itself, and soon. */
export interface Commands {
  call(command: string, ...parts: string[]): Promise<unknown>;
}

export interface BackplaneOptions {
  /** `auto`: tracking where the server has it, else the stream. All processes of one prefix should have the same setting. */
  readonly mode: "auto" | Coherence;
  /** What the names of all our keys in Redis begin with. */
  readonly prefix: string;
  /** What the names of entries begin with, itself beginning with `prefix`: what else changes there is told to nobody. */
  readonly entryPrefix: string;
  /** Which key of the cache an entry's name in Redis stands for; `undefined` for any other name. */
  readonly keyOf: (name: Buffer) => string | undefined;
  readonly nodes: NodeSource;
  readonly commands: Commands;
  readonly settings?: Partial<BackplaneSettings> | undefined;
  readonly clock?: Clock | undefined;
  /** From 0 to below 1; for the jitter between attempts. */
  readonly random?: (() => number) | undefined;
}

export interface BackplaneSettings {
  /** How often a connection is asked whether it is alive, in milliseconds. */
  readonly pingMs: number;
  /** How long an answer may take, in milliseconds. A silent loss is found after `pingMs + deadlineMs` at the latest. */
  readonly deadlineMs: number;
  /** The longest pause between two attempts to connect, in milliseconds. The first is a tenth of it; they double. */
  readonly reconnectMsMax: number;
  /** About how many changes the stream keeps: a process that is away for longer than they last drops what it has. */
  readonly streamLength: number;
}

export const DEFAULT_SETTINGS: BackplaneSettings = {
  pingMs: 500,
  deadlineMs: 1_000,
  reconnectMsMax: 500,
  streamLength: 10_000,
};

/** Options with everything filled in, as the parts share them. */
export interface Context {
  readonly prefix: string;
  readonly entryPrefix: string;
  readonly keyOf: (name: Buffer) => string | undefined;
  readonly nodes: NodeSource;
  readonly commands: Commands;
  readonly settings: BackplaneSettings;
  readonly clock: Clock;
  readonly random: () => number;
  /** Who we are: messages from this source are our own. */
  readonly source: string;
}

/** What one way of listening tells create.ts. */
export interface WayEvents {
  changed(change: Change): void;
  /** Changes were, or may have been, missed. */
  gap(): void;
  /** Nothing was missed that this process could know of, but what it has may be out of date: its coverage begins now. */
  covered(): void;
  /** Whether changes arrive. */
  inForce(isInForce: boolean): void;
  /** The server can't do this: there is no use in trying again. */
  unsupported(error: Error): void;
  /** Something that will be tried again. */
  failed(error: Error): void;
  junk(): void;
}

/** One way of listening. */
export interface Way {
  readonly coherence: Coherence;
  start(): void;
  close(): void;
}
