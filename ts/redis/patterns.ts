/**
 * Deletes by pattern: walks the keys of every master with SCAN, in steps that hold up nobody, and unlinks what fits. Keys
 * that are written meanwhile may stay.
 */
import type { Redis } from "ioredis";
import type { Attempt } from "./calls.js";
import { escapeGlob, globOf, type KeyNames } from "./keys.js";
import { chunks } from "./writes.js";

/** How many keys Redis looks at in one step. */
const KEYS_PER_STEP = 1_000;
const KEYS_PER_UNLINK = 256;

/** Runs one step under a deadline of its own. */
export type Step = <T>(body: (attempt: Attempt) => Promise<T>) => Promise<T>;

/**
 * Deletes what fits on one master. `onDeleted` gets the keys as the cache knows them, after they are (or may be) gone.
 * @returns How many there were.
 */
export async function deleteOn(
  master: Redis,
  names: KeyNames,
  version: number,
  pattern: string,
  isCluster: boolean,
  step: Step,
  onDeleted: (keys: readonly string[]) => Promise<void>,
): Promise<number> {
  const start = names.entryPrefix(version);
  const match = escapeGlob(start) + globOf(pattern);
  let cursor = "0";
  let count = 0;
  do {
    const found = await step((attempt) => scan(attempt, master, cursor, match));
    cursor = found.cursor;
    for (const group of chunks(found.names, KEYS_PER_UNLINK)) {
      // Also where it fails: nobody knows then which of them are gone.
      const tell = (): Promise<void> => onDeleted(group.map((name) => name.slice(start.length)));
      count += await step((attempt) => unlink(attempt, master, group, isCluster).finally(tell));
    }
  } while (cursor !== "0");
  return count;
}

async function scan(
  attempt: Attempt,
  master: Redis,
  cursor: string,
  match: string,
): Promise<{ cursor: string; names: string[] }> {
  const args = [cursor, "MATCH", match, "COUNT", KEYS_PER_STEP];
  const [next, names] = (await attempt.command("scan", args, master)) as [Buffer, Buffer[]];
  return { cursor: next.toString(), names: names.map((name) => name.toString()) };
}

/** In a Cluster the keys of one node lie in several slots, and one command may name keys of one slot only. */
async function unlink(attempt: Attempt, master: Redis, names: readonly string[], isCluster: boolean): Promise<number> {
  const groups = isCluster ? names.map((name) => [name]) : [names];
  const counts = await Promise.all(groups.map((group) => attempt.command("unlink", group, master)));
  return counts.reduce<number>((sum, count) => sum + Number(count), 0);
}
