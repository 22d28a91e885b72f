/**
 * The nodes of a Cluster whose client was made here. ioredis connects to a node when the first command is for it, refuses the
 * next ones meanwhile, and would send them again later, with what may have been done already; that is switched off. So
 * nodes are connected as soon as they are known, and when one is gone, the others are asked who has its slots.
 */
import type { Cluster, Redis } from "ioredis";
import type { ResolvedTierOptions } from "./options.js";

/** A node that is away may still be listed by the others: they are not asked at once and again. */
const REFRESH_MS = 200;

export class ClusterNodes {
  readonly #cluster: Cluster;
  readonly #options: ResolvedTierOptions;
  readonly #onChange: () => void;
  #isRefreshing = false;
  #isClosed = false;

  /** `onChange` is called when the state of a node's connection has changed. */
  constructor(cluster: Cluster, options: ResolvedTierOptions, onChange: () => void) {
    this.#cluster = cluster;
    this.#options = options;
    this.#onChange = onChange;
    cluster.on("+node", (node: Redis) => this.#added(node));
    cluster.on("-node", () => this.#refreshSoon());
  }

  /** Whether all masters that are known can be asked. */
  get areReady(): boolean {
    const masters = this.#cluster.nodes("master");
    return masters.length > 0 && masters.every(({ status }) => status === "ready");
  }

  close(): void {
    this.#isClosed = true;
  }

  #added(node: Redis): void {
    node.on("connect", this.#onChange);
    node.on("ready", this.#onChange);
    if (node.status === "wait" && !this.#isClosed) {
      node.connect().catch(() => undefined);
    }
  }

  #refreshSoon(): void {
    if (this.#isRefreshing) {
      return;
    }
    this.#isRefreshing = true;
    this.#options.clock.setTimer(() => {
      this.#isRefreshing = false;
      if (!this.#isClosed && this.#cluster.status === "ready") {
        this.#cluster.refreshSlotsCache(() => undefined);
      }
    }, REFRESH_MS);
  }
}
