// Bundles ts/ into dist/: ES modules, CommonJS, and the types of each.
import { fileURLToPath } from "node:url";
import { defineConfig } from "tsdown";

const shared = {
  // The entry points of the package, by the names that package.json exports.
  entry: {
    index: "ts/index.ts",
    "cache-manager": "ts/adapters/cache-manager.ts",
    express: "ts/adapters/express.ts",
    fastify: "ts/adapters/fastify.ts",
    keyv: "ts/adapters/keyv.ts",
    "lru-cache": "ts/adapters/lru-cache.ts",
    opentelemetry: "ts/observe/opentelemetry.ts",
    prometheus: "ts/observe/prometheus.ts",
    redis: "ts/redis/index.ts",
    testing: "ts/testing/index.ts",
  },
  platform: "node",
  target: "node20.19",
  outDir: "dist",
  dts: true,
  sourcemap: true,
  // The files have fixed names and are overwritten: whoever has dist/ loaded never finds it empty.
  clean: false,
  // The package is "type": "module": ES modules are .js/.d.ts, CommonJS is .cjs/.d.cts.
  fixedExtension: false,
  hash: false,
  logLevel: "error",
};

// What all entry points use, in one file: each file more takes an import half a millisecond longer.
const source = fileURLToPath(new URL("ts/", import.meta.url)).replaceAll("\\", "/");
const isShared = (id) => {
  const path = id.replaceAll("\\", "/");
  return path.startsWith(source) && !/^(adapters|redis|observe|testing|cli|index)\b/.test(path.slice(source.length));
};
const core = { name: "core", test: isShared };

export default defineConfig([
  { ...shared, format: "esm", dts: false, outputOptions: { codeSplitting: { groups: [core] } } },
  { ...shared, format: "esm", dts: { emitDtsOnly: true } },
  // The command `nearcache`: on its own, so that what it needs of the library is no part of it to others.
  { ...shared, format: "esm", entry: { cli: "ts/cli/main.ts" }, dts: false },
  // Each CommonJS file stands alone: shared parts could land in one that loads more than its importer wants.
  ...Object.entries(shared.entry).map(([name, file]) => ({
    ...shared,
    format: "cjs",
    entry: { [name]: file },
    dts: false,
    // The addon's loader needs `import.meta.url`, which CommonJS doesn't have.
    define: { "import.meta.url": "__moduleUrl" },
    banner: { js: 'const __moduleUrl = require("node:url").pathToFileURL(__filename).href;' },
  })),
  // Their types do share: a cache of one entry point is one to all others.
  {
    ...shared,
    // Declarations are the same in both systems but for their names, and only of this one can they be had alone.
    format: "esm",
    dts: { emitDtsOnly: true },
    outExtensions: () => ({ js: ".cjs", dts: ".d.cts" }),
  },
]);
