/**
 * Coherence by a stream, `<prefix>changes`, for servers without tracking: every process writes what it has changed and reads,
 * on a connection of its own, what others wrote.
 *
 * The invariant: the *anchor* is the last entry that was read, and all changes up to it are known here. What `XREAD` brings
 * follows the anchor without a hole exactly if the anchor is still in the stream after that: entries leave from the old end
 * only, and a stream that was deleted, flushed, replaced or lost at a restart does not hold it. So each `XREAD` is
 * followed by a look for the anchor. Is it gone, then changes may have been missed: an entry of our own becomes the anchor
 * and, after that, everything is dropped. A server that is not the one of before (`run_id`) may have lost entries at the new
 * end: a hole, too.
 *
 * What is lost while the connection is down is read when it is back. Until then changes don't arrive: coherence is by TTL.
 */
import type { Address, Context, Way, WayEvents } from "./backplane.js";
import { Connection, ConnectionLost } from "./connection.js";
import { decodeEntry, encodeEntry, entriesOf, hasEntry } from "./entry.js";
import { nameOf } from "./nodes.js";
import { ErrorReply, type Reply, RespError } from "./resp.js";
import { Backoff, isRefusal } from "./retry.js";

/** Entries per read: enough to catch up quickly, and few enough not to hold the thread for long. */
const ENTRIES_PER_READ = 200;
/** A Cluster's node that does not have the stream says who has; after so many it is a fault. */
const REDIRECTIONS_MAX = 5;
/** How soon to ask again for the servers while none is known, in milliseconds. */
const NO_NODES_MS = 50;

/** The stream's name. */
export const streamName = (prefix: string): string => `${prefix}changes`;

export class ChangeStream implements Way {
  readonly coherence = "stream";
  readonly #context: Context;
  readonly #events: WayEvents;
  readonly #name: string;
  readonly #backoff: Backoff;
  #connection: Connection | undefined;
  #anchor: string | undefined;
  #runId: string | undefined;
  #attempts = 0;
  /** The server's name, if it is one of those that the client knows as well. */
  #listedName: string | undefined;
  #isInForce = false;
  #isClosed = false;

  constructor(context: Context, events: WayEvents) {
    this.#context = context;
    this.#events = events;
    this.#name = streamName(context.prefix);
    this.#backoff = new Backoff(context);
  }

  start(): void {
    void this.#run();
  }

