// The addon is loaded and unloaded again and again: in a process whose main thread never loads it, workers start, use a
// cache and end, with nobody else there and while others read. Nobody crashes, waits or reads a wrong value, and what a
// worker opened is gone with it: the store behind a name, its memory, the engine's helper thread.
import { expect, test } from "vitest";
import { runScript } from "../support/scripts.js";

interface Report {
  lives: number;
  reads: number;
  errors: string[];
  attachedToOld: boolean;
  /** Mapped while workers lived, and after. Linux says so; elsewhere both are 0. */
  regionsMost: number;
  regionsLeft: number;
  threadsMore: number;
}

const script = new URL("./load-unload-main.mjs", import.meta.url);

test("workers that load the addon, use it and end, alone", { timeout: 120_000 }, async () => {
  const { code, signal, output } = await runScript(script, ["alone"]);
  expect({ code, signal }, output).toEqual({ code: 0, signal: null });
  const report = JSON.parse(output) as Report;
  expect(report).toMatchObject({ errors: [], attachedToOld: false, regionsLeft: 0, threadsMore: 0 });
  expect(report.lives).toBe(40);
  expect(report.regionsMost > 0).toBe(process.platform === "linux");
});

test("workers that load the addon, use it and end while others read", { timeout: 120_000 }, async () => {
  const { code, signal, output } = await runScript(script, ["beside-readers"]);
  expect({ code, signal }, output).toEqual({ code: 0, signal: null });
  const report = JSON.parse(output) as Report;
  expect(report).toMatchObject({ errors: [], attachedToOld: false, regionsLeft: 0, threadsMore: 0 });
  expect(report.lives).toBe(40);
  expect(report.regionsMost > 0).toBe(process.platform === "linux");
  expect(report.reads).toBeGreaterThan(1_000);
});
