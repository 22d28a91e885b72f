/**
 * Names that say something by being written. Tracking tells that a key of some name has changed and nothing else, so what is
 * to be told besides (an invalidated tag, a version, everything) goes into the name of a key that is written and deleted.
 */
import type { Change } from "./backplane.js";

export class Signals {
  /** What all signals begin with. */
  readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = `${prefix}signal:`;
  }

  /** What to write for a change, beside what Redis tells by itself: the names of changed keys. */
  namesFor({ tags = [], version, all }: Change): string[] {
    const names = tags.map((tag) => `${this.prefix}tag:${tag}`);
    if (version !== undefined) names.push(`${this.prefix}version:${version}`);
    if (all) names.push(`${this.prefix}all`);
    return names;
  }

  /** A name that says nothing: to see whether changes arrive. */
  probe(unique: string): string {
    return `${this.prefix}probe:${unique}`;
  }

  /** What a name says; `undefined` if it is no signal. */
  parse(name: string): Change | undefined {
    if (!name.startsWith(this.prefix)) return undefined;
    const [, kind, operand = ""] = /^(\w+):?(.*)$/s.exec(name.slice(this.prefix.length)) ?? [];
    if (kind === "tag") return { tags: [operand] };
    if (kind === "version" && /^\d{1,16}$/.test(operand)) return { version: Number(operand) };
    return kind === "all" ? { all: true } : {};
  }
}
