// The engine's part: bench/compare's program, in which nearcache's engine and other crates take turns.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withInterval } from "../lib/compare.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const RUNS = [
  { entries: 10_000, cases: ["get, hit", "miss", "overwrite", "evict", "scaling", "latency"] },
  { entries: 1_000_000, cases: ["get, hit", "overwrite", "memory"] },
];

/** What the program wrote for both sizes, with an interval for each ratio. */
export function engine(pace) {
  const parts = RUNS.map(({ entries, cases }) => {
    const rounds = String(entries > 100_000 ? pace.engineRoundsLarge : pace.engineRounds);
    return measure(["--rounds", rounds, "--entries", String(entries), ...cases]);
  });
  const all = (name) => parts.flatMap((part) => part[name]);
  return {
    keyBytes: parts[0].keyBytes,
    valueBytes: parts[0].valueBytes,
    results: all("results").map(({ stores, ...rest }) => ({ ...rest, stores: stores.map(rowOf) })),
    scaling: all("scaling"),
    memory: all("memory"),
    latency: all("latency"),
  };
}

function rowOf({ name, nsPerOperation, ratios }) {
  return { name, nsPerOperation, ratio: withInterval(ratios) };
}

/** `bench/engine.mjs` would add the machine and keep a file of its own. */
function measure(args) {
  const folder = mkdtempSync(join(tmpdir(), "nearcache-report-"));
  try {
    const out = join(folder, "engine.json");
    const manifest = join(ROOT, "bench/compare/Cargo.toml");
    const cargo = ["run", "--release", "--quiet", "--manifest-path", manifest, "--", "--out", out];
    const { status, stderr } = spawnSync("cargo", [...cargo, ...args], { encoding: "utf8" });
    if (status !== 0) {
      throw new Error(`the comparison of engines ended with ${status}: ${stderr}`);
    }
    return JSON.parse(readFileSync(out, "utf8"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
