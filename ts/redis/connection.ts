/**
 * The client of ioredis that a tier speaks through: made here with options that fail fast, or given.
 *
 * What ioredis does by default is wrong for a cache: it queues commands while Redis is away, sends them again after a
 * connection was lost, and waits for a frozen server. Made here, a client does none of that. A given one may be set up
 * otherwise, so nothing is sent while it is not ready, and nobody waits longer than the tier's own deadline.
 *
 * A client made here does not keep the process alive, unless somebody waits for it.
 */
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from "ioredis";
import { ClusterNodes } from "./cluster-nodes.js";
import type { Deadline } from "./deadlines.js";
import type { RedisSource, ResolvedTierOptions } from "./options.js";
import { SentinelWatch } from "./sentinels.js";
import { slotOf } from "./slots.js";

export type Client = Redis | Cluster;
export type Argument = string | number | Buffer;

/** A server that answers nothing for so long while a reply is due is frozen: the connection is given up. */
const SOCKET_TIMEOUT_MS = 1_000;
const RETRY_DELAY_MS = 50;
const RETRY_DELAY_MS_MAX = 2_000;

type Listener = (value: unknown) => void;

/** Sent while the client has no connection. */
export class NotConnectedError extends Error {
  constructor(status: string) {
    super(`there is no connection to Redis (${status})`);
  }
}

/** The parts of a client that ioredis has and its types don't. */
interface ClientInternals {
  readonly stream?: {
    readonly remoteAddress?: string;
    readonly remotePort?: number;
    ref?(): void;
    unref?(): void;
    cork?(): void;
    uncork?(): void;
  };
  readonly reconnectTimeout?: { ref?(): void; unref?(): void } | null;
}

export class Connection {
  readonly client: Client;
  readonly isCluster: boolean;
  readonly #isOurs: boolean;
  readonly #listeners: [event: string, listener: Listener][] = [];
  readonly #nodes: ClusterNodes | undefined;
  readonly #sentinels: SentinelWatch | undefined;
  readonly #toldWhenReady = new Set<() => void>();
  #wasReady: boolean;
  #isGathering = false;
  /** Commands and callers that wait. */
  #waiting = 0;

  /** `onReady` is called whenever the connection has come up, `onError` with what ioredis says of one that has not. */
  constructor(options: ResolvedTierOptions, onReady: () => void, onError: (error: Error) => void) {
    const { source } = options;
    this.#isOurs = source.client === undefined;
    this.client = source.client ?? connect(source, options);
    this.isCluster = "nodes" in this.client && typeof this.client.nodes === "function";
    const isOurCluster = this.#isOurs && this.isCluster;
    const onNodes = (): void => {
      this.#wait(0);
      this.#tellIfReady();
    };
    this.#nodes = isOurCluster ? new ClusterNodes(this.client as Cluster, options, onNodes) : undefined;
    this.#sentinels = this.#watchSentinels(options);
    this.#wasReady = this.#isReady;
    this.#listen("ready", () => {
      this.#tellIfReady();
      onReady();
    });
    if (this.#isOurs) {
      this.#listen("error", (error) => onError(error as Error));
      this.#keepNoProcessAlive();
    } else if (this.client.status === "wait") {
      this.client.connect().catch(() => undefined);
    }
  }

  /**
   * Waits for the first connection; once there has been one, a client without is an error at once.
   * Undefined: no need to wait.
   */
  ready(deadline: Deadline): Promise<void> | undefined {
    if (this.client.status === "ready" && (this.#wasReady || this.#isReady)) {
      return undefined;
    }
    if (this.#wasReady || this.client.status === "end") {
      throw new NotConnectedError(this.client.status);
    }
    this.#wait(1);
    return new Promise<void>((resolve, reject) => {
      const done = (): void => {
        if (this.#toldWhenReady.delete(done)) {
          this.#wait(-1);
          this.#isReady ? resolve() : reject(new NotConnectedError(this.client.status));
        }
      };
      this.#toldWhenReady.add(done);
      deadline.onEnd(done);
    });
  }

  /** Sends a command, to where its keys lie. The reply has bytes as buffers. */
  send(command: string, args: readonly Argument[], node: Client = this.client): Promise<unknown> {
    if (node.status !== "ready" && node === this.client) {
      return Promise.reject(new NotConnectedError(node.status));
    }
    this.#wait(1);
    this.#gather();
    const settled = (): void => this.#wait(-1);
    const reply = node.callBuffer(command, args as Argument[]) as Promise<unknown>;
    reply.then(settled, settled);
    return reply;
  }

  /** Commands that are sent one after the other leave in one packet: each write to a socket costs a call of the system. */
  #gather(): void {
    const { stream } = this.client as unknown as ClientInternals;
    if (!this.#isOurs || this.#isGathering || stream?.cork === undefined) {
      return;
    }
    this.#isGathering = true;
    stream.cork();
    process.nextTick(() => {
      this.#isGathering = false;
      stream.uncork?.();
    });
  }

  /** The clients of all masters, each of which has a part of the keys. */
  masters(): Redis[] {
    return this.isCluster ? (this.client as Cluster).nodes("master") : [this.client as Redis];
  }

  /** In a Cluster: the master that has this name's slot, as host and port; undefined where nobody is known to. */
  nodeOf(name: string): string | undefined {
    return this.isCluster ? (this.client as Cluster).slots[slotOf(name)]?.[0] : undefined;
  }

  /** As {@link nodeOf} calls the node of this client. */
  nameOf(node: Client): string {
    const { host, port } = (node as Redis).options;
    return `${host}:${port}`;
  }

  /** The names of all masters, see {@link nodeOf}. */
  masterNames(): Set<string> {
    return new Set(this.masters().map((node) => this.nameOf(node)));
  }

  close(): void {
    this.#nodes?.close();
    this.#sentinels?.close();
    for (const [event, listener] of this.#listeners) {
      this.client.off(event, listener);
    }
    if (this.#isOurs) {
      this.client.on("error", () => undefined);
      this.client.disconnect();
    }
  }

  #watchSentinels(options: ResolvedTierOptions): SentinelWatch | undefined {
    const given = options.source.options;
    if (given?.sentinels === undefined || given.role === "slave") {
      return undefined;
    }
    return new SentinelWatch(redisOptions(given, options), (host, port) => {
      // The Sentinels say it one after the other: whoever is there already would lose the commands that are under way.
      const { stream } = this.client as unknown as ClientInternals;
      const isThere = stream?.remoteAddress === host && stream.remotePort === port;
      if (this.client.status === "ready" && !isThere) {
        this.client.disconnect(true);
      }
    });
  }

  get #isReady(): boolean {
    return this.client.status === "ready" && (this.#nodes?.areReady ?? true);
  }

  #tellIfReady(): void {
    if (this.#isReady) {
      this.#wasReady = true;
      for (const tell of this.#toldWhenReady) {
        tell();
      }
    }
  }

  #listen(event: string, listener: Listener): void {
    this.client.on(event, listener);
    this.#listeners.push([event, listener]);
  }

  #keepNoProcessAlive(): void {
    const relax = (): void => this.#wait(0);
    this.#listen("connect", relax);
    this.#listen("reconnecting", relax);
  }

  #wait(change: number): void {
    const before = this.#waiting;
    this.#waiting += change;
    const isIdle = this.#waiting === 0;
    if (this.#isOurs && (change === 0 || isIdle !== (before === 0))) {
      this.#hold(!isIdle);
    }
  }

  /** Lets the sockets keep the process alive, or not. */
  #hold(isHeld: boolean): void {
    const clients: Client[] = this.isCluster ? [this.client, ...(this.client as Cluster).nodes()] : [this.client];
    for (const client of clients as unknown as ClientInternals[]) {
      if (isHeld) {
        client.stream?.ref?.();
        client.reconnectTimeout?.ref?.();
      } else {
        client.stream?.unref?.();
        client.reconnectTimeout?.unref?.();
      }
    }
  }
}

