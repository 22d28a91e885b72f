// `npm run chaos`: the proof of coherence (test/redis/coherence.test.ts) for a minute of faults in each mode instead of a
// few seconds, also of the smallest cache that keeps the rules, with its figures. `-- --seconds 300 --seed 7` for longer, or other faults.
import { parseArgs } from "node:util";
import { npmTool, run } from "./lib/run.mjs";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "60" }, seed: { type: "string", default: String(Date.now() % 1e6) } },
});

run(process.execPath, [npmTool("vitest", "vitest.mjs"), "run", "test/redis/coherence.test.ts"], {
  env: { ...process.env, NEARCACHE_CHAOS_SECONDS: values.seconds, NEARCACHE_CHAOS_SEED: values.seed },
});
