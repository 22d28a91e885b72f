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
import { builtLibrary } from "./lib/addon.mjs";
import { ROOT } from "./lib/run.mjs";
import { hostTriple } from "./lib/triple.mjs";

const { values } = parseArgs({
  options: { profile: { type: "string", default: "release" }, bench: { type: "boolean", default: false } },
});
const folder = values.bench ? join(ROOT, "target/bench") : ROOT;
const forBench = values.bench ? ["--features", "bench", "--target-dir", join(ROOT, "target/bench/cargo")] : [];

install(builtLibrary(["--profile", values.profile, ...forBench]), join(folder, `nearcache.${hostTriple()}.node`));

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
