// The whole cache, as the proof of coherence sees it.
import { type Cache, createCache } from "nearcache";
import { redisTier } from "nearcache/redis";
import type { CoherentCache } from "./cache.js";

export class NearcacheOverRedis implements CoherentCache {
  readonly #cache: Cache<number>;

  constructor(coherence: "tracking" | "stream", port: number, commandTimeout = 200) {
    const url = `redis://127.0.0.1:${port}`;
    const breaker = { failures: 3, probeAfter: 50 };
    const l2 = redisTier({ url, coherence, commandTimeout, breaker, prefix: "proof:" });
    this.#cache = createCache<number>({ maxMemory: "16mb", ttl: "10m", l2, loader: () => undefined });
  }

  get(key: string): Promise<number | undefined> | number | undefined {
    return this.#cache.get(key) ?? this.#cache.getOrLoad(key);
  }

  set(key: string, value: number): Promise<void> {
    return this.#cache.store(key, value);
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
