/**
 * Makes a backplane: chooses between tracking and the stream by trying, says which is in force, and goes from tracking to the
 * stream where a server turns out not to have it. It counts and reports; how changes are found is the ways' business.
 */
import { randomBytes } from "node:crypto";
import { TierError } from "../../errors.js";
import type { Coherence } from "../../tier.js";
import { SYSTEM_CLOCK } from "../clock.js";
import {
  type Backplane,
  type BackplaneHost,
  type BackplaneOptions,
  type BackplaneStats,
  type Change,
  type Context,
  DEFAULT_SETTINGS,
  type Way,
  type WayEvents,
} from "./backplane.js";
import { type Audience, Publisher } from "./publisher.js";
import { ChangeStream } from "./stream.js";
import { Tracking } from "./tracking.js";

const SOURCE_BYTES = 9;

export function createBackplane(options: BackplaneOptions): Backplane {
  return new ChosenBackplane(options.mode, {
    ...options,
    settings: { ...DEFAULT_SETTINGS, ...options.settings },
    clock: options.clock ?? SYSTEM_CLOCK,
    random: options.random ?? Math.random,
    source: randomBytes(SOURCE_BYTES).toString("base64url"),
  });
}

class ChosenBackplane implements Backplane {
  readonly #mode: BackplaneOptions["mode"];
  readonly #context: Context;
  readonly #publisher: Publisher;
  #host: BackplaneHost | undefined;
  #way: Way | undefined;
  #coherence: Coherence = "ttl-only";
  #version = -1;
  #messages = 0;
  #gaps = 0;
  #junk = 0;
  /** One trouble is reported once, however often it is met again before things work. */
  #isFailing = false;

  constructor(mode: BackplaneOptions["mode"], context: Context) {
    this.#mode = mode;
    this.#context = context;
    this.#publisher = new Publisher(
      context,
      () => this.#audience(),
      (error) => this.#reportError(error, "could not tell other processes what has changed; it will be tried again"),
    );
  }

  start(host: BackplaneHost): void {
    this.#host = host;
    if (this.#mode !== "ttl-only") {
      this.#listen(this.#mode === "stream" ? ChangeStream : Tracking);
    }
  }

  publish(change: Change): Promise<void> {
    // An older version that somebody else tells of later is no news.
    this.#version = Math.max(this.#version, change.version ?? -1);
    return this.#publisher.publish(change);
  }

  commandsFor(change: Change): readonly (readonly string[])[] {
    return this.#publisher.commandsFor(change);
  }

  get coherence(): Coherence {
    return this.#coherence;
  }

  stats(): BackplaneStats {
    return {
      messages: this.#messages,
      gaps: this.#gaps,
      junk: this.#junk,
      unpublished: this.#publisher.unpublished,
    };
  }

  async close(): Promise<void> {
    this.#way?.close();
    this.#way = undefined;
    this.#coherence = "ttl-only";
    await this.#publisher.close();
    this.#host = undefined;
  }

  /**
   * With `auto` some processes may read the stream while others track, as their rights or their servers differ: so both are
   * told. Who tracks makes no stream: where nobody reads one, there is none.
   */
  #audience(): Audience {
    if (this.#mode === "ttl-only") return { stream: "never", isTracking: false };
    if (this.#mode === "tracking") return { stream: "never", isTracking: true };
    if (this.#mode === "stream") return { stream: "always", isTracking: false };
    return { stream: this.#way?.coherence === "stream" ? "always" : "if-there", isTracking: true };
  }

  #listen(kind: typeof Tracking | typeof ChangeStream): void {
    this.#way?.close();
    const way: Way = new kind(
      this.#context,
      this.#eventsOf(() => this.#way === way),
    );
    this.#way = way;
    way.start();
  }

  /** What a way that was left says does not count any more. */
  #eventsOf(isCurrent: () => boolean): WayEvents {
    const guarded =
      <A extends unknown[]>(handle: (...args: A) => void) =>
      (...args: A) => {
        if (isCurrent()) handle(...args);
      };
    return {
      changed: guarded((change: Change) => this.#changed(change)),
      gap: guarded(() => this.#gap()),
      covered: guarded(() => this.#host?.invalidateAll()),
      inForce: guarded((isInForce: boolean) => this.#setCoherence(isInForce ? this.#way?.coherence : undefined)),
      unsupported: guarded((error: Error) => this.#unsupported(error)),
      failed: guarded((error: Error) => this.#reportFailure(error)),
      junk: guarded(() => {
        this.#junk++;
      }),
    };
  }

  #changed({ keys, tags, all, version }: Change): void {
    this.#messages++;
    if (all) this.#host?.invalidateAll();
    if (version !== undefined && version > this.#version) {
      this.#version = version;
      this.#host?.versionChanged(version);
    }
    if (tags) this.#host?.invalidateTags(tags);
    if (keys) this.#host?.invalidate(keys);
  }

  #gap(): void {
    this.#gaps++;
    this.#host?.invalidateAll();
    this.#host?.report({ type: "gap", missed: undefined });
  }

  #setCoherence(to: Coherence = "ttl-only"): void {
    const from = this.#coherence;
    if (from === to) return;
    this.#coherence = to;
    if (to !== "ttl-only") this.#isFailing = false;
    this.#host?.report({ type: "coherence", from, to });
  }

  #unsupported(error: Error): void {
    if (this.#mode === "auto" && this.#way?.coherence === "tracking") {
      this.#reportError(error, "the server does not track what changes: a stream takes its place");
      this.#setCoherence();
      this.#listen(ChangeStream);
    } else {
      this.#reportFailure(error);
    }
  }

  #reportFailure(error: Error): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    this.#reportError(error, "other processes' changes do not arrive; it will be tried again");
  }

  #reportError(cause: Error, what: string): void {
    const error = new TierError("ERR_TIER", `${what} (${cause.message})`, { operation: "backplane", cause });
    this.#host?.report({ type: "error", operation: "backplane", error });
  }
}
