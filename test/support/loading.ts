// Caches whose loading has a clock and dice of the test's.
import { afterEach } from "vitest";
import { createCacheWith } from "../../ts/cache.js";
import type { Cache, CacheOptions } from "../../ts/index.js";

const open: { close(): void }[] = [];

afterEach(() => {
  for (const cache of open.splice(0)) {
    cache.close();
  }
});

/** Time and chance in the hands of a test. */
export interface Fate {
  now: number;
  /** What the dice say, from 0 to 1. */
  chance: number;
  /** Dice instead of one chance. */
  dice?: () => number;
}

/** A cache without L0 (which has the engine's clock), entries of a minute, no jitter and no early refresh. */
export function fatedCache<T = unknown>(options: Partial<CacheOptions<T>> = {}): { cache: Cache<T>; fate: Fate } {
  const fate: Fate = { now: 1_000_000, chance: 0.5 };
  const cache = createCacheWith<T>(
    { maxMemory: "16mb", ttl: "1m", l0: false, jitter: 0, beta: 0, ...options },
    { clock: { now: () => fate.now }, random: () => fate.dice?.() ?? fate.chance },
  );
  open.push(cache);
  return { cache, fate };
}

/** A loader that settles when the test says so. */
export function controlled<T>() {
  const calls: { key: string; signal: AbortSignal; resolve(value: T): void; reject(reason: unknown): void }[] = [];
  const loader = (key: string, { signal }: { signal: AbortSignal }): Promise<T> =>
    new Promise((resolve, reject) => calls.push({ key, signal, resolve, reject }));
  const call = (index: number) => {
    const found = calls[index];
    if (!found) throw new Error(`the loader was called ${calls.length} times only`);
    return found;
  };
  return { loader, calls, call };
}

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    await Promise.resolve();
  }
}

/** A loader that counts and returns 1, 2, 3, … */
export function counting() {
  const counter = { calls: 0 };
  return { counter, loader: async () => ++counter.calls };
}
