// Holds every source file of the repository against style.md: import direction, file and function
// length, SAFETY comments, nothing unfinished. The rules are in scripts/style/; see check.mjs.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { capture, ROOT } from "./lib/run.mjs";
import { checkStyle } from "./style/check.mjs";

const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const files = sourceFiles();
const findings = checkStyle(
  files,
  Object.keys(manifest.dependencies ?? {}),
  Object.keys(manifest.peerDependencies ?? {}),
);

for (const { path, line, rule, message, level } of findings) {
  console.log(`${path}:${line}: ${level}: ${message} [${rule}]`);
}
const errors = findings.filter(({ level }) => level === "error").length;
console.log(`style: ${files.size} files, ${errors} errors, ${findings.length - errors} warnings`);
process.exitCode = errors === 0 ? 0 : 1;

/** Everything that git would commit and that we have rules for. */
function sourceFiles() {
  const listed = capture("git", ["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
  const paths = [...new Set(listed.split("\0"))].filter((path) =>
    /\.(rs|[cm]?[tj]s)$|^crates\/\w+\/Cargo\.toml$/.test(path),
  );
  return new Map(paths.sort().flatMap(readIfThere));
}

function readIfThere(path) {
  try {
    return [[path, readFileSync(join(ROOT, path), "utf8")]];
  } catch (error) {
    if (error.code === "ENOENT") {
      return []; // deleted, but not yet committed
    }
    throw error;
  }
}
