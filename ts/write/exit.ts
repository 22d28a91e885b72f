/**
 * What is done for writes that wait when the process wants to end. When nothing else is left to do, they are delivered.
 * When it ends at once (`process.exit`, an uncaught exception), they are handed over, synchronously. A signal that kills
 * the process, and `worker.terminate()`, leave time for neither.
 *
 * Only those that have something to deliver are listed, so that listeners stand only as long as they are needed.
 */

/** Something with writes that wait. */
export interface Pending {
  /** Delivers what waits, and keeps the process alive for it. Never rejects. */
  drain(): Promise<void>;
  /** Hands over what waits, at once. */
  abandon(): void;
}

const pending = new Set<Pending>();

/** Lists one that has begun to have writes that wait. */
export function expectExit(one: Pending): void {
  if (pending.size === 0) {
    process.on("beforeExit", drainAll);
    process.on("exit", abandonAll);
  }
  pending.add(one);
}

/** Takes one off the list that has delivered everything. */
export function forgetExit(one: Pending): void {
  if (pending.delete(one) && pending.size === 0) {
    process.off("beforeExit", drainAll);
    process.off("exit", abandonAll);
  }
}

function drainAll(): void {
  for (const one of pending) {
    void one.drain();
  }
}

function abandonAll(): void {
  for (const one of pending) {
    one.abandon();
  }
}
