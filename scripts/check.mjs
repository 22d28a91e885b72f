// `npm run check`: everything that can be said about the code without running it.
// It runs all checks and names those that failed at the end, so that one run shows everything.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fail, npmTool, ROOT, requireCargo } from "./lib/run.mjs";

const CLIPPY = ["clippy", "--workspace", "--all-targets", "--quiet"];
const FAULT = "nearcache-engine/fault,nearcache-node/fault";
const CHECKS = [
  ["Rust formatting", "cargo", ["fmt", "--all", "--check"]],
  ["Rust formatting of the fuzzer", "cargo", ["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]],
  ["TypeScript formatting and lints", npmTool("@biomejs/biome", "bin/biome"), ["check", "--error-on-warnings", "."]],
  ["style", join(ROOT, "scripts/check-style.mjs"), []],
  ["types", npmTool("typescript", "bin/tsc"), ["--noEmit"]],
  ["clippy", "cargo", [...CLIPPY, "--", "-D", "warnings"]],
  ["clippy, with points of death", "cargo", [...CLIPPY, "--features", FAULT, "--", "-D", "warnings"]],
  [
    "clippy, with what benchmarks need",
    "cargo",
    ["clippy", "--package", "nearcache-node", "--features", "bench", "--quiet", "--", "-D", "warnings"],
  ],
  ["Rust documentation", "cargo", ["doc", "--workspace", "--no-deps", "--quiet"], { RUSTDOCFLAGS: "-D warnings" }],
];

requireCargo();
const failed = CHECKS.filter((check) => !passes(...check)).map(([name]) => name);
if (failed.length > 0) {
  fail(`check failed: ${failed.join(", ")}`);
}
console.log(`\ncheck: ${CHECKS.length} checks passed`);

function passes(name, command, args, env = {}) {
  console.log(`\n-- ${name}`);
  const isScript = existsSync(command);
  const result = spawnSync(isScript ? process.execPath : command, isScript ? [command, ...args] : args, {
    cwd: ROOT,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, ...env },
  });
  return result.status === 0;
}
