// A process ends while its workers are busy with a cache: it ends with its own exit code, at once, and never by a signal.
import { expect, test } from "vitest";
import { runScript } from "../support/scripts.js";

const script = new URL("./exit-while-busy-main.mjs", import.meta.url);

const ways = [
  { way: "process.exit", exitCode: 7 },
  { way: "an uncaught error", exitCode: 1 },
  { way: "the end of the main thread", exitCode: 0 },
  { way: "process.exit in a worker", exitCode: 0 },
] as const;

test.each(ways)(
  "a process ends by $way while three workers are busy",
  { timeout: 120_000 },
  async ({ way, exitCode }) => {
    for (let run = 0; run < 4; run++) {
      const { code, signal, output } = await runScript(script, [way]);
      expect({ code, signal }, output).toEqual({ code: exitCode, signal: null });
    }
  },
);
