// Runs a script in a process of its own, with the Node that runs the test.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Both streams. */
  output: string;
}

/** Waits until the process has ended and its output is read. */
export async function runScript(script: URL, scriptArguments: readonly string[]): Promise<Ending> {
  const child = spawn(process.execPath, [fileURLToPath(script), ...scriptArguments], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal, output };
}
