/**
 * Coherence by what Redis itself tells: server-assisted client-side caching in its broadcasting mode, over connections of our
 * own, one per server that takes writes. It also tells of what foreign clients write, of expiry, eviction and FLUSHALL, and
 * a writer that dies after its write needs tell nobody.
 *
 * It is in force while every server is covered. When a connection is lost, changes may be missed from some moment before on,
 * so all is dropped at once; when it is covered again, all is dropped once more, for what was learned without cover.
 *
 * What Redis does not tell: SWAPDB, and a key that has expired and that nobody has touched since (entries carry their own
 * end). Names come without their database. Our own writes are told, too.
 */
import type { Context, Way, WayEvents } from "./backplane.js";
import { nameOf } from "./nodes.js";
import { Signals } from "./signals.js";
import { TrackingNode } from "./tracking-node.js";

/** How soon to ask again for the servers while none is known, in milliseconds. */
const NO_NODES_MS = 50;

export class Tracking implements Way {
  readonly coherence = "tracking";
  readonly #context: Context;
  readonly #events: WayEvents;
  readonly #signals: Signals;
  readonly #nodes = new Map<string, TrackingNode>();
  #isInForce = false;
  #isClosed = false;

  constructor(context: Context, events: WayEvents) {
    this.#context = context;
    this.#events = events;
    this.#signals = new Signals(context.prefix);
  }

  start(): void {
    this.#compareNodes();
  }

  close(): void {
    this.#isClosed = true;
    for (const node of this.#nodes.values()) node.close();
    this.#nodes.clear();
  }

  /** Failovers and resharding change who takes writes. */
  #compareNodes(): void {
    if (this.#isClosed) return;
    const { nodes, clock, settings } = this.#context;
    const addresses = new Map(nodes.nodes().map((address) => [nameOf(address), address]));
    // A client that has lost everything knows no server for a moment: that is no reason to leave those that answer.
    if (addresses.size > 0) {
      for (const [name, node] of this.#nodes) {
        if (!addresses.has(name)) this.#leave(name, node);
      }
      for (const [name, address] of addresses) {
        if (!this.#nodes.has(name)) this.#join(name, new TrackingNode(address, this.#context, this.#nodeEvents()));
      }
    }
    clock.setTimer(() => this.#compareNodes(), this.#nodes.size === 0 ? NO_NODES_MS : settings.pingMs);
  }

  #join(name: string, node: TrackingNode): void {
    this.#nodes.set(name, node);
    this.#update();
    node.start();
  }

  /** What the server held is somebody else's now, and changes between the two were told to nobody. */
  #leave(name: string, node: TrackingNode): void {
    const wasLive = node.isLive;
    this.#nodes.delete(name);
    node.close();
    if (wasLive) this.#events.gap();
    this.#update();
  }

  #nodeEvents() {
    return {
      changed: (names: readonly Buffer[] | null) => this.#changed(names),
      live: () => {
        this.#events.covered();
        this.#update();
      },
      lost: (error: Error) => {
        this.#update();
        this.#events.gap();
        this.#events.failed(error);
      },
      failed: (error: Error) => this.#events.failed(error),
      unsupported: (error: Error) => this.#events.unsupported(error),
    };
  }

  #update(): void {
    const isInForce = this.#nodes.size > 0 && [...this.#nodes.values()].every((node) => node.isLive);
    if (isInForce !== this.#isInForce && !this.#isClosed) {
      this.#isInForce = isInForce;
      this.#events.inForce(isInForce);
    }
  }

  #changed(names: readonly Buffer[] | null): void {
    if (this.#isClosed) return;
    if (names === null) {
      this.#events.changed({ all: true });
      return;
    }
    const keys: string[] = [];
    for (const name of names) {
      const key = this.#context.keyOf(name);
      if (key !== undefined) {
        keys.push(key);
      } else {
        this.#signal(name.toString());
      }
    }
    if (keys.length > 0) this.#events.changed({ keys });
  }

  #signal(name: string): void {
    const change = this.#signals.parse(name);
    if (change && Object.keys(change).length > 0) this.#events.changed(change);
  }
}
