// Bundles ts/ into dist/: ES modules, CommonJS, and the types of each.
import { defineConfig } from "tsdown";

export default defineConfig({
  entry: { index: "ts/index.ts" },
  format: ["esm", "cjs"],
  platform: "node",
  target: "node20.19",
  outDir: "dist",
  dts: true,
  sourcemap: true,
  clean: true,
  // `import.meta.url` (the addon's loader needs it) also works in the CommonJS bundle.
  shims: true,
  // The package is "type": "module": ES modules are .js/.d.ts, CommonJS is .cjs/.d.cts.
  fixedExtension: false,
  hash: false,
  logLevel: "error",
});
