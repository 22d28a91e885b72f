// What an entry costs in memory: growth of the process's resident memory, in a fresh process for each contestant,
// minus the bytes of key and value. 21-byte keys, 100-byte values; nobody else holds the keys.
import { bytesPerEntryOf } from "../lib/memory.mjs";

export const title = "memory per entry, 21-byte keys, 100-byte values, from the growth of resident memory";
/** In all: 185 MB for the million, of which 121 are keys and values. */
export const scenarios = [{ entries: 1_000_000, targets: { nearcache: 185 } }];

export function run({ entries }) {
  return { bytesPerEntry: bytesPerEntryOf(["nearcache", "lru-cache", "Map"], entries) };
}
