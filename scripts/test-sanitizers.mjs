// `npm run test:asan`, `npm run test:tsan`: the engine's stress tests under AddressSanitizer or
// ThreadSanitizer.
//
//   node scripts/test-sanitizers.mjs address|thread [--brief] [--self-test] [arguments for the tests]
//
//   --brief       the scenarios that find most, in about a minute: for the CI
//   --self-test   with readers that are not waited for before memory is used again: must be reported
//
// Without --brief it also runs the behaviour and the model tests. The flags for a sanitizer are not
// stable, hence RUSTC_BOOTSTRAP; everything else is the everyday toolchain.
//
// AddressSanitizer is told which slots of the region are free (`--cfg nearcache_asan`), so a read of
// one is reported where it happens.
//
// ThreadSanitizer sees no order in what was compiled without it, and std was (rustc wants to be told
// that the two may be mixed; what the flag changes for calls is nothing). So the engine's locks
// are ours for this (`--cfg nearcache_spin_locks`), and the barrier is the plain one. It knows nothing
// of fences either; none of ours is the only thing that orders two accesses to ordinary memory: the
// fences decide which records a reader *doesn't* touch. What remains of std is in
// scripts/tsan-suppressions.txt, with reasons.
//
// Each has been seen to work: with --self-test both report what the engine then does wrong.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { capture, fail, ROOT, run } from "./lib/run.mjs";

const SANITIZERS = {
  address: {
    flags: ["--cfg", "nearcache_asan"],
    env: { ASAN_OPTIONS: "detect_leaks=1" },
    report: /ERROR: AddressSanitizer/,
  },
  thread: {
    flags: ["--cfg", "nearcache_spin_locks"],
    env: { TSAN_OPTIONS: `suppressions=${join(ROOT, "scripts/tsan-suppressions.txt")} halt_on_error=1` },
    report: /WARNING: ThreadSanitizer: data race/,
  },
};
/** The tests that evict, move and expire with several threads. */
const BRIEF = ["the_smallest_cache_with_long_values", "shifting_sizes", "everything_at_once", "contended_"];

const [name, ...rest] = process.argv.slice(2);
const sanitizer = SANITIZERS[name];
if (!sanitizer) {
  fail("Which sanitizer? node scripts/test-sanitizers.mjs address, or thread");
}
const brief = take("--brief");
const selfTest = take("--self-test");

const host = /^host: (\S+)$/m.exec(capture("rustc", ["-vV"]))[1];
const flags = [
  `-Zsanitizer=${name}`,
  "-Cunsafe-allow-abi-mismatch=sanitizer",
  "--cfg",
  "nearcache_plain_fence",
  ...sanitizer.flags,
];
if (selfTest) {
  flags.push("--cfg", "nearcache_free_at_once");
}
const env = {
  ...process.env,
  ...sanitizer.env,
  RUSTC_BOOTSTRAP: "1",
  // With --target the flags go to the tests, and not to build scripts.
  RUSTFLAGS: flags.join(" "),
  // A sanitizer makes everything about ten times as slow.
  NEARCACHE_STRESS_SCALE: process.env.NEARCACHE_STRESS_SCALE ?? (brief || selfTest ? "0.03" : "0.2"),
  PROPTEST_CASES: process.env.PROPTEST_CASES ?? "12",
};
const suites = brief || selfTest ? ["stress"] : ["stress", "behaviour", "model"];
const cargo = [
  "test",
  "--package=nearcache-engine",
  "--profile=checked",
  `--target=${host}`,
  `--target-dir=target/sanitizer/${name}${selfTest ? "-self-test" : ""}`,
  ...suites.map((suite) => `--test=${suite}`),
  "--",
  // One after the other: each has several threads of its own, and the test harness' are std's.
  "--test-threads=1",
  ...(brief || selfTest ? BRIEF : []),
  ...rest,
];

if (selfTest) {
  const { stdout, stderr } = spawnSync("cargo", cargo, { cwd: ROOT, env, encoding: "utf8", maxBuffer: 2 ** 28 });
  const report = sanitizer.report.exec(stdout + stderr);
  if (!report) {
    fail(`the ${name} sanitizer reports nothing although readers are not waited for:\n${stdout}\n${stderr}`);
  }
  console.log(`as it should be: ${report[0]}`);
} else {
  run("cargo", cargo, { env });
}

function take(option) {
  const at = rest.indexOf(option);
  return at !== -1 && rest.splice(at, 1).length === 1;
}
