// `npm run bench:engine [-- options]`: the engine beside other Rust caches and maps (bench/compare), without Node.js in
// the timed part. Arguments go to the comparison; its results get the machine and the commit added and are written to
// bench/results/<date>-engine.json, or where --out says.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describeRun } from "./lib/machine.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

const given = process.argv.slice(2);
const at = given.indexOf("--out");
const [, chosen] = at === -1 ? [] : given.splice(at, 2);
const { node: _node, v8: _v8, ...run } = describeRun();
const file = chosen ?? join(ROOT, "bench/results", `${run.date.slice(0, 10)}-engine.json`);

const directory = mkdtempSync(join(tmpdir(), "nearcache-bench-"));
try {
  const raw = join(directory, "results.json");
  const cargo = ["run", "--release", "--quiet", "--manifest-path", join(ROOT, "bench/compare/Cargo.toml"), "--"];
  const { status } = spawnSync("cargo", [...cargo, "--out", raw, ...given], { stdio: "inherit" });
  process.exitCode = status ?? 1;
  if (status === 0) {
    writeFileSync(file, `${JSON.stringify({ ...run, ...JSON.parse(readFileSync(raw, "utf8")) }, null, 2)}\n`);
    console.log(`${file} holds the quartiles`);
  }
} finally {
  rmSync(directory, { recursive: true });
}
