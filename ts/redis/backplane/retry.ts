/** Pauses between attempts, and which errors are worth none. */
import type { Timer } from "../clock.js";
import type { Context } from "./backplane.js";

/** The first pause, as a part of the longest. */
const FIRST_PART = 0.1;

/** Pauses that double, with jitter so that processes which lost one server don't all come back at once. */
export class Backoff {
  readonly #context: Pick<Context, "settings" | "clock" | "random">;
  #attempts = 0;
  #timer: Timer | undefined;

  constructor(context: Pick<Context, "settings" | "clock" | "random">) {
    this.#context = context;
  }

  /** It has worked for a while: the next trouble is a new one. */
  reset(): void {
    this.#attempts = 0;
  }

  /** Resolves after the pause; never after {@link cancel}. */
  pause(): Promise<void> {
    const { settings, random, clock } = this.#context;
    const longest = Math.min(1, FIRST_PART * 2 ** this.#attempts) * settings.reconnectMsMax;
    this.#attempts++;
    return new Promise((resolve) => {
      this.#timer = clock.setTimer(resolve, longest * (0.5 + random() / 2));
    });
  }

  cancel(): void {
    this.#timer?.cancel();
  }
}

/** Whether a server says that it does not have, or does not allow, what was asked. Others (LOADING, OOM …) pass. */
export function isRefusal(error: unknown): error is Error {
  return (
    error instanceof Error &&
    /^(NOPROTO|NOPERM|ERR unknown|ERR syntax|ERR .*(not supported|unsupported|not allowed|disabled))/i.test(
      error.message,
    )
  );
}
