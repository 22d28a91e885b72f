// Types of the core as a user's compiler sees them; copied into a module of each kind.
import { type Cache, createCache, type NativeAddonError, type NativeAddonReason } from "nearcache";
import { LRUCache } from "nearcache/lru-cache";
import { redisTier } from "nearcache/redis";

const cache: Cache<{ id: number }> = createCache<{ id: number }>({
  maxMemory: "64mb",
  ttl: "10m",
  l2: redisTier({ url: "redis://localhost" }),
});
const id: number | undefined = cache.get("key")?.id;
const loaded: Promise<{ id: number } | undefined> = cache.getOrLoad("key", async () => ({ id: 1 }));
const lru: LRUCache<string, string> = new LRUCache({ max: 10, maxSize: 1_000_000 });
export const reasonOf = (error: NativeAddonError): NativeAddonReason => error.reason;
// @ts-expect-error a key is a string
cache.get(5);

export { id, loaded, lru };