  close(): void {
    this.#isClosed = true;
    this.#backoff.cancel();
    this.#connection?.close();
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const error = await this.#follow().catch((reason: Error) => reason);
      this.#connection?.close();
      if (this.#isClosed) return;
      const wasInForce = this.#isInForce;
      this.#setInForce(false);
      // An entry that is too large to be read would be met again and again.
      if (error instanceof RespError && this.#anchor !== undefined) this.#lost();
      if (isRefusal(error) && !wasInForce) {
        this.#events.unsupported(error);
      } else {
        this.#events.failed(error);
      }
      await this.#backoff.pause();
    }
  }

  /** One connection's life; rejects with the reason of its end. */
  async #follow(): Promise<never> {
    const connection = await this.#connect();
    await this.#noteServer(connection);
    let blockMs = 0;
    for (;;) {
      this.#anchor ??= await this.#begin(connection);
      const isCaughtUp = await this.#read(connection, this.#anchor, blockMs);
      if (this.#isClosed) throw new ConnectionLost("closed by us");
      if (this.#anchor === undefined) {
        this.#setInForce(false);
        // Somebody may delete the stream again and again.
        await this.#backoff.pause();
      } else if (isCaughtUp) {
        this.#setInForce(true);
        if (blockMs > 0) this.#backoff.reset();
      }
      this.#checkIsListed();
      blockMs = isCaughtUp ? this.#context.settings.pingMs : 0;
    }
  }

  /** To the server that has the stream. */
  async #connect(): Promise<Connection> {
    let address = await this.#anyNode();
    this.#listedName = undefined;
    for (let redirections = 0; redirections <= REDIRECTIONS_MAX; redirections++) {
      const connection = await this.#open(address);
      try {
        await connection.send(["XLEN", this.#name]);
        if (this.#isListed(nameOf(address))) this.#listedName = nameOf(address);
        return connection;
      } catch (error) {
        connection.close();
        const [, host, port] = /^MOVED \d+ (.*):(\d+)$/.exec((error as Error).message) ?? [];
        if (!(error instanceof ErrorReply) || port === undefined) throw error;
        address = { ...address, host: host || address.host, port: Number(port) };
      }
    }
    throw new ConnectionLost("the nodes of the cluster send us from one to the other");
  }

  async #anyNode(): Promise<Address> {
    for (;;) {
      const nodes = this.#context.nodes.nodes();
      // Another one each time: the first may be the one that is down.
      const address = nodes[this.#attempts++ % nodes.length];
      if (address) return address;
      if (this.#isClosed) throw new ConnectionLost("closed by us");
      await new Promise<void>((resolve) => {
        this.#context.clock.setTimer(resolve, NO_NODES_MS);
      });
    }
  }

  #isListed(name: string): boolean {
    return this.#context.nodes.nodes().some((address) => nameOf(address) === name);
  }

  /** A master that was replaced may go on for a while, without anybody who writes to it. */
  #checkIsListed(): void {
    const isReplaced = this.#context.nodes.nodes().length > 0 && this.#listedName && !this.#isListed(this.#listedName);
    if (isReplaced) throw new ConnectionLost("another server takes the writes now");
  }

  async #open(address: Address): Promise<Connection> {
    const { source, settings, clock } = this.#context;
    const connection = await Connection.open({
      address,
      protocol: 2,
      clientName: `nearcache-${source}`,
      deadlineMs: settings.deadlineMs,
      clock,
      onPush: () => undefined,
    });
    this.#connection = connection;
    if (this.#isClosed) connection.close();
    return connection;
  }

  /** Where the server does not say who it is, each connection counts as one to another server. */
  async #noteServer(connection: Connection): Promise<void> {
    const info = await connection.send(["INFO", "server"]).catch((error: Error) => {
      if (error instanceof ErrorReply) return "";
      throw error;
    });
    const runId = /^run_id:(\w+)/m.exec(String(info))?.[1];
    const isSame = runId !== undefined && runId === this.#runId;
    if (!isSame && this.#anchor !== undefined) this.#lost();
    this.#runId = runId;
  }

  /** Reads on from the anchor. Whether the end of the stream was reached. */
  async #read(connection: Connection, anchor: string, blockMs: number): Promise<boolean> {
    const block = blockMs > 0 ? ["BLOCK", String(blockMs)] : [];
    const { deadlineMs } = this.#context.settings;
    const [streams, found] = await Promise.all([
      connection.send(
        ["XREAD", "COUNT", String(ENTRIES_PER_READ), ...block, "STREAMS", this.#name, anchor],
        blockMs + deadlineMs,
      ),
      connection.send(["XRANGE", this.#name, anchor, anchor, "COUNT", "1"], blockMs + deadlineMs),
    ]);
    if (this.#isClosed) return true;
    if (!hasEntry(found)) {
      this.#lost();
      return false;
    }
    const entries = entriesOfStream(streams);
    let isSpoilt = false;
    for (const [id, fields] of entries) {
      isSpoilt = !this.#apply(fields) || isSpoilt;
      this.#anchor = id;
    }
    if (isSpoilt) this.#events.gap();
    return entries.length < ENTRIES_PER_READ;
  }

  /** False: it was meant for us, and nobody knows what it said. */
  #apply(fields: Reply): boolean {
    const entry = decodeEntry(fields);
    if (entry.kind !== "change") {
      this.#events.junk();
    } else if (entry.source !== this.#context.source && Object.keys(entry.change).length > 0) {
      this.#events.changed(entry.change);
    }
    return entry.kind !== "spoilt";
  }

  /** First the anchor, which is always an entry of ours, then what was learned before it is dropped. */
  async #begin(connection: Connection): Promise<string> {
    const length = String(this.#context.settings.streamLength);
    const entry = encodeEntry(this.#context.source, {});
    const id = await connection.send(["XADD", this.#name, "MAXLEN", "~", length, "*", ...entry]);
    if (!this.#isClosed) this.#events.covered();
    return String(id);
  }

  #lost(): void {
    this.#anchor = undefined;
    this.#events.gap();
  }

  #setInForce(isInForce: boolean): void {
    if (isInForce !== this.#isInForce && !this.#isClosed) {
      this.#isInForce = isInForce;
      this.#events.inForce(isInForce);
    }
  }
}

function entriesOfStream(streams: Reply): [id: string, fields: Reply][] {
  if (streams === null) return [];
  const [, entries] = (Array.isArray(streams) ? streams[0] : undefined) as [Reply, Reply];
  return entriesOf(entries);
}
