// Where a result comes from: without this a figure says nothing.
import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, totalmem } from "node:os";

/** The machine, its load and the versions of what is measured. */
export function describeRun() {
  const processors = cpus();
  return {
    date: new Date().toISOString(),
    commit: git("rev-parse", "--short", "HEAD"),
    isModified: git("status", "--porcelain", "--", "ts", "crates") !== "",
    node: process.version,
    v8: process.versions.v8,
    processor: processors[0]?.model ?? "unknown",
    processors: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${process.arch} ${release()}`,
    loadAverage: Number(loadavg()[0].toFixed(2)),
  };
}

function git(...args) {
  try {
    return execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown"; // an unpacked archive
  }
}
