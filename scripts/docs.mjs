// `npm run docs`: builds the documentation's site into docs/site/dist/, and fails on whatever would mislead a reader: a
// public name without a comment, a link or an anchor that leads nowhere, a page that nothing leads to.
import { statSync } from "node:fs";
import { join } from "node:path";
import { gatherPages } from "../docs/site/pages.mjs";
import { fail, ROOT, run } from "./lib/run.mjs";

const SITE = join(ROOT, "docs/site");
const QUIET = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
const LINK_CHECK = ["--recurse", "--check-fragments", "--skip", "^https?://(?!localhost)", "--verbosity", "error"];

if (!isInstalled()) {
  run(npm(), ["ci", "--prefix", SITE, ...QUIET]);
}
try {
  gatherPages();
} catch (error) {
  fail(`docs: ${error.message}`);
}
tool("typedoc/bin/typedoc", ["--options", join(SITE, "typedoc.config.mjs"), "--logLevel", "Warn"]);
tool("vitepress/bin/vitepress.js", ["build", SITE, "--logLevel", "warn"]);
tool("linkinator/build/src/cli.js", [".", ...LINK_CHECK], { cwd: join(SITE, "dist") });
console.log("\ndocs: docs/site/dist/index.html; `npx --prefix docs/site vitepress preview docs/site` serves it");

/** Runs a tool of the site's own package. */
function tool(path, args, options = {}) {
  run(process.execPath, [join(SITE, "node_modules", path), ...args], options);
}

/** Whether the site's package has been installed since its lock file last changed. */
function isInstalled() {
  const [wanted, there] = ["package-lock.json", "node_modules/.package-lock.json"].map((file) =>
    statSync(join(SITE, file), { throwIfNoEntry: false }),
  );
  return there !== undefined && there.mtimeMs >= wanted.mtimeMs;
}

function npm() {
  return process.platform === "win32" ? "npm.cmd" : "npm";
}
