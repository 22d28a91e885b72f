/**
 * The revisions of keys, and what hangs on them: a value that was built from other keys remembers which revision each
 * had before it was loaded. Whatever happens to one of them, by whatever client, it has another one then, or none; no
 * revision is ever given twice. So the value counts only as long as all of them are as they were.
 */
import type { Attempt } from "./calls.js";
import { NO_REVISION } from "./format.js";
import type { KeyNames } from "./keys.js";
import { REVISIONS } from "./scripts.js";
import { groupBySlot } from "./slots.js";

/** A key that a value was built from, and the revision that it had. */
export interface Dependency {
  readonly key: string;
  readonly revision: string;
}

/** Asks for the revisions of keys; `NO_REVISION` for what is not there, or is none of ours. */
export async function revisionsOf(
  attempt: Attempt,
  names: KeyNames,
  version: number,
  keys: readonly string[],
  isCluster: boolean,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const groups = isCluster ? groupBySlot(keys, (key) => names.entry(version, key)) : keys.length > 0 ? [keys] : [];
  const ask = async (group: readonly string[]): Promise<void> => {
    const entries = group.map((key) => names.entry(version, key));
    const revisions = (await attempt.script(REVISIONS, entries)) as Buffer[];
    for (const [index, key] of group.entries()) {
      found.set(key, (revisions[index] as Buffer).toString("hex"));
    }
  };
  await Promise.all(groups.map(ask));
  return found;
}

/** What a value that is loaded now from these keys will hang on; those that are not there can't be told apart later. */
export function dependenciesOn(
  keys: readonly string[] | undefined,
  revisions: ReadonlyMap<string, string>,
): readonly Dependency[] {
  return (keys ?? []).flatMap((key) => {
    const revision = revisions.get(key) ?? NO_REVISION;
    return revision === NO_REVISION ? [] : [{ key, revision }];
  });
}

/** Those of these keys; `undefined` if the revision of one is not known. */
export function pick(dependencies: readonly Dependency[], keys: readonly string[]): readonly Dependency[] | undefined {
  const picked = dependencies.filter(({ key }) => keys.includes(key));
  return keys.every((key) => picked.some((dependency) => dependency.key === key)) ? picked : undefined;
}
