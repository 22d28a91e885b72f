// What an entry costs in memory: growth of the process's resident memory, in a fresh process for each contestant,
// minus the bytes of key and value. 21-byte keys, 100-byte values; nobody else holds the keys.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { VALUE_BYTES } from "../lib/data.mjs";

export const title = "memory per entry, 21-byte keys, 100-byte values, from the growth of resident memory";
/** In all: 185 MB for the million, of which 121 are keys and values. */
export const scenarios = [{ entries: 1_000_000, targets: { nearcache: 185 } }];

const KEY_BYTES = 21;
const CHILD = fileURLToPath(new URL("../memory-child.mjs", import.meta.url));

export function run({ entries }) {
  const bytesPerEntry = {};
  for (const name of ["nearcache", "lru-cache", "Map"]) {
    const { growth, held, reported } = fill(name, entries);
    if (held !== entries) {
      throw new Error(`${name} holds ${held} of ${entries} entries`);
    }
    bytesPerEntry[name] = {
      total: growth / entries,
      beyondKeyAndValue: growth / entries - KEY_BYTES - VALUE_BYTES,
      ...(reported === undefined ? {} : { reported: reported / entries - KEY_BYTES - VALUE_BYTES }),
    };
  }
  return { bytesPerEntry };
}

function fill(name, entries) {
  // V8's young generation has its full size from the start: it grows at some time in any program, and by up to 32 MB.
  const args = ["--expose-gc", "--min-semi-space-size=16", CHILD, name, String(entries)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
}
