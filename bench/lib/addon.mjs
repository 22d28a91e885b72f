// The addon that was built for benchmarks alone (`scripts/build-native.mjs --bench`): the release build with the feature
// `bench`, which adds bare native calls, the least caches and two counters (crates/node/src/bench.rs).
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { hostTriple } from "../../scripts/lib/triple.mjs";

const FOLDER = fileURLToPath(new URL("../../target/bench/", import.meta.url));
const MADE_BY = "`npm run bench` builds it, and `node scripts/build-native.mjs --bench` by itself";

/** What crates/node/src/bench.rs adds to it. */
export function benchFunctions() {
  const path = `${FOLDER}nearcache.${hostTriple()}.node`;
  const addon = createRequire(import.meta.url)(path);
  if (addon.benchSharedSet === undefined || addon.benchAllocations === undefined) {
    throw new Error(`${path} has not all functions that benchmarks need; ${MADE_BY}`);
  }
  return addon;
}

/** The package over that addon: a copy of dist/ that finds it where it finds its own when it is installed. */
export async function counted() {
  const name = `@nearcache/${hostTriple()}`;
  const installed = `${FOLDER}node_modules/${name}/`;
  mkdirSync(installed, { recursive: true });
  // The very file that `benchFunctions` loads: a copy would have counters of its own.
  const main = `../../../nearcache.${hostTriple()}.node`;
  writeFileSync(`${installed}package.json`, JSON.stringify({ name, version: "0.0.0", main }));
  cpSync(fileURLToPath(new URL("../../dist/", import.meta.url)), `${FOLDER}dist`, { recursive: true });
  return import(pathToFileURL(`${FOLDER}dist/index.js`).href);
}
