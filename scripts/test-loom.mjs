// `npm run test:loom`: the model checks of the engine's lock-free protocols. Everything is compiled
// anew with `--cfg loom`, which swaps std's atomics and threads for loom's (crates/engine/src/sync.rs),
// hence a target folder of its own: the everyday build stays as it is.
import { run } from "./lib/run.mjs";

const RUSTFLAGS = `${process.env.RUSTFLAGS ?? ""} --cfg loom`.trim();

run("cargo", ["test", "--package", "nearcache-engine", "--release", "--lib", "--target-dir", "target/loom", "loom_"], {
  env: {
    ...process.env,
    RUSTFLAGS,
    // Bounds the search: every interleaving with at most so many preemptions. Three find nearly all bugs.
    LOOM_MAX_PREEMPTIONS: process.env.LOOM_MAX_PREEMPTIONS ?? "3",
    // Fat LTO is for the addon; here it only costs time.
    CARGO_PROFILE_RELEASE_LTO: "off",
    CARGO_PROFILE_RELEASE_CODEGEN_UNITS: "16",
  },
});
