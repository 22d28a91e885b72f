// What an entry costs in memory: growth of the process's resident memory, in a fresh process for each contestant
// (memory-child.mjs), minus the bytes of key and value. Nobody else holds the keys.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { VALUE_BYTES } from "./data.mjs";

const KEY_BYTES = 21;
const CHILD = fileURLToPath(new URL("../memory-child.mjs", import.meta.url));

/**
 * Bytes per entry as `{ [name]: { total, beyondKeyAndValue, reported } }`; `reported` is nearcache's own account. Now and
 * then V8 keeps more of its heap than it needs: of several `runs` the median counts.
 */
export function bytesPerEntryOf(names, entries, runs = 1) {
  const median = (all) => all.sort((a, b) => a.total - b.total)[all.length >> 1];
  return Object.fromEntries(
    names.map((name) => [name, median(Array.from({ length: runs }, () => bytesOf(name, entries)))]),
  );
}

function bytesOf(name, entries) {
  // V8's young generation has its full size from the start: it grows at some time in any program, and by up to 32 MB.
  const args = ["--expose-gc", "--min-semi-space-size=16", CHILD, name, String(entries)];
  const { growth, held, reported } = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
  if (held !== entries) {
    throw new Error(`${name} holds ${held} of ${entries} entries`);
  }
  const beyond = (bytes) => bytes / entries - KEY_BYTES - VALUE_BYTES;
  return {
    total: growth / entries,
    beyondKeyAndValue: beyond(growth),
    ...(reported === undefined ? {} : { reported: beyond(reported) }),
  };
}
