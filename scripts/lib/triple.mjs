// The name of this machine's kind in the names of native addons: `linux-x64-gnu`, `darwin-arm64`.
// ts/platform.ts has the same names.

/** The platform triple of the running Node. */
export function hostTriple() {
  const base = `${process.platform}-${process.arch}`;
  if (process.platform === "linux") {
    return `${base}-${isMusl() ? "musl" : "gnu"}`;
  }
  return process.platform === "win32" ? `${base}-msvc` : base;
}

function isMusl() {
  // glibc announces its version in the diagnostic report; musl has none.
  return process.report.getReport().header.glibcVersionRuntime === undefined;
}
