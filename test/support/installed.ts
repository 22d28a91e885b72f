// Trees as npm lays them out, in a folder outside of the checkout: copies of what was built, with whatever is wrong there.
import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll } from "vitest";
import { platformName } from "../../ts/platform.js";
import { VERSION } from "../../ts/version.js";
import { addonPath } from "./native.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** The name that this machine's platform package has. */
export const PLATFORM_PACKAGE = `@nearcache/${platformName()}`;
/** A slow machine may take a while; a program that hangs is still told from one that waits. */
const TIMEOUT_MS = 25_000;
const folders: string[] = [];

afterAll(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** One project. */
export class Installed {
  readonly folder: string;

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), "nearcache-installed-"));
    folders.push(this.folder);
    // Others than who made it may look, too.
    chmodSync(this.folder, 0o755);
  }

  /** nearcache below `parent`, as another version if that is said. */
  addPackage(name = "nearcache", version = VERSION): this {
    const folder = join(this.folder, "node_modules", name);
    mkdirSync(folder, { recursive: true });
    copyFileSync(join(ROOT, "package.json"), join(folder, "package.json"));
    cpSync(join(ROOT, "dist"), join(folder, "dist"), { recursive: true, filter: (path) => !path.endsWith(".map") });
    if (version !== VERSION) {
      for (const file of ["core.js", "index.cjs"]) {
        const path = join(folder, "dist", file);
        // The bundler has put the number where the constant was used.
        writeFileSync(path, readFileSync(path, "utf8").replaceAll(VERSION, version));
      }
    }
    return this;
  }

  /** The platform's package below `parent`: the addon that was built, or what `change` makes of its bytes. */
  addAddon(parent = "", change: (addon: Buffer) => Buffer = (addon) => addon): this {
    const folder = this.#addonFolder(parent);
    writeFileSync(join(folder, "nearcache.node"), change(readFileSync(addonPath)));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: PLATFORM_PACKAGE, main: "nearcache.node" }));
    return this;
  }

  /** The same, saying that it is of another version. */
  addAddonOf(version: string, parent = ""): this {
    this.addAddon(parent);
    const folder = this.#addonFolder(parent);
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: PLATFORM_PACKAGE, main: "other.js" }));
    writeFileSync(
      join(folder, "other.js"),
      `module.exports = { ...require("./nearcache.node"), version: ${JSON.stringify(version)} };`,
    );
    return this;
  }

  #addonFolder(parent: string): string {
    const folder = join(this.folder, "node_modules", parent, parent === "" ? "" : "node_modules", PLATFORM_PACKAGE);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /**
   * Runs a program in the project and returns what it prints, which is JSON. `uid`: as that user. It must end by itself.
   */
  async run<T>(
    type: "module" | "commonjs",
    code: string,
    options: { flags?: string[]; uid?: number } = {},
  ): Promise<T> {
    const program = join(this.folder, type === "module" ? "program.mjs" : "program.cjs");
    writeFileSync(program, code);
    const { flags = [], uid } = options;
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, program], {
      cwd: this.folder,
      timeout: TIMEOUT_MS,
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    return JSON.parse(stdout) as T;
  }
}
