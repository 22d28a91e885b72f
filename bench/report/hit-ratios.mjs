// The part about hit ratios: made-up traces (bench/lib/traces.mjs) through nearcache's engine, reference policies, and
// the caches moka and quick_cache as they are.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { ROOT, run } from "../../scripts/lib/run.mjs";
import { buildReplay, jsonLines, replayTraces } from "../lib/replay.mjs";

const SHARES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.4];
const POLICIES = ["nearcache", "lru", "s3-fifo"];

export function hitRatios() {
  const manifest = join(ROOT, "bench/compare/Cargo.toml");
  run("cargo", ["build", "--release", "--quiet", "--manifest-path", manifest, "--bin", "hitratio"]);
  const program = join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "bench/compare/target"), "release/hitratio");
  const ratiosOf = (name) => (file, capacities) =>
    jsonLines(execFileSync(program, [name, file, capacities.join(",")], { encoding: "utf8" })).map(
      ({ hits, requests }) => hits / requests,
    );
  const others = { moka: ratiosOf("moka"), quick_cache: ratiosOf("quick_cache") };
  return replayTraces({ program: buildReplay(), policies: POLICIES, shares: SHARES, others });
}
