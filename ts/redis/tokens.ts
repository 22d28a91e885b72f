/**
 * What the tier hands out with an answer and gets back with a write, as text: the moment of a look-up (the version, the tag
 * clock and the key's revision as they were), and leases, which are a moment and a secret. The revision is the fencing
 * number: it grows with each lease and each write of the key.
 */
import type { State } from "./state.js";

/** The moment of a look-up. */
export interface Moment extends State {
  readonly revision: string;
}

/** As text. */
export function moment({ version, clock }: State, revision: string): string {
  return `${version}.${clock}.${revision}`;
}

export function showLease(token: Buffer, of: string): string {
  return `${token.toString("hex")}.${of}`;
}

const MOMENT = /^(\d+)\.(\d+)\.([0-9a-f]{16})$/;
const LEASE = /^([0-9a-f]{16})\.(.*)$/;

/** Undefined where it is none of ours. */
export function parseMoment(text: string): Moment | undefined {
  const match = MOMENT.exec(text);
  return match ? { version: Number(match[1]), clock: Number(match[2]), revision: match[3] as string } : undefined;
}

/** Undefined where it is none of ours. */
export function parseLease(text: string): { readonly token: Buffer; readonly moment: Moment } | undefined {
  const match = LEASE.exec(text);
  const moment = match ? parseMoment(match[2] as string) : undefined;
  return match && moment ? { token: Buffer.from(match[1] as string, "hex"), moment } : undefined;
}
