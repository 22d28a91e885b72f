// Waiting for what another process does: no test sleeps for a while and hopes.

/** How long a condition may take on a machine that is busy with other things. */
const PATIENCE_MS = 20_000;
const POLL_MS = 5;

/** Resolves as soon as `condition` holds; rejects with `what` in the message if it never does. Errors count as "not yet". */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  let lastError: unknown;
  for (;;) {
    try {
      if (await condition()) return;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${patienceMs} ms in vain: ${what}`, { cause: lastError });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
