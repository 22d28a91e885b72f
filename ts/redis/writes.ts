/**
 * What changes entries in Redis, one function per operation, each within one attempt. All of them use the version that is
 * current when they reach Redis: where it turns out to have changed, they are done again for the new one.
 */
import { TierError } from "../errors.js";
import type { TierEntry } from "../tier.js";
import type { Attempt } from "./calls.js";
import { encode, NO_REVISION, type Stored } from "./format.js";
import type { KeyNames } from "./keys.js";
import type { Dependency } from "./revisions.js";
import { EXPIRE, RELEASE, STORE } from "./scripts.js";
import { groupBySlot } from "./slots.js";
import type { SharedState } from "./state.js";
import type { Moment } from "./tokens.js";

/** What writes need of the tier. */
export interface WriteOwner {
  readonly state: SharedState;
  readonly names: KeyNames;
  readonly isCluster: boolean;
}

/** What a value's write hangs on. */
export interface Condition {
  /** When the value was looked up; undefined: it is as of now, and stored whatever there is. */
  readonly moment: Moment | undefined;
  /** What the value depends on, as it was then. */
  readonly dependencies: readonly Dependency[];
  /** The secret of the lease under which it was loaded. */
  readonly token: Buffer | undefined;
}

/** Keys in one command: more would hold up others at Redis. */
const KEYS_PER_COMMAND = 512;

/** Stores an entry; its revision, or `undefined` where it was not stored, as its condition does not hold. */
export async function store(
  owner: WriteOwner,
  attempt: Attempt,
  key: string,
  entry: TierEntry,
  stored: Stored,
  condition: Condition,
): Promise<string | undefined> {
  const { moment } = condition;
  if (entry.tags.length === 0 && owner.state.version !== undefined && moment === undefined) {
    return atVersion(owner, attempt, (version) => storeAt(owner, attempt, version, key, entry, stored, condition, 0));
  }
  const { version, clock } = await owner.state.current(attempt);
  if (moment !== undefined && moment.version !== version) {
    return undefined;
  }
  const asOf = moment?.clock ?? clock;
  if (entry.tags.length > 0) {
    const { pxMs } = encode(entry, NOTHING_STORED, 0, []);
    const invalidatedAt = await owner.state.keepTags(attempt, entry.tags, clock, pxMs);
    if (invalidatedAt > asOf) {
      return undefined;
    }
  }
  return storeAt(owner, attempt, version, key, entry, stored, condition, asOf);
}

const NOTHING_STORED: Stored = { compression: 0, bytes: new Uint8Array(0) };

async function storeAt(
  owner: WriteOwner,
  attempt: Attempt,
  version: number,
  key: string,
  entry: TierEntry,
  stored: Stored,
  { moment, token, dependencies }: Condition,
  clock: number,
): Promise<string | undefined> {
  const { head, tail, pxMs } = encode(entry, stored, clock, dependencies);
  const what = token !== undefined ? "lease" : moment !== undefined ? "revision" : "any";
  const operand = token ?? Buffer.from(moment?.revision ?? "", "hex");
  const args = [what, operand, String(pxMs), head, tail];
  const revision = (await attempt.script(STORE, [owner.names.entry(version, key)], args)) as Buffer;
  return revision.byteLength > 0 ? revision.toString("hex") : undefined;
}

/** Deletes keys, and with them the leases on them. */
export function remove(owner: WriteOwner, attempt: Attempt, keys: readonly string[]): Promise<void> {
  return atVersion(owner, attempt, async (version) => {
    const names = keys.map((key) => owner.names.entry(version, key));
    await eachGroup(owner, names, (group) => attempt.command("unlink", group));
  });
}

/** Makes a key stale from now on; its revision then. */
export function expire(owner: WriteOwner, attempt: Attempt, key: string): Promise<string> {
  return atVersion(owner, attempt, async (version) => {
    const revision = (await attempt.script(EXPIRE, [owner.names.entry(version, key)])) as Buffer;
    return revision.toString("hex");
  });
}

/** Gives a lease back; the key's revision then, or `undefined` where it was no longer the caller's. */
export async function release(
  owner: WriteOwner,
  attempt: Attempt,
  key: string,
  token: Buffer,
  moment: Moment,
): Promise<string | undefined> {
  const outcome = Number(await attempt.script(RELEASE, [owner.names.entry(moment.version, key)], [token]));
  return outcome === 0 ? undefined : outcome === 1 ? NO_REVISION : moment.revision;
}

/** Tells Redis' eviction that keys are in use. */
export function touch(owner: WriteOwner, attempt: Attempt, keys: readonly string[]): Promise<void> {
  return atVersion(owner, attempt, async (version) => {
    const names = keys.map((key) => owner.names.entry(version, key));
    await eachGroup(owner, names, (group) => attempt.command("touch", group));
  });
}

/** Does something at the version that is known, and asks meanwhile whether it is the current one. */
async function atVersion<T>(owner: WriteOwner, attempt: Attempt, write: (version: number) => Promise<T>): Promise<T> {
  const version = owner.state.version ?? (await owner.state.current(attempt)).version;
  const [current, result] = await Promise.all([owner.state.current(attempt), write(version)]);
  return current.version === version ? result : write(current.version);
}

async function eachGroup(
  { isCluster }: WriteOwner,
  names: readonly string[],
  send: (names: readonly string[]) => Promise<unknown>,
): Promise<void> {
  const groups = isCluster ? groupBySlot(names, (name) => name) : [names];
  const commands = groups.flatMap((group) => chunks(group, KEYS_PER_COMMAND));
  const outcomes = await Promise.allSettled(commands.map(send));
  const failed = outcomes.filter((outcome) => outcome.status === "rejected");
  if (failed[0] !== undefined) {
    throw failed[0].reason;
  }
}

export function chunks<T>(items: readonly T[], length: number): T[][] {
  const found: T[][] = [];
  for (let at = 0; at < items.length; at += length) {
    found.push(items.slice(at, at + length));
  }
  return found;
}

/** Refuses a value that is too large. */
export function checkSize(key: string, { bytes }: TierEntry, bytesMax: number): void {
  if (bytes.byteLength > bytesMax) {
    const message = `The value of ${JSON.stringify(key)} has ${bytes.byteLength} bytes; Redis is given ${bytesMax} at most (redisTier's maxValueSize).`;
    throw new TierError("ERR_TIER", message, { operation: "set", key, length: bytes.byteLength, max: bytesMax });
  }
}
