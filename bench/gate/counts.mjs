// What is counted, not timed: the same on a busy machine and on an idle one.
//
// `portable` figures are the same on every machine. `local` ones belong to a kind of machine and a compiler: instructions
// to both, bytes to the size of the system's pages.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findOnPath } from "../../scripts/lib/redis.mjs";
import { capture } from "../../scripts/lib/run.mjs";
import { runApart } from "../lib/apart.mjs";
import { buildReplay, replayTraces } from "../lib/replay.mjs";

const INSTRUCTION_CASES = ["hit", "miss", "overwrite", "evict", "evict-beside-another"];
/** The numbers below are as in crates/engine/benches/instructions.rs. */
const OPERATIONS = 100_000;
const SHARES = [0.02, 0.1, 0.3];
const MEMORY_ENTRIES = 1_000_000;

/** What instructions and bytes belong to: `linux-x64, rustc 1.91.0`. */
export function environmentOf() {
  const version = capture("rustc", ["--version"]).split(" ")[1];
  return { machine: `${process.platform}-${process.arch}`, compiler: version };
}

/** Resolves to `{ portable, local, skipped }`; `skipped` says what could not be measured here, and why. */
export async function countEverything(report = () => undefined) {
  const skipped = {};
  report("hit ratios on made-up traces");
  const portable = { ...hitRatios() };
  report("native calls and allocations");
  Object.assign(portable, await callsAndAllocations());
  report(`bytes per entry, ${MEMORY_ENTRIES.toLocaleString("en")} entries`);
  const program = buildInstructions();
  const local = { ...bytesPerEntry(program) };
  if (findOnPath("valgrind") === undefined) {
    skipped["instructions: "] = "valgrind is not installed (Debian, Ubuntu: sudo apt-get install valgrind)";
  } else {
    report("instructions, by callgrind");
    Object.assign(local, instructions(program));
  }
  return { portable, local, skipped };
}

function hitRatios() {
  const rows = replayTraces({ program: buildReplay(), policies: ["nearcache"], shares: SHARES });
  return Object.fromEntries(
    rows.map(({ trace, share, hitRatio }) => [
      `hit ratio: ${trace}, ${share * 100} % of the keys, in %`,
      { value: Number((hitRatio * 100).toFixed(3)), better: "more" },
    ]),
  );
}

async function callsAndAllocations() {
  const { scenarios } = await import("../cases/counts.mjs");
  const figures = {};
  for (const scenario of scenarios) {
    const argument = { name: "counts", scenario, pace: {} };
    const { perGet } = await runApart(new URL("../scenario.mjs", import.meta.url), argument, "counts");
    for (const [what, value] of Object.entries(perGet)) {
      figures[`${what}: per ${scenario.operation}`] = { value, better: "less" };
    }
  }
  return figures;
}

/** Of a cache with a fixed seed: one that draws its own differs by a hundredth from run to run. */
function bytesPerEntry(program) {
  const [used, resident] = capture(program, ["bytes"]).trim().split(" ").map(Number);
  const figure = (bytes) => ({ value: Number((bytes / MEMORY_ENTRIES).toFixed(2)), better: "less" });
  return {
    "bytes per entry: by the cache's own account, key and value of 116 included": figure(used),
    // Only Linux says how much of a process is resident.
    ...(resident > 0 && { "bytes per entry: growth of resident memory, key and value included": figure(resident) }),
  };
}

function instructions(program) {
  const folder = mkdtempSync(join(tmpdir(), "nearcache-callgrind-"));
  try {
    return Object.fromEntries(
      INSTRUCTION_CASES.map((name) => [
        `instructions: ${name}, per operation`,
        { value: Number((count(program, name, join(folder, name)) / OPERATIONS).toFixed(2)), better: "less" },
      ]),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Cargo says on its error output where the program is; as JSON it can be read. */
function buildInstructions() {
  const args = ["bench", "--package", "nearcache-engine", "--bench", "instructions", "--no-run", "--quiet"];
  const lines = capture("cargo", [...args, "--message-format=json"])
    .trim()
    .split("\n");
  const artifacts = lines.map((line) => JSON.parse(line)).filter(({ executable }) => executable);
  return artifacts.at(-1).executable;
}

function count(program, name, file) {
  const options = ["--tool=callgrind", "--toggle-collect=instructions::*_counted", `--callgrind-out-file=${file}`];
  const { status, stderr } = spawnSync("valgrind", [...options, program, name], { encoding: "utf8" });
  if (status !== 0) {
    throw new Error(`valgrind ended with ${status} on ${name}:\n${stderr}`);
  }
  const [, total] = /^(?:totals|summary): (\d+)/m.exec(readFileSync(file, "utf8")) ?? [];
  if (!(Number(total) > 0)) {
    throw new Error(`callgrind counted nothing for ${name}: has the counted function another name?`);
  }
  return Number(total);
}
