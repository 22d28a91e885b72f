// `npm run fuzz -- --seconds 30`: coverage-guided fuzzing of the engine's operations (fuzz/).
//
//   --seconds N        how long, 30 unless told
//   --sanitizer NAME   none (the default) or address, which is slower and sees little of the region
//   --seed N           libFuzzer's seed; the same seed on the same corpus makes the same choices
//   --run FILE         run one stored input and print what it does, instead of fuzzing
//
// It is built as cargo-fuzz does it: LLVM's coverage instrumentation for every crate (not that of
// comparisons: operations are single bytes, there is nothing to guess), small constants
// (`--cfg nearcache_small`), debug assertions. The sanitizer needs a flag that is not stable, hence
// RUSTC_BOOTSTRAP; everything else is the everyday toolchain. The corpus grows in
// fuzz/corpus (not committed); it begins with a few inputs made here. An input that fails is kept in
// fuzz/artifacts and printed as operations, and the exit code is that of the fuzzer.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { capture, fail, ROOT, run } from "./lib/run.mjs";

const COVERAGE = [
  "-Cpasses=sancov-module",
  "-Cllvm-args=-sanitizer-coverage-level=4",
  "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
  "-Cllvm-args=-sanitizer-coverage-pc-table",
];
const SEED_INPUTS = 24;
const INPUT_BYTES_MAX = 400;
/** An operation sequence takes milliseconds; one that takes so long hangs. */
const INPUT_SECONDS_MAX = 20;

const { values: options } = parseArgs({
  options: {
    seconds: { type: "string", default: "30" },
    sanitizer: { type: "string", default: "none" },
    seed: { type: "string", default: "1" },
    run: { type: "string" },
  },
});
if (!["none", "address"].includes(options.sanitizer)) {
  fail(`Which sanitizer? none or address, not ${options.sanitizer}`);
}

const binary = build(options.sanitizer);
if (options.run) {
  print(options.run);
  run(binary, [options.run]);
} else {
  fuzz();
}

function build(sanitizer) {
  const host = /^host: (\S+)$/m.exec(capture("rustc", ["-vV"]))[1];
  const target = join(ROOT, "target/fuzz", sanitizer);
  const sanitize = sanitizer === "none" ? [] : [`-Zsanitizer=${sanitizer}`];
  run("cargo", ["build", "--release", "--locked", "--target", host, "--target-dir", target], {
    cwd: join(ROOT, "fuzz"),
    env: {
      ...process.env,
      RUSTC_BOOTSTRAP: "1",
      // With --target the flags go to what is fuzzed, and not to build scripts.
      RUSTFLAGS: [...COVERAGE, ...sanitize, "--cfg", "nearcache_small"].join(" "),
    },
  });
  return join(target, host, "release/operations");
}

function fuzz() {
  const [corpus, artifacts] = ["fuzz/corpus", "fuzz/artifacts"].map((path) => join(ROOT, path));
  mkdirSync(artifacts, { recursive: true });
  seedCorpus(corpus);
  const before = new Set(readdirSync(artifacts));
  const result = spawnSync(
    binary,
    [
      corpus,
      `-artifact_prefix=${artifacts}/`,
      `-max_total_time=${options.seconds}`,
      `-max_len=${INPUT_BYTES_MAX}`,
      `-timeout=${INPUT_SECONDS_MAX}`,
      `-seed=${options.seed}`,
      "-rss_limit_mb=4096",
      "-print_final_stats=1",
    ],
    { cwd: ROOT, stdio: ["ignore", "inherit", "inherit"] },
  );
  if (result.status !== 0) {
    for (const name of readdirSync(artifacts).filter((name) => !before.has(name))) {
      print(join(artifacts, name));
      console.error(`\nkept as fuzz/artifacts/${name}; again: npm run fuzz -- --run fuzz/artifacts/${name}`);
    }
    fail(`the fuzzer found something (exit code ${result.status ?? result.signal})`, result.status ?? 1);
  }
}

/** What an input does, as libfuzzer-sys prints it when it is asked to. */
function print(file) {
  const env = { ...process.env, RUST_LIBFUZZER_DEBUG_PATH: "/dev/stdout" };
  spawnSync(binary, [file], { cwd: ROOT, stdio: ["ignore", "inherit", "ignore"], env });
  console.log();
}

/** A few inputs of random bytes, always the same, for a corpus that is not there yet. */
function seedCorpus(folder) {
  if (existsSync(folder)) {
    return;
  }
  mkdirSync(folder, { recursive: true });
  let state = 1;
  const byte = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 16) & 0xff;
  };
  for (let n = 0; n < SEED_INPUTS; n += 1) {
    const length = Math.round(INPUT_BYTES_MAX / (1 + (n % 8)));
    writeFileSync(join(folder, `seed-${n}`), Uint8Array.from({ length }, byte));
  }
}
