/**
 * One server's part of tracking: a connection on which the server names every entry of ours that changes, whoever
 * changes it. It is live from the moment when a change of our own making was seen to arrive. A ping with a deadline finds
 * what no closed socket tells; its answer comes after all changes before it, so nothing is older than one ping and one
 * deadline without being found out.
 */
import { randomUUID } from "node:crypto";
import type { Address, Context } from "./backplane.js";
import { Connection, ConnectionLost } from "./connection.js";
import { ErrorReply, type Reply } from "./resp.js";
import { Backoff, isRefusal } from "./retry.js";
import { Signals } from "./signals.js";

/** How many names are tried until one lies on this node of a Cluster. If none does, nothing of ours can lie there. */
const PROBES_MAX = 1_024;
/** How often a server is asked whether the push of a probe is on its way, before it is taken for one that pushes nothing. */
const PROBE_PINGS = 20;

export interface NodeEvents {
  /** These names have changed; `null`: any may have. */
  changed(names: readonly Buffer[] | null): void;
  live(): void;
  lost(error: Error): void;
  /** Not live, and it did not become so. */
  failed(error: Error): void;
  unsupported(error: Error): void;
}

export class TrackingNode {
  isLive = false;
  readonly #address: Address;
  readonly #context: Context;
  readonly #events: NodeEvents;
  readonly #backoff: Backoff;
  readonly #signals: Signals;
  #connection: Connection | undefined;
  #isClosed = false;
  /** The probe whose push is awaited. */
  #probe: string | undefined;
  #endPause: () => void = () => undefined;

  constructor(address: Address, context: Context, events: NodeEvents) {
    this.#address = address;
    this.#context = context;
    this.#events = events;
    this.#backoff = new Backoff(context);
    this.#signals = new Signals(context.prefix);
  }

  start(): void {
    void this.#run();
  }

  close(): void {
    this.#isClosed = true;
    this.isLive = false;
    this.#backoff.cancel();
    this.#endPause();
    this.#connection?.close();
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const error = await this.#live().catch((reason: Error) => reason);
      this.#connection?.close();
      if (this.#isClosed) return;
      const wasLive = this.isLive;
      this.isLive = false;
      if (isRefusal(error) && !wasLive) {
        this.#events.unsupported(error);
      } else if (wasLive) {
        this.#events.lost(error);
      } else {
        this.#events.failed(error);
      }
      await this.#backoff.pause();
    }
  }

  /** One connection's life. Resolves, or rejects, with the reason of its end. */
  async #live(): Promise<Error> {
    const { settings, clock, source, entryPrefix } = this.#context;
    const connection = await Connection.open({
      address: this.#address,
      protocol: 3,
      clientName: `nearcache-${source}`,
      deadlineMs: settings.deadlineMs,
      clock,
      onPush: (items) => this.#push(items),
    });
    this.#connection = connection;
    if (this.#isClosed) return new ConnectionLost("closed by us");
    // Redis refuses prefixes of which one begins with the other.
    const prefixes = this.#signals.prefix.startsWith(entryPrefix) ? [entryPrefix] : [entryPrefix, this.#signals.prefix];
    await connection.send(["CLIENT", "TRACKING", "ON", "BCAST", ...prefixes.flatMap((prefix) => ["PREFIX", prefix])]);
    await this.#awaitPush(connection);
    this.isLive = true;
    this.#events.live();
    void this.#pingUntilEnd(connection);
    return connection.ended;
  }

  async #pingUntilEnd(connection: Connection): Promise<void> {
    try {
      while (!this.#isClosed) {
        await this.#pause(this.#context.settings.pingMs);
        await connection.send(["PING"]);
        this.#backoff.reset();
      }
    } catch (error) {
      connection.close(error as Error);
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#context.clock.setTimer(resolve, ms);
      this.#endPause = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** Writes a key, and waits until its name arrives. */
  async #awaitPush(connection: Connection): Promise<void> {
    if (!(await this.#writeProbe(connection))) return;
    for (let ping = 0; this.#probe !== undefined; ping++) {
      if (ping >= PROBE_PINGS) throw new ErrorReply("ERR tracking is not supported: no push arrives for what changes");
      // Redis sends the push before the answer; others may take a little longer.
      if (ping > 0) await this.#pause(this.#context.settings.deadlineMs / PROBE_PINGS);
      await connection.send(["PING"]);
    }
  }

  /** False: no name of ours can lie on this node. */
  async #writeProbe(connection: Connection): Promise<boolean> {
    for (let attempt = 0; attempt < PROBES_MAX; attempt++) {
      const name = this.#signals.probe(randomUUID());
      this.#probe = name;
      try {
        await connection.send(["SET", name, "", "PX", "1000"]);
        return true;
      } catch (error) {
        this.#probe = undefined;
        if (!(error instanceof ErrorReply && error.message.startsWith("MOVED "))) throw error;
      }
    }
    return false;
  }

  #push(items: readonly Reply[]): void {
    const [kind, names] = items;
    if (!Buffer.isBuffer(kind) || kind.toString() !== "invalidate") return;
    if (names === null) {
      this.#events.changed(null);
      return;
    }
    if (!Array.isArray(names) || !names.every((name) => Buffer.isBuffer(name))) {
      throw new ConnectionLost("an invalidation that names no keys");
    }
    if (this.#probe !== undefined && names.some((name) => name.toString() === this.#probe)) this.#probe = undefined;
    this.#events.changed(names);
  }
}
