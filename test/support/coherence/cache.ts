// What the proof of coherence needs of a cache; nearcache with its tier in Redis; and the smallest cache that keeps the rules, a
// Map above Redis with a backplane. Values are numbers.
import { Redis } from "ioredis";
import { type Cache, createCache } from "nearcache";
import { redisTier } from "nearcache/redis";
import type { Backplane, BackplaneHost } from "../../../ts/redis/backplane/backplane.js";
import { createBackplane } from "../../../ts/redis/backplane/create.js";

export interface CoherentCache {
  /** Settles soon, whatever the network does. `undefined`: not there, or not to be had now. */
  get(key: string): Promise<number | undefined> | number | undefined;
  /** Rejects if it is not known whether it was stored. */
  set(key: string, value: number): Promise<void>;
  coherence(): string;
  gaps(): number;
  close(): Promise<void>;
}

/** nearcache itself. The patience is that of a service which would rather load than wait. */
export class CacheOverRedis implements CoherentCache {
  readonly #cache: Cache<number>;
  /** What the tier says of the latest write. */
  #written: Promise<boolean> = Promise.resolve(true);

  constructor(mode: "tracking" | "stream", port: number) {
    const tier = redisTier({
      options: { host: "127.0.0.1", port, socketTimeout: 500, retryStrategy: (times) => Math.min(200, 20 * times) },
      ...{ coherence: mode, commandTimeout: 200, breaker: { probeAfter: 100 } },
    });
    const set = tier.set.bind(tier);
    tier.set = (...write) => {
      this.#written = set(...write);
      return this.#written;
    };
    this.#cache = createCache<number>({ maxMemory: "16mb", ttl: "10m", l2: tier });
  }

  get(key: string): Promise<number | undefined> | number | undefined {
    // The origin has nothing: what is found comes from the cache or from Redis.
    return this.#cache.get(key) ?? this.#cache.getOrLoad(key, () => undefined);
  }

  /**
   * Readers in this process see the value at once; that it is at Redis is known later, or not. The count of writes would
   * not tell: one that was given up, as its reply was late, is still counted when that comes.
   */
  async set(key: string, value: number): Promise<void> {
    this.#cache.set(key, value);
    await this.#written;
  }

  coherence(): string {
    return this.#cache.stats().l2?.coherence ?? "none";
  }

  gaps(): number {
    return this.#cache.stats().l2?.gaps ?? 0;
  }

  async close(): Promise<void> {
    this.#cache.close();
  }
}

const PREFIX = "proof:";
const ENTRY = `${PREFIX}v:`;
const STRIPES = 4_096;

export class MapOverRedis implements CoherentCache, BackplaneHost {
  readonly #values = new Map<string, number>();
  readonly #client: Redis;
  readonly #backplane: Backplane;
  /** Moved by everything after which a reply that is on its way may be old. */
  readonly #generations = new Uint32Array(STRIPES);
  #generation = 0;

  /** Data and changes may go different ways. */
  constructor(mode: "tracking" | "stream", port: number, changesPort = port, commandTimeout = 200) {
    this.#client = new Redis({
      ...{ host: "127.0.0.1", port, connectTimeout: 500, commandTimeout, socketTimeout: 2.5 * commandTimeout },
      ...{ enableOfflineQueue: false, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false },
      retryStrategy: (times) => Math.min(200, 20 * times),
    });
    this.#client.on("error", () => undefined);
    this.#backplane = createBackplane({
      mode,
      prefix: PREFIX,
      entryPrefix: ENTRY,
      keyOf: (name) => (name.toString().startsWith(ENTRY) ? name.toString().slice(ENTRY.length) : undefined),
      nodes: { nodes: () => [{ host: "127.0.0.1", port: changesPort }] },
      commands: this.#client,
    });
    this.#backplane.start(this);
  }

  get(key: string): Promise<number | undefined> | number | undefined {
    return this.#values.get(key) ?? this.#read(key);
  }

  async set(key: string, value: number): Promise<void> {
    this.invalidate([key]);
    const isStillCurrent = this.#remember(key);
    try {
      // One transaction, so that nobody can know the write without the message, or the other way round.
      const transaction = this.#client.multi().set(ENTRY + key, value);
      for (const [name, ...parts] of this.#backplane.commandsFor({ keys: [key] }))
        transaction.call(name as string, ...parts);
      await transaction.exec();
    } finally {
      if (isStillCurrent()) this.#values.delete(key);
    }
    if (isStillCurrent()) this.#values.set(key, value);
  }

  coherence(): string {
    return this.#backplane.coherence;
  }

  gaps(): number {
    return this.#backplane.stats().gaps;
  }

  async close(): Promise<void> {
    await this.#backplane.close();
    this.#client.disconnect();
  }

  invalidate(keys: readonly string[]): void {
    for (const key of keys) {
      const stripe = stripeOf(key);
      this.#generations[stripe] = (this.#generations[stripe] as number) + 1;
      this.#values.delete(key);
    }
  }

  invalidateTags(): void {
    this.invalidateAll();
  }

  invalidateAll(): void {
    this.#generation++;
    this.#values.clear();
  }

  versionChanged(): void {
    this.invalidateAll();
  }

  report(): void {
    // Nobody asks.
  }

  async #read(key: string): Promise<number | undefined> {
    const isStillCurrent = this.#remember(key);
    const text = await this.#client.get(ENTRY + key).catch(() => null);
    if (text === null) return undefined;
    const value = Number(text);
    if (isStillCurrent()) this.#values.set(key, value);
    return value;
  }

  /** To be called when a command is sent: tells later whether its reply may be kept. */
  #remember(key: string): () => boolean {
    const stripe = stripeOf(key);
    const [all, one] = [this.#generation, this.#generations[stripe]];
    return () => this.#generation === all && this.#generations[stripe] === one;
  }
}

function stripeOf(key: string): number {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) >>> 0;
  return hash % STRIPES;
}
