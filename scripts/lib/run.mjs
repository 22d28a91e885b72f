// Runs the tools that the scripts call, so that every one of them fails in the same way:
// the command's own output goes straight to the terminal, and a failure ends this process
// with the command's exit code and one line that says what to do.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const RUST_MISSING = `nearcache needs a Rust toolchain, and \`cargo\` was not found on PATH.
Install Rust from https://rustup.rs (its defaults will do), open a new terminal, and run this again.`;

/** Prints `message` and ends the process. */
export function fail(message, code = 1) {
  console.error(`\n${message}`);
  process.exit(code);
}

/** Runs `command` in the repository's root, with its output on the terminal; ends the process when it fails. */
export function run(command, args, options = {}) {
  const result = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"], ...options });
  if (result.status !== 0) {
    fail(`Failed (${describeEnd(result)}): ${command} ${args.join(" ")}`, result.status ?? 1);
  }
}

/** Runs `command` and returns what it printed; its errors go to the terminal. Ends the process when it fails. */
export function capture(command, args, options = {}) {
  const result = spawn(command, args, {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  });
  if (result.status !== 0) {
    fail(`Failed (${describeEnd(result)}): ${command} ${args.join(" ")}`, result.status ?? 1);
  }
  return result.stdout;
}

/** The path of a tool that npm installed, as an argument list for `node`. */
export function npmTool(packageName, bin) {
  return fileURLToPath(new URL(`../../node_modules/${packageName}/${bin}`, import.meta.url));
}

/** Ends the process with what to do when there is no Rust toolchain. */
export function requireCargo() {
  capture("cargo", ["--version"]);
}

function spawn(command, args, options) {
  const result = spawnSync(command, args, { cwd: ROOT, ...options });
  if (result.error?.code === "ENOENT") {
    fail(command === "cargo" ? RUST_MISSING : `\`${command}\` was not found.`);
  }
  if (result.error) {
    throw result.error;
  }
  return result;
}

function describeEnd(result) {
  return result.signal ? `ended by ${result.signal}` : `exit code ${result.status}`;
}
