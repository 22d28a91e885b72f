// Caches for one test, closed after it.
import { afterEach, vi } from "vitest";
import { loadNative } from "../../ts/addon.js";
import type { Cache, CacheOptions } from "../../ts/index.js";
import { createCache } from "../../ts/index.js";

const open: Cache<unknown>[] = [];

afterEach(() => {
  for (const cache of open.splice(0)) {
    cache.close();
  }
});

/** A small cache; entries live for a minute unless the test says otherwise. */
export function newCache<T = unknown>(options: Partial<CacheOptions<T>> = {}): Cache<T> {
  const cache = createCache<T>({ maxMemory: "16mb", ttl: "1m", ...options });
  open.push(cache as Cache<unknown>);
  return cache;
}

/** A cache of one shard in which chance is the same in every run. */
export function newSeededCache<T = unknown>(seed: number, options: Partial<CacheOptions<T>>): Cache<T> {
  const addon = loadNative();
  const { open: openNative } = addon;
  const opening = vi.spyOn(addon, "open").mockImplementation((native) => openNative({ ...native, seed, shards: 1 }));
  try {
    return newCache<T>(options);
  } finally {
    opening.mockRestore();
  }
}

/** Reads a key often enough that the store takes it for hot, so that it enters L0 if it may. */
export function heat(cache: Cache<unknown>, key: string): void {
  for (let i = 0; i < 16; i++) {
    cache.get(key);
  }
}

/** How many of the reads that `body` makes are answered by L0. */
export function hitsInL0(cache: Cache<unknown>, body: () => void): number {
  const before = cache.stats().l0.hits;
  body();
  return cache.stats().l0.hits - before;
}

let names = 0;

/** A name that no other test uses. */
export function uniqueName(): string {
  names += 1;
  return `test-${process.pid}-${names}-${Math.trunc(performance.now() * 1000)}`;
}

/** What `body` throws; fails the test when it throws nothing. */
export function thrownBy(body: () => unknown): Error & Record<string, unknown> {
  try {
    body();
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  throw new Error("nothing was thrown");
}
