// The examples in the comments of ts/ as modules whose types can be checked: what editors show, and what the reference is
// made of. Names of the package need not be imported in them.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Example {
  readonly file: string;
  /** On which the example begins. */
  readonly line: number;
  readonly code: string;
}

/** What the package exports: names by entry point, as in `nearcache/redis`. */
export type Exports = ReadonlyMap<string, readonly string[]>;

const COMMENT = /\/\*\*[\s\S]*?\*\//g;
const EXAMPLE = /@example\s+(?:```ts\n([\s\S]*?)```|`(.+)`)/g;
const IMPORT = /^import .*$/gm;

/** All examples of the files in `folder`. */
export function examplesIn(folder: string, exported: Exports): Example[] {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
  return files.sort().flatMap((file) => examplesOf(file, readFileSync(join(folder, file), "utf8"), exported));
}

function examplesOf(file: string, text: string, exported: Exports): Example[] {
  const own = /^ \* @module (\S+)$/m.exec(text)?.[1] ?? "nearcache";
  return [...text.matchAll(COMMENT)].flatMap((comment) => {
    const plain = comment[0].replace(/^ *\*? ?/gm, "").replace(/\*\/$/, "");
    return [...plain.matchAll(EXAMPLE)].map((example) => ({
      file,
      line: linesOf(text.slice(0, comment.index)) + linesOf(plain.slice(0, example.index)) - 1,
      code: toModule((example[1] ?? example[2]) as string, own, exported),
    }));
  });
}

function linesOf(text: string): number {
  return text.split("\n").length;
}

function toModule(code: string, own: string, exported: Exports): string {
  const imports = code.match(IMPORT) ?? [];
  const known = new Set(imports.join(" ").match(/\w+/g));
  const needed: string[] = [];
  for (const [entry, names] of [[own, exported.get(own) ?? []] as const, ...exported]) {
    for (const name of names) {
      if (known.has(name) || !new RegExp(`\\b${name}\\b`).test(code)) continue;
      known.add(name);
      needed.push(`import { ${name} } from "${entry}";`);
    }
  }
  return [...imports, ...needed, "async () => {", code.replace(IMPORT, ""), "};", "export {};"].join("\n");
}
