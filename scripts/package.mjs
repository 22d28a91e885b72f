// `npm run package`: lays out what is published in target/packages: `nearcache` and a package for each platform.
//
//   node scripts/package.mjs [--addons FOLDER] [--all]
//
// Addons (`nearcache.<platform>.node`) come from FOLDER, by default the checkout's root; platforms that have none there
// are left out, unless `--all` demands every one.
import { existsSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ADDON_BYTES_MAX } from "./lib/binary.mjs";
import { addonFile, layOutPackages, packageName } from "./lib/packages.mjs";
import { PLATFORMS } from "./lib/platforms.mjs";
import { fail, ROOT } from "./lib/run.mjs";

const { values } = parseArgs({
  options: { addons: { type: "string", default: ROOT }, all: { type: "boolean", default: false } },
});
const names = Object.keys(PLATFORMS);
const addons = new Map(names.flatMap(addonOf));
const absent = names.filter((name) => !addons.has(name));
if (addons.size === 0 || (values.all && absent.length > 0)) {
  fail(`${resolve(values.addons)} has no ${absent.map(addonFile).join(", no ")}`);
}
const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: name } = process.env;
const repository = server && name ? `${server}/${name}` : undefined;
const laidOut = await layOutPackages(join(ROOT, "target/packages"), (platform) => addons.get(platform), repository);
console.log(`nearcache: ${relative(ROOT, laidOut.root)}`);
for (const [platform, path] of Object.entries(laidOut.platforms)) {
  console.log(
    `${packageName(platform)}: ${relative(ROOT, path)}, addon of ${statSync(addons.get(platform)).size} bytes`,
  );
}

function addonOf(platform) {
  const path = join(values.addons, addonFile(platform));
  if (!existsSync(path)) {
    return [];
  }
  const { size } = statSync(path);
  if (size > ADDON_BYTES_MAX) {
    fail(`${path} has ${size} bytes, ${ADDON_BYTES_MAX} at most: was it stripped?`);
  }
  return [[platform, path]];
}