function connect(source: RedisSource, options: ResolvedTierOptions): Client {
  if (source.cluster !== undefined) {
    return new Cluster([...source.cluster.nodes], clusterOptions(source.cluster.options ?? {}, options));
  }
  const settings = redisOptions(source.options ?? {}, options);
  return source.url === undefined ? new Redis(settings) : new Redis(source.url, settings);
}

function redisOptions(given: RedisOptions, options: ResolvedTierOptions): RedisOptions & { replyMapping: "legacy" } {
  return {
    connectTimeout: options.connectTimeoutMs,
    socketTimeout: Math.max(SOCKET_TIMEOUT_MS, 2 * options.commandTimeoutMs),
    retryStrategy: (times) => retryDelay(times, options),
    reconnectOnError: reconnectOnceInAWhile(options),
    sentinelRetryStrategy: (times) => retryDelay(times, options),
    ...given,
    ...FAIL_FAST,
    enableOfflineQueue: false,
    lazyConnect: false,
    replyMapping: "legacy",
  };
}

/** Nothing is kept for later, and nothing is sent twice. Batches are ours, so ioredis makes none. */
const FAIL_FAST = {
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableAutoPipelining: false,
} as const;

/** In a Cluster the offline queue is an option of the whole, not of its nodes. */
function clusterOptions(given: ClusterOptions, options: ResolvedTierOptions) {
  const {
    enableOfflineQueue: _,
    lazyConnect: __,
    replyMapping: ___,
    ...nodeOptions
  } = redisOptions(given.redisOptions ?? {}, options);
  return {
    clusterRetryStrategy: (times: number) => retryDelay(times, options),
    slotsRefreshTimeout: Math.max(options.connectTimeoutMs, 2 * options.commandTimeoutMs),
    maxRedirections: 3,
    ...given,
    // These would send a command again that may have been done.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    lazyConnect: false,
    redisOptions: nodeOptions,
  };
}

/** Exponential, with jitter, so that all processes don't come back at the same moment; never longer than until a probe. */
function retryDelay(times: number, { breaker }: ResolvedTierOptions): number {
  const longest = Math.min(RETRY_DELAY_MS_MAX, breaker.probeAfterMs);
  const delay = Math.min(RETRY_DELAY_MS * 2 ** Math.min(times - 1, 10), longest);
  return Math.round(delay * (0.5 + Math.random() / 2));
}

/**
 * A server that takes no writes is no master any more: ask again who is, but do not send the command again. Where it stays
 * like that, one reconnection per command would make it useless for reading, too.
 */
function reconnectOnceInAWhile({ clock, breaker }: ResolvedTierOptions): (error: Error) => boolean {
  let last = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (!error.message.includes("READONLY") || clock.now() - last < breaker.probeAfterMs) {
      return false;
    }
    last = clock.now();
    return true;
  };
}
