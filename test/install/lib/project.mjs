// A project as a user has it: an empty folder into which npm installs, for one Node. It lies outside of the checkout, so
// that nothing is found there by looking upwards.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { ROOT } from "../../../scripts/lib/run.mjs";

const PROGRAMS = join(ROOT, "test/install/project");
/** A disk counts blocks, in this unit. */
const BLOCK_BYTES = 512;
/** What npm runs of a package that it installs. */
const INSTALL_SCRIPTS = ["preinstall", "install", "postinstall", "prepare"];

/** What a command printed; throws, with that, if it didn't end well. */
export function execute(command, args, options = {}) {
  const shell = process.platform === "win32" && command === "npm";
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8", shell, ...options });
  if (status !== 0) {
    throw new Error(`${command} ${args.join(" ")} ended with ${status ?? signal ?? error}\n${stdout}\n${stderr}`);
  }
  return stdout;
}

/** One project. `environment` is npm's, see registry.mjs. */
export class Project {
  constructor(folder, node, environment) {
    this.folder = folder;
    this.node = node;
    this.environment = { ...environment, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` };
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
    cpSync(PROGRAMS, folder, { recursive: true });
  }

  /** `npm install`; returns how long it took, in seconds. */
  install(...args) {
    const start = performance.now();
    execute("npm", ["install", "--silent", ...args], { cwd: this.folder, env: this.environment });
    return (performance.now() - start) / 1000;
  }

  /** What Node prints, whose environment knows nothing of npm. */
  run(...args) {
    const clean = Object.entries(this.environment).filter(([name]) => !/^npm_/i.test(name));
    return execute(this.node, args, { cwd: this.folder, env: Object.fromEntries(clean) });
  }

  /** The packages that are there: `{ name, version, bytes, scripts }`, bytes as the disk counts them. */
  packages() {
    const installed = JSON.parse(readFileSync(join(this.folder, "node_modules/.package-lock.json"), "utf8")).packages;
    return Object.keys(installed)
      .filter((path) => existsSync(join(this.folder, path)))
      .map((path) => {
        const {
          name,
          version,
          scripts = {},
        } = JSON.parse(readFileSync(join(this.folder, path, "package.json"), "utf8"));
        const hasScript = (script) => Object.hasOwn(scripts, script) && script !== "prepare";
        const compiles = existsSync(join(this.folder, path, "binding.gyp"));
        const bytes = bytesOnDisk(join(this.folder, path));
        return { name, version, bytes, scripts: [...INSTALL_SCRIPTS.filter(hasScript), ...(compiles ? ["gyp"] : [])] };
      });
  }
}

/** As `du` counts, without what lies in a `node_modules` below. */
function bytesOnDisk(path) {
  const { blocks } = lstatSync(path);
  const own = blocks === undefined ? 0 : blocks * BLOCK_BYTES;
  if (!lstatSync(path).isDirectory()) return own;
  const inside = readdirSync(path).filter((name) => name !== "node_modules");
  return inside.reduce((sum, name) => sum + bytesOnDisk(join(path, name)), own);
}
