// Builds ts/ into dist/ as tsdown.config.mjs says. By way of tsdown's interface and not of its command, which
// would tell everybody with Node 20 to get a newer one.
import { build } from "tsdown";
import configs from "../tsdown.config.mjs";
import { ROOT } from "./lib/run.mjs";

for (const config of configs) {
  await build({ ...config, cwd: ROOT, config: false });
}
