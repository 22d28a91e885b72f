// TypeScript for processes of their own: bundled into one file that Node can run.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "tsdown";
import { afterAll } from "vitest";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const folders: string[] = [];

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/**
 * The path of the bundle, which is there until the test file has ended. Packages stay imports, nearcache too: that is what
 * was built into dist/.
 */
export async function bundle(script: URL): Promise<string> {
  // Within the package, so that it and its dependencies are found; nobody commits what is there.
  mkdirSync(join(ROOT, "target"), { recursive: true });
  const outDir = mkdtempSync(join(ROOT, "target/test-bundle-"));
  folders.push(outDir);
  await build({
    entry: { script: fileURLToPath(script) },
    outDir,
    format: "esm",
    platform: "node",
    target: "node20.19",
    external: [/^nearcache(\/|$)/],
    config: false,
    dts: false,
    clean: false,
    fixedExtension: true,
    hash: false,
    logLevel: "error",
  });
  return join(outDir, "script.mjs");
}
