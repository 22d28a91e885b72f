// Bundles ts/, by way of tsdown's interface and not of its command, which would tell everybody with Node 20 to get a
// newer one.
import { build } from "tsdown";
import configs from "../../tsdown.config.mjs";
import { ROOT } from "./run.mjs";

/** Builds all entry points, into dist/ unless `settings` (tsdown's options) say otherwise. */
export async function buildTypeScript(settings = {}) {
  for (const config of configs) {
    await build({ ...config, ...settings, cwd: ROOT, config: false });
  }
}
