// Builds the addon (crates/node, release profile) and puts it into the repository's root as
// `nearcache.<triple>.node`, where ts/native.ts finds it. Cargo decides whether anything has to
// be compiled; the copy is left alone when nothing changed.
//
//   node scripts/build-native.mjs [--profile checked] [--bench]
//
// `--profile checked` builds with debug assertions, for hunting a bug; the default is `release`.
// `--bench` builds the same with the feature `bench` (crates/node/src/bench.rs), for benchmarks alone: it goes into
// `target/bench/`, which is never shipped, with a target folder of its own, or each of the two would undo the other.
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { capture, fail, ROOT } from "./lib/run.mjs";
import { hostTriple } from "./lib/triple.mjs";

const PACKAGE = "nearcache-node";

const { values } = parseArgs({
  options: { profile: { type: "string", default: "release" }, bench: { type: "boolean", default: false } },
});
const folder = values.bench ? join(ROOT, "target/bench") : ROOT;

install(builtLibrary(values.profile, values.bench), join(folder, `nearcache.${hostTriple()}.node`));

/** Runs cargo and returns the path of the library that it made. */
function builtLibrary(profile, isForBench) {
  const messages = capture("cargo", [
    "build",
    ...["--package", PACKAGE],
    "--lib",
    ...["--profile", profile],
    ...(isForBench ? ["--features", "bench", "--target-dir", join(ROOT, "target/bench/cargo")] : []),
    "--message-format=json-render-diagnostics",
  ]);
  for (const line of messages.split("\n")) {
    const library = libraryOf(line);
    if (library !== undefined) {
      return library;
    }
  }
  return fail(`cargo built no dynamic library for ${PACKAGE}: is its crate-type "cdylib"?`);
}

function libraryOf(line) {
  if (!line.startsWith("{")) {
    return undefined;
  }
  const message = JSON.parse(line);
  if (message.reason !== "compiler-artifact" || !message.package_id.includes("/crates/node")) {
    return undefined;
  }
  return message.filenames?.find((file) => /\.(so|dylib|dll)$/.test(file));
}

/** Renames a finished copy into place: a process that has the old addon loaded keeps it unharmed. */
function install(library, target) {
  if (sameBytes(library, target)) {
    return;
  }
  const unfinished = `${target}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(library, unfinished);
    renameSync(unfinished, target);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
  console.log(`built ${target}`);
}

function sameBytes(a, b) {
  try {
    return readFileSync(a).equals(readFileSync(b));
  } catch (error) {
    if (error.code === "ENOENT") {
      return false;
    }
    throw error;
  }
}
