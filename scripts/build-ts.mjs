// Builds ts/ into dist/ as tsdown.config.mjs says.
//
//   node scripts/build-ts.mjs
import { buildTypeScript } from "./lib/typescript.mjs";

await buildTypeScript();
