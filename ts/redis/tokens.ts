/**
 * What the tier hands out with an answer and gets back with a write, as text: the moment of a look-up (the version, the tag
 * clock, the key's revision and those of what the value will depend on, as they were), and leases, which are a moment and a secret. The revision is the fencing
 * number: it grows with each lease and each write of the key.
 */
import type { Dependency } from "./revisions.js";
import type { State } from "./state.js";

/** The moment of a look-up. */
export interface Moment extends State {
  readonly revision: string;
  readonly dependencies: readonly Dependency[];
}

/** As text. */
export function moment({ version, clock }: State, revision: string, dependencies: readonly Dependency[]): string {
  const on = dependencies.length === 0 ? "" : `.${JSON.stringify(dependencies)}`;
  return `${version}.${clock}.${revision}${on}`;
}

export function showLease(token: Buffer, of: string): string {
  return `${token.toString("hex")}.${of}`;
}

const MOMENT = /^(\d+)\.(\d+)\.([0-9a-f]{16})(?:\.(\[.*\]))?$/s;
const LEASE = /^([0-9a-f]{16})\.(.*)$/s;

/** Undefined where it is none of ours. */
export function parseMoment(text: string): Moment | undefined {
  const match = MOMENT.exec(text);
  if (match === null) {
    return undefined;
  }
  const [, version, clock, revision, on] = match;
  try {
    const dependencies = on === undefined ? [] : (JSON.parse(on) as Dependency[]);
    return { version: Number(version), clock: Number(clock), revision: revision as string, dependencies };
  } catch {
    return undefined;
  }
}

/** Undefined where it is none of ours. */
export function parseLease(text: string): { readonly token: Buffer; readonly moment: Moment } | undefined {
  const match = LEASE.exec(text);
  const moment = match ? parseMoment(match[2] as string) : undefined;
  return match && moment ? { token: Buffer.from(match[1] as string, "hex"), moment } : undefined;
}
