// Runs one scenario in a fresh process: with code that nobody else has warmed up or polluted, and with an empty heap.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** Starts `script` (a URL) with `argument` as JSON and resolves to what it sends; `label` names it in errors. */
export function runApart(script, argument, label, execArgv = []) {
  const child = fork(fileURLToPath(script), [JSON.stringify(argument)], { execArgv });
  return new Promise((resolve, reject) => {
    let result;
    child.on("message", (message) => {
      result = message;
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      if (code === 0 && result !== undefined) {
        resolve(result);
      } else {
        reject(new Error(`${label}: ended with ${signal ?? `exit code ${code}`}`));
      }
    });
  });
}
