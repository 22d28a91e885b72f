// Builds the addon and finds the library that cargo made.
import { capture, fail } from "./run.mjs";

const PACKAGE = "nearcache-node";

/** Runs cargo, with further arguments and variables, and returns the path of the library that it made. */
export function builtLibrary(cargoArguments, variables = {}) {
  const build = ["build", "--package", PACKAGE, "--lib", ...cargoArguments, "--message-format=json-render-diagnostics"];
  const messages = capture("cargo", build, { env: { ...process.env, ...variables } });
  for (const line of messages.split("\n")) {
    const library = libraryOf(line);
    if (library !== undefined) {
      return library;
    }
  }
  return fail(`cargo built no dynamic library for ${PACKAGE}: is its crate-type "cdylib"?`);
}

function libraryOf(line) {
  if (!line.startsWith("{")) {
    return undefined;
  }
  const message = JSON.parse(line);
  if (message.reason !== "compiler-artifact" || !message.package_id.includes("/crates/node")) {
    return undefined;
  }
  return message.filenames?.find((file) => /\.(so|dylib|dll)$/.test(file));
}
