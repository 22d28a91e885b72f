// Runs child.mjs to its end, and counts which of the writes that it reported done are nowhere.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Runs `pattern` ("through" or "behind") to an `ending`: "killed" (by SIGKILL, after `killAfter` writes were reported),
 * "exit", "uncaught" or "idle" (nothing left to do). Tells how many writes were reported, and of these how many the
 * origin has, how many were handed over, how many are lost.
 */
export async function countLosses(pattern, ending, killAfter = 1_000) {
  const folder = mkdtempSync(join(tmpdir(), "nearcache-write-loss-"));
  try {
    const file = join(folder, "origin");
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL("child.mjs", import.meta.url)), pattern, file, ending],
      { stdio: ["ignore", "pipe", ending === "uncaught" ? "ignore" : "inherit"] },
    );
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      output += text;
      if (ending === "killed" && output.split("\n").length > killAfter) {
        child.kill("SIGKILL");
      }
    });
    await once(child, "close");
    const reported = output.split("\n").slice(0, -1);
    const stored = lines(file);
    const failed = lines(`${file}.failed`);
    return {
      reported: reported.length,
      stored: reported.filter((key) => stored.has(key)).length,
      handedOver: reported.filter((key) => failed.has(key)).length,
      lost: reported.filter((key) => !stored.has(key) && !failed.has(key)).length,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function lines(file) {
  try {
    return new Set(readFileSync(file, "utf8").split("\n"));
  } catch (error) {
    if (error.code === "ENOENT") {
      return new Set();
    }
    throw error;
  }
}
