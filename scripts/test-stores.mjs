// `npm run test:stores`: counts what reads store (crates/engine/tests/stores.rs). Everything is compiled
// anew with `--cfg nearcache_count_stores`, under which atomics and locks say what they are about to do
// (crates/engine/src/sync/counting.rs), hence a target folder of its own.
import { run } from "./lib/run.mjs";

const RUSTFLAGS = `${process.env.RUSTFLAGS ?? ""} --cfg nearcache_count_stores`.trim();

run(
  "cargo",
  [
    ...["test", "--package", "nearcache-engine", "--profile", "checked", "--test", "stores"],
    ...["--target-dir", "target/stores"],
  ],
  { env: { ...process.env, RUSTFLAGS } },
);
