// The contestants: how each library is opened and used. `open` returns `get(key)` and `set(key, value)`; where they
// return promises, the loops await each of them, as users do.
//
// All that can are given a TTL of an hour, and all that can be bounded the bound that the case needs. Else everything is
// at its default. That counts for cloning: node-cache (`useClones`) and cacheable clone objects on the way in or out,
// keyv and bentocache turn every value into JSON, lmdb into MessagePack. Map, lru-cache, tiny-lru and quick-lru hand out
// the reference.
//
// Each `get` and `set` is written out where it is used: a function shared by several libraries would be slower for all.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const TTL_MS = 3_600_000;
/** What a full nearcache takes per entry: an 11-byte key, a 100-byte value, and about 60 bytes. */
const FULL_ENTRY_BYTES = 171;
/** Enough for an entry of any kind that is compared. */
const ROOMY_ENTRY_BYTES = 768;

/**
 * Name to `{ open, isBounded, isGetAsync, isSetAsync, isShared }`. `isBounded`: evicts when full. `isShared`: threads
 * that open the same `folder` or `name` share one copy.
 */
export const STORES = {
  nearcache: { open: openNearcache, isBounded: true, isShared: true },
  "nearcache l0: false": { open: openWithoutL0, isBounded: true, isShared: true },
  Map: { open: openMap },
  "lru-cache": { open: openLruCache, isBounded: true },
  "tiny-lru": { open: openTinyLru, isBounded: true },
  "quick-lru": { open: openQuickLru, isBounded: true },
  "node-cache": { open: openNodeCache },
  "cacheable (memory)": { open: openCacheableMemory, isBounded: true },
  cacheable: { open: openCacheable, isBounded: true, isGetAsync: true, isSetAsync: true },
  keyv: { open: openKeyv, isGetAsync: true, isSetAsync: true },
  bentocache: { open: openBentocache, isBounded: true, isGetAsync: true, isSetAsync: true },
  lmdb: { open: openLmdb, isSetAsync: true, isShared: true },
};

/** A folder for lmdb, to be removed with {@link removeFolder}. */
export function makeFolder() {
  return mkdtempSync(join(tmpdir(), "nearcache-compare-"));
}

export function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true });
}

function nearcacheOptions({ entries, isFull, name }) {
  const maxMemory = isFull
    ? Math.max(entries * FULL_ENTRY_BYTES, 512 * 1024)
    : 64 * 2 ** 20 + entries * ROOMY_ENTRY_BYTES;
  return { maxMemory, ttl: TTL_MS, ...(name === undefined ? {} : { name }) };
}

async function openNearcache(options) {
  const { createCache } = await import("../../dist/index.js");
  const cache = createCache(nearcacheOptions(options));
  return { get: (key) => cache.get(key), set: (key, value) => cache.set(key, value) };
}

/** By its own copy of the JavaScript: two caches that go different ways through the same code slow each other. */
async function openWithoutL0(options) {
  const { createCache } = await import("../../dist/index.js?l0=false");
  const cache = createCache({ ...nearcacheOptions(options), l0: false });
  return { get: (key) => cache.get(key), set: (key, value) => cache.set(key, value) };
}

async function openMap() {
  const map = new Map();
  return { get: (key) => map.get(key), set: (key, value) => map.set(key, value) };
}

async function openLruCache({ entries }) {
  const { LRUCache } = await import("lru-cache");
  const cache = new LRUCache({ max: entries, ttl: TTL_MS });
  return { get: (key) => cache.get(key), set: (key, value) => cache.set(key, value) };
}

async function openTinyLru({ entries }) {
  const { lru } = await import("tiny-lru");
  const cache = lru(entries, TTL_MS);
  return { get: (key) => cache.get(key), set: (key, value) => cache.set(key, value) };
}

async function openQuickLru({ entries }) {
  const { default: QuickLRU } = await import("quick-lru");
  const cache = new QuickLRU({ maxSize: entries, maxAge: TTL_MS });
  return { get: (key) => cache.get(key), set: (key, value) => cache.set(key, value) };
}

async function openNodeCache() {
  const { default: NodeCache } = await import("node-cache");
  const cache = new NodeCache({ stdTTL: TTL_MS / 1000 });
  return { get: (key) => cache.get(key), set: (key, value) => cache.set(key, value) };
}

/** The synchronous store by itself. */
async function openCacheableMemory({ entries }) {
  const { CacheableMemory } = await import("cacheable");
  const cache = new CacheableMemory({ ttl: TTL_MS, lruSize: entries });
  return { get: (key) => cache.get(key), set: (key, value) => cache.set(key, value) };
}

/** The store behind the layered cache: the same memory, by way of keyv. */
async function openCacheable({ entries }) {
  const { Cacheable, createKeyv } = await import("cacheable");
  const cache = new Cacheable({ ttl: TTL_MS, primary: createKeyv({ ttl: TTL_MS, lruSize: entries }) });
  return { get: (key) => cache.get(key), set: (key, value) => cache.set(key, value) };
}

async function openKeyv() {
  const { default: Keyv } = await import("keyv");
  const cache = new Keyv({ ttl: TTL_MS });
  return { get: (key) => cache.get(key), set: (key, value) => cache.set(key, value) };
}

async function openBentocache({ entries }) {
  const { BentoCache, bentostore } = await import("bentocache");
  const { memoryDriver } = await import("bentocache/drivers/memory");
  const store = bentostore().useL1Layer(memoryDriver({ maxItems: entries }));
  const cache = new BentoCache({ default: "memory", ttl: TTL_MS, stores: { memory: store } });
  return { get: (key) => cache.get({ key }), set: (key, value) => cache.set({ key, value }) };
}

async function openLmdb({ folder }) {
  const { open } = await import("lmdb");
  const database = open({ path: folder, encoding: "msgpack" });
  return { get: (key) => database.get(key), set: (key, value) => database.put(key, value) };
}
