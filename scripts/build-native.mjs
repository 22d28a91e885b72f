// Builds the addon (crates/node, release profile) and puts it into the repository's root as
// `nearcache.<triple>.node`, where ts/native.ts finds it. Cargo decides whether anything has to
// be compiled; the copy is left alone when nothing changed.
//
//   node scripts/build-native.mjs [--profile checked]
//
// `--profile checked` builds with debug assertions, for hunting a bug; the default is `release`.
import { copyFileSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { builtLibrary } from "./lib/addon.mjs";
import { ROOT } from "./lib/run.mjs";
import { hostTriple } from "./lib/triple.mjs";

const { values } = parseArgs({ options: { profile: { type: "string", default: "release" } } });

install(builtLibrary(["--profile", values.profile]), join(ROOT, `nearcache.${hostTriple()}.node`));

/** Renames a finished copy into place: a process that has the old addon loaded keeps it unharmed. */
function install(library, target) {
  if (sameBytes(library, target)) {
    return;
  }
  const unfinished = `${target}.${process.pid}.tmp`;
  try {
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
