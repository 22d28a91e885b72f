// `npm run test:shuttle`: the whole engine in schedules that shuttle chooses (crates/engine/tests/schedules).
// Everything is compiled anew with `--cfg shuttle`, which lets another thread go first before every atomic
// operation (crates/engine/src/sync/), hence a target folder of its own. Arguments pick tests by name.
import { run } from "./lib/run.mjs";

const RUSTFLAGS = `${process.env.RUSTFLAGS ?? ""} --cfg shuttle --cfg nearcache_plain_fence`.trim();

run(
  "cargo",
  [
    ...["test", "--package", "nearcache-engine", "--profile", "checked", "--test", "schedules"],
    ...["--target-dir", "target/shuttle", "--", "--nocapture", ...process.argv.slice(2)],
  ],
  { env: { ...process.env, RUSTFLAGS } },
);
