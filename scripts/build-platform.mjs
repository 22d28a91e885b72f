// Builds the addon as it is published: stripped, as one unit with all that it calls, and on Linux for glibc 2.17.
//
//   node scripts/build-platform.mjs [PLATFORM ...] [--output FOLDER]
//
// A platform is `linux-arm64-gnu` or the like (scripts/lib/platforms.mjs); without one, those that can be linked on any
// linux-x64 machine. The addons go to FOLDER, `target/platforms` by default, as `nearcache.PLATFORM.node`, and each is held
// against scripts/lib/binary.mjs.
import { copyFileSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { builtLibrary } from "./lib/addon.mjs";
import { checkBinary, describe } from "./lib/binary.mjs";
import { CROSS } from "./lib/downloads.mjs";
import { cargoEnvironment, LINKED_HERE, PLATFORMS } from "./lib/platforms.mjs";
import { fail, ROOT } from "./lib/run.mjs";

const { values, positionals } = parseArgs({
  options: { output: { type: "string", default: join(ROOT, "target/platforms") } },
  allowPositionals: true,
});
const platforms = positionals.length > 0 ? positionals : LINKED_HERE;
const unknown = platforms.find((platform) => PLATFORMS[platform] === undefined);
if (unknown !== undefined) {
  fail(`There is no platform "${unknown}". Those that there are: ${Object.keys(PLATFORMS).join(", ")}.`);
}
for (const platform of platforms) {
  build(platform);
}

function build(platform) {
  const { target } = PLATFORMS[platform];
  const cargoArguments = ["--profile", "platform", "--target", target, "--target-dir", join(CROSS, "cargo")];
  const library = builtLibrary(cargoArguments, cargoEnvironment(platform));
  const addon = join(resolve(values.output), `nearcache.${platform}.node`);
  mkdirSync(resolve(values.output), { recursive: true });
  copyFileSync(library, addon);
  const { facts, complaints } = checkBinary(addon);
  console.log(`${addon}: ${describe(facts)}`);
  if (complaints.length > 0) {
    fail(`${addon} can't be published:\n  ${complaints.join("\n  ")}`);
  }
}
