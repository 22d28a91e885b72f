// Replays the made-up traces (traces.mjs) through the engine and through other policies, by `nearcache-replay`.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT, run } from "../../scripts/lib/run.mjs";
import { packed, TRACES, uniqueKeys } from "./traces.mjs";

/** Packed 64-bit numbers, nothing but keys. */
const FORMAT = ["--format", "bin", "--layout", "k"];

/** Builds the command and returns its path. */
export function buildReplay() {
  run("cargo", ["build", "--release", "--quiet", "--package", "nearcache-replay"]);
  return join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "release/nearcache-replay");
}

/**
 * Hit ratios as rows `{ trace, policy, share, capacity, hitRatio }`. `shares` are parts of a trace's different keys.
 * `others` maps names to functions `(file, capacities) => ratios` that replay the packed numbers in `file`.
 */
export function replayTraces({ program, policies, shares, others = {} }) {
  const folder = mkdtempSync(join(tmpdir(), "nearcache-traces-"));
  try {
    return Object.entries(TRACES).flatMap(([trace, { keys: make }]) => {
      const keys = make();
      const file = join(folder, `${trace}.bin`);
      writeFileSync(file, packed(keys));
      const capacities = shares.map((share) => Math.round(uniqueKeys(keys) * share));
      const row = (policy, at, hitRatio) => ({ trace, policy, share: shares[at], capacity: capacities[at], hitRatio });
      const own = replay(program, file, policies, capacities).map(({ policy, capacity, hit_ratio }) =>
        row(policy, capacities.indexOf(capacity), hit_ratio),
      );
      const rest = Object.entries(others).flatMap(([name, ratiosOf]) =>
        ratiosOf(file, capacities).map((ratio, at) => row(name, at, ratio)),
      );
      return [...own, ...rest];
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function replay(program, file, policies, capacities) {
  const args = [file, ...FORMAT, "--json", "--policy", policies.join(","), "--entries", capacities.join(",")];
  return jsonLines(execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] }));
}

/** Objects that a command printed, one a line. */
export function jsonLines(text) {
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}
