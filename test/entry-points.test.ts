// Every entry point of the built package: both module systems, types beside each, and nothing loaded that was not asked for.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = new URL("../", import.meta.url);
const require = createRequire(import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
const entries = Object.entries(manifest.exports as Record<string, Record<string, Record<string, string>>>).filter(
  ([, conditions]) => typeof conditions === "object",
);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");

/** The packages that a built file and the files it is made of load, Node's own left out. */
function packagesOf(path: string, seen = new Set<string>()): string[] {
  if (seen.has(path)) return [];
  seen.add(path);
  const code = read(path).replace(/^\s*\*.*$/gm, "");
  const specifiers = [...code.matchAll(/(?:from|import|require\()\s*"([^"]+)"/g)].map((match) => match[1] as string);
  return specifiers.flatMap((name) => {
    if (name.startsWith("./")) return packagesOf(`dist/${name.slice(2)}`, seen);
    return name.startsWith("node:") ? [] : [name];
  });
}

describe.each(entries)("nearcache%s", (name, conditions) => {
  const specifier = `nearcache${name.slice(1)}`;

  test("exports the same names to import and require, and no default", async () => {
    const names = Object.keys(await import(specifier)).filter((exported) => exported !== "module.exports");
    expect(names.length).toBeGreaterThan(0);
    expect(Object.keys(require(specifier)).sort()).toEqual(names.sort());
    expect(names).not.toContain("default");
  });

  test("has its files and types", () => {
    for (const { types, default: file } of Object.values(conditions)) {
      for (const path of [types, file]) expect(existsSync(new URL(path as string, root)), path).toBe(true);
    }
  });

  test("loads the package that it is for, at most", () => {
    const allowed = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }));
    for (const { default: file } of Object.values(conditions)) {
      const loaded = packagesOf((file as string).slice(2));
      if (name === ".") expect(loaded).toEqual([]);
      expect(loaded.filter((loads) => !allowed.has(loads))).toEqual([]);
    }
  });
});

test.each([".d.ts", ".d.cts"])("a cache of one entry point is one to the types of all others (%s)", (extension) => {
  const declaring = readdirSync(new URL("dist/", root)).filter(
    (name) => name.endsWith(extension) && /^interface Cache</m.test(read(`dist/${name}`)),
  );
  expect(declaring).toEqual([`api${extension}`]);
});

test("packages that an entry point is for are optional", () => {
  for (const name of Object.keys(manifest.peerDependencies)) {
    expect(manifest.peerDependenciesMeta[name]).toEqual({ optional: true });
  }
});

test("nothing that we install runs a script while it is installed", () => {
  const lock = JSON.parse(readFileSync(fileURLToPath(new URL("package-lock.json", root)), "utf8"));
  const scripted = Object.entries(lock.packages as Record<string, { hasInstallScript?: boolean }>).filter(
    ([, { hasInstallScript }]) => hasInstallScript,
  );
  expect(scripted.map(([path]) => path)).toEqual([]);
});
