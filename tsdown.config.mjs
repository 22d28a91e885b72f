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
  // The files have fixed names and are overwritten: whoever has dist/ loaded never finds it empty.
  clean: false,
  // `import.meta.url` (the addon's loader needs it) also works in the CommonJS bundle.
  shims: true,
  // The package is "type": "module": ES modules are .js/.d.ts, CommonJS is .cjs/.d.cts.
  fixedExtension: false,
  hash: false,
  logLevel: "error",
});
