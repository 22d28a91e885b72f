// `npm run test:node24`, `npm run test:node26`: the vitest suite under another Node.
//
//   node scripts/test-node.mjs MAJOR [arguments for vitest]
//
// package.json leaves out what Redis servers, and not Node, decide: the suites with faults, clusters and many processes run
// under the oldest Node only, all suites of Redis under the oldest and 24, which has zstd.
// The addon speaks Node-API, so the one that was built for this Node is the one that is tested.
import { join } from "node:path";
import { environmentOf, nodeBinary } from "./lib/node.mjs";
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
  env: environmentOf(node),
});
