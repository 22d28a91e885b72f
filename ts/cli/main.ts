#!/usr/bin/env node
/**
 * The command `nearcache`: finds the program that does the work, hands the arguments on, and ends as it ends.
 * `nearcache replay` and `nearcache size` are `nearcache-replay` (crates/replay).
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { platformName } from "../platform.js";

const USAGE = `nearcache replay FILE... (--entries N,... | --memory BYTES,... | --fraction F,...) [options]
    hit ratios of the cache, and of reference policies, on a trace of requests
nearcache size FILE [--target RATIO] [options]
    what size a cache needs for a trace: miss-ratio curve, working set, costs

--help behind a command says more.`;

/** Exit codes: what the user asked for is wrong; the program is not there. */
const USAGE_EXIT = 2;
const NOT_FOUND_EXIT = 127;

process.exitCode = main(process.argv.slice(2));

function main([command, ...rest]: string[]): number {
  switch (command) {
    case "replay":
      return run(rest);
    case "size":
      return run(["size", ...rest]);
    case "--help":
    case "-h":
      console.log(USAGE);
      return 0;
    default:
      console.error(
        command === undefined ? USAGE : `nearcache: there is no command ${JSON.stringify(command)}\n${USAGE}`,
      );
      return USAGE_EXIT;
  }
}

function run(args: string[]): number {
  const program = findProgram();
  if (program === undefined) {
    console.error(
      'nearcache: the program nearcache-replay is not here; in a checkout, run "npm run build:replay", elsewhere set NEARCACHE_REPLAY to its path',
    );
    return NOT_FOUND_EXIT;
  }
  const { status, error } = spawnSync(program, args, { stdio: "inherit" });
  if (error) {
    console.error(`nearcache: ${program} can't be run: ${error.message}`);
    return NOT_FOUND_EXIT;
  }
  // No status: a signal ended it.
  return status ?? 1;
}

/** What the user names, what a checkout has built, or what the package of this platform brings. */
function findProgram(): string | undefined {
  const named = process.env.NEARCACHE_REPLAY;
  if (named !== undefined) {
    return named;
  }
  const name = process.platform === "win32" ? "nearcache-replay.exe" : "nearcache-replay";
  const built = fileURLToPath(new URL(`../target/release/${name}`, import.meta.url));
  return existsSync(built) ? built : findInPackage(name);
}

function findInPackage(name: string): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(`@nearcache/${platformName()}/${name}`);
  } catch {
    // Not of this platform, or without the program.
    return undefined;
  }
}
