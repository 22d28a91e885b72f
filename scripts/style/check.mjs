// The style check as a function of file contents, so that a test can feed it made-up files.
// scripts/check-style.mjs is the command around it; the rules are style.md's.
import { checkDirection } from "./direction.mjs";
import { checkRust } from "./rust.mjs";
import { checkTypeScript } from "./typescript.mjs";

/** A file should have one main thing: longer than this is worth a look … */
export const FILE_LINES_AIM = 400;
/** … and longer than this fails. */
export const FILE_LINES_MAX = 800;
/** A function that doesn't fit a screen does more than one thing. */
export const FUNCTION_LINES_MAX = 70;

/**
 * Checks `files`, a Map from paths (relative to the root, with /) to their texts.
 * Returns findings `{ path, line, rule, message, level }`, level "error" or "warning", in the files' order.
 */
export function checkStyle(files, runtimeDependencies = [], peerDependencies = []) {
  const found = [];
  for (const [path, text] of files) {
    found.push(...checkFileLength(path, text));
    found.push(...checkSource(path, text));
  }
  for (const finding of checkDirection(files, runtimeDependencies, peerDependencies)) {
    found.push({ ...finding, level: "error" });
  }
  return found;
}

function checkSource(path, text) {
  const check = path.endsWith(".rs") ? checkRust : /\.[cm]?[tj]s$/.test(path) ? checkTypeScript : () => [];
  return check(path, text).flatMap((finding) => {
    if (finding.rule !== "function") {
      return [{ path, level: "error", ...finding }];
    }
    return finding.length > FUNCTION_LINES_MAX ? [tooLongFunction(path, finding)] : [];
  });
}

function tooLongFunction(path, { line, name, length }) {
  const message = `${name} has ${length} lines, ${FUNCTION_LINES_MAX} at most`;
  return { path, line, rule: "function-length", message, level: "error" };
}

function checkFileLength(path, text) {
  if (!/\.(rs|[cm]?[tj]s)$/.test(path)) {
    return [];
  }
  const lines = text.split("\n").length - 1;
  if (lines <= FILE_LINES_AIM) {
    return [];
  }
  const level = lines > FILE_LINES_MAX ? "error" : "warning";
  const message = `${lines} lines; aim for ${FILE_LINES_AIM}, ${FILE_LINES_MAX} at most`;
  return [{ path, line: 1, rule: "file-length", message, level }];
}
