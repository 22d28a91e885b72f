// One version in all places: the package, the loader, the workspace of the addon.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { VERSION } from "../ts/version.js";
import { addon } from "./support/native.js";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

test("package.json, its lock file, ts/version.ts, Cargo.toml and the addon have the same version", () => {
  const manifest = JSON.parse(read("package.json"));
  const lock = JSON.parse(read("package-lock.json"));
  const cargo = /^\[workspace\.package\]\nversion = "(.+)"$/m.exec(read("Cargo.toml"))?.[1];
  expect([lock.version, lock.packages[""].version, VERSION, cargo, addon.version]).toEqual(
    Array(5).fill(manifest.version),
  );
});
