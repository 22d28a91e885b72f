/**
 * What things are called in Redis. With the default prefix:
 *
 * - `nearcache:vhoi3lqkdmo:user:42`: an entry, or a placeholder that stands for one. `hoi3lqkdmo` is the version in base 36, so
 *   that a new version leaves everything older unreachable.
 * - `nearcache:tag:product`: when the tag was invalidated last, by the tag clock.
 * - `nearcache:{state}:version` and `nearcache:{state}:clock`: the version, and the tag clock, which every invalidation of
 *   tags moves. One slot of a Cluster, so that one command reads both.
 *
 * Every name begins with the prefix, so one subscription by prefix sees all changes, {@link KeyNames.parse} tells which.
 */

/** What a name in Redis stands for. */
export type KeyName =
  | { readonly type: "entry"; readonly key: string; readonly version: number }
  | { readonly type: "tag"; readonly tag: string }
  | { readonly type: "version" }
  | { readonly type: "clock" };

const RADIX = 36;

/** The names below one prefix. */
export class KeyNames {
  readonly prefix: string;
  readonly version: string;
  readonly clock: string;
  /** What the names of all entries begin with, whatever their version, and nothing else does. */
  readonly allEntries: string;
  readonly #tagPrefix: string;

  constructor(prefix: string) {
    this.prefix = prefix;
    this.version = `${prefix}{state}:version`;
    this.clock = `${prefix}{state}:clock`;
    this.allEntries = `${prefix}v`;
    this.#tagPrefix = `${prefix}tag:`;
  }

  entry(version: number, key: string): string {
    return this.entryPrefix(version) + key;
  }

  entryPrefix(version: number): string {
    return `${this.allEntries}${version.toString(RADIX)}:`;
  }

  tag(name: string): string {
    return this.#tagPrefix + name;
  }

  /** What a name stands for; `undefined` where it is none of ours. */
  parse(name: string): KeyName | undefined {
    if (name === this.version) {
      return { type: "version" };
    }
    if (name === this.clock) {
      return { type: "clock" };
    }
    if (name.startsWith(this.#tagPrefix)) {
      return { type: "tag", tag: name.slice(this.#tagPrefix.length) };
    }
    if (!name.startsWith(this.allEntries)) {
      return undefined;
    }
    const start = this.allEntries.length;
    const end = name.indexOf(":", start);
    const version = Number.parseInt(name.slice(start, end), RADIX);
    const isEntry = end > start && version >= 0 && version.toString(RADIX) === name.slice(start, end);
    return isEntry ? { type: "entry", key: name.slice(end + 1), version } : undefined;
  }
}

/** The text of a SCAN pattern that matches `text` and nothing else. */
export function escapeGlob(text: string): string {
  return text.replace(/[\\*?[\]^]/g, "\\$&");
}

/** A SCAN pattern for a pattern in which only `*` has a meaning. */
export function globOf(pattern: string): string {
  return pattern.split("*").map(escapeGlob).join("*");
}
