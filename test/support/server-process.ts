// A server as a child process that ends with the test, however the test ends: each has a watcher, a shell that waits for
// the end of a pipe which only this process holds open, and then kills the server by its pid.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

const WATCH = 'while read -r line; do :; done; kill -9 "$1" 2>/dev/null; rm -rf "$2"';
const OUTPUT_MAX = 20_000;

export class ServerProcess {
  readonly #child: ChildProcess;
  readonly #watcher: ChildProcess;
  readonly #ended: Promise<unknown>;
  #output = "";

  /** Starts `command`. `folder` is removed when the test process dies without having called {@link end}. */
  constructor(command: string, commandArguments: readonly string[], folder: string) {
    this.#child = spawn(command, commandArguments, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    this.#ended = once(this.#child, "close").catch(() => undefined);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_MAX);
      });
    }
    this.#watcher = spawn("sh", ["-c", WATCH, "sh", String(this.pid), folder], { stdio: ["pipe", "ignore", "ignore"] });
    this.#watcher.unref();
    // Writing to it is never tried; an error here means that it is gone already.
    this.#watcher.stdin?.on("error", () => undefined);
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error("the process was not started");
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** The end of what it printed, on both streams. */
  get output(): string {
    return this.#output;
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child.kill(signal);
  }

  /** Sends the signal and waits until the process is gone. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (this.isRunning) {
      // A frozen process would keep the signal for later.
      this.#child.kill("SIGCONT");
      this.#child.kill(signal);
    }
    await this.#ended;
    this.#watcher.kill("SIGKILL");
  }
}
