// Whether the types of the installed package resolve as users' compilers look for them.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { npmTool } from "../../../scripts/lib/run.mjs";

/** How compilers look: for Node, from a module of either kind, and for bundlers. */
const KINDS = [
  { module: "nodenext", moduleResolution: "nodenext", extension: ".mts" },
  { module: "nodenext", moduleResolution: "nodenext", extension: ".cts" },
  { module: "esnext", moduleResolution: "bundler", extension: ".ts" },
];

/** Compiles `name`.ts of a project in each of these ways; returns their names. `skipLibCheck`: others' types are theirs. */
export function checkTypes(project, name, skipLibCheck) {
  const text = readFileSync(join(project.folder, `${name}.ts`), "utf8");
  return KINDS.map(({ module, moduleResolution, extension }) => {
    const kind = `${moduleResolution}${extension}`;
    writeFileSync(join(project.folder, `${name}${extension}`), text);
    const compilerOptions = {
      ...{ module, moduleResolution, skipLibCheck },
      ...{ target: "es2022", lib: ["es2023", "esnext.disposable"], strict: true, exactOptionalPropertyTypes: true },
      ...{ noEmit: true, types: ["node"], typeRoots: [npmTool("@types", "")] },
    };
    const config = join(project.folder, `tsconfig.${name}.${kind}.json`);
    writeFileSync(config, JSON.stringify({ compilerOptions, files: [`${name}${extension}`] }));
    project.run(npmTool("typescript", "bin/tsc"), "--project", config);
    return kind;
  });
}
