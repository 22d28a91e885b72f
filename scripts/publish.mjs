// Publishes what scripts/package.mjs has laid out in target/packages: the platforms' packages first, so that nobody gets a
// nearcache whose addon isn't there yet. What is published already is passed over, so a release that broke off can be
// started again.
//
//   node scripts/publish.mjs [--for-real]
//
// Without `--for-real` npm says what it would do. With it this runs on GitHub only, at the tag of the version.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { fail, ROOT, run } from "./lib/run.mjs";

const { values } = parseArgs({ options: { "for-real": { type: "boolean", default: false } } });
const forReal = values["for-real"];
const folder = join(ROOT, "target/packages");
const root = readPackage(join(folder, "nearcache"));
const platforms = Object.keys(root.optionalDependencies).map((name) => join(folder, name.split("/")[1]));
const packages = [...platforms, join(folder, "nearcache")].map((path) => ({ path, ...readPackage(path) }));

const { GITHUB_REF: ref, GITHUB_ACTIONS: onGitHub } = process.env;
if (forReal && (!onGitHub || ref !== `refs/tags/v${root.version}`)) {
  fail(`Version ${root.version} is published by release.yml at the tag v${root.version}; this is ${ref ?? "no tag"}.`);
}
const odd = packages.find(({ version }) => version !== root.version);
if (odd !== undefined) {
  fail(`${odd.name} is ${odd.version}, nearcache is ${root.version}.`);
}
for (const { path, name, version } of packages) {
  if (isPublished(name, version)) {
    console.log(`${name}@${version} is published already`);
    continue;
  }
  run("npm", ["publish", path, "--access", "public", ...(forReal ? ["--provenance"] : ["--dry-run"])]);
}

function readPackage(path) {
  const manifest = join(path, "package.json");
  if (!existsSync(manifest)) {
    fail(`${path} is not there. Run node scripts/package.mjs --all first.`);
  }
  return JSON.parse(readFileSync(manifest, "utf8"));
}

function isPublished(name, version) {
  const { status, stdout } = spawnSync("npm", ["view", `${name}@${version}`, "version"], { encoding: "utf8" });
  return status === 0 && stdout.trim() === version;
}
