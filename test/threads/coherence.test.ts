// L0 is never stale: what one thread has overwritten, deleted, cleared, touched or let expire, a thread that has the key
// in its L0 sees at its next read. 100,000 times, in step by way of Atomics.wait and notify.
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { Cache } from "nearcache";
import { createCache } from "nearcache";
import { afterEach, describe, expect, test } from "vitest";
import { uniqueName } from "../support/caches.js";

const TURN = 0;
const COMMAND = 1;
const KEY = 2;
const NUMBER = 3;
const Command = { stop: 0, takeIntoL0: 1, readOnce: 2, readBoth: 3 } as const;
const KEYS = ["key", "__proto__", "\ud800", "日本語", "k".repeat(500), "\udfff\ud800", "", "0"];

/** The other thread, which reads when it is told to. */
class Reader {
  readonly #control = new Int32Array(new SharedArrayBuffer(16));
  readonly #worker: Worker;

  constructor(name: string) {
    const workerData = { name, control: this.#control, keys: KEYS };
    this.#worker = new Worker(new URL("./coherence-worker.mjs", import.meta.url), { workerData });
  }

  async ready(): Promise<void> {
    await once(this.#worker, "message");
  }

  ask(command: number, key: number): number {
    const control = this.#control;
    control[COMMAND] = command;
    control[KEY] = key;
    Atomics.store(control, TURN, 1);
    Atomics.notify(control, TURN);
    // In a loop: the notification of the round before may come late and wake this wait.
    while (Atomics.load(control, TURN) === 1) {
      if (Atomics.wait(control, TURN, 1, 20_000) === "timed-out") throw new Error("the reader does not answer");
    }
    return control[NUMBER] as number;
  }

  /** Ends the thread; how many hits its L0 had. */
  async stop(): Promise<number> {
    const message = once(this.#worker, "message");
    const exit = once(this.#worker, "exit");
    this.#control[COMMAND] = Command.stop;
    Atomics.store(this.#control, TURN, 1);
    Atomics.notify(this.#control, TURN);
    const [hits] = await message;
    await exit;
    return hits as number;
  }
}

interface Entry {
  number: number;
}
let writer: Cache<Entry>;
afterEach(() => writer.close());

async function start(): Promise<Reader> {
  const name = uniqueName();
  writer = createCache<Entry>({ name, maxMemory: "16mb", ttl: "10m" });
  const reader = new Reader(name);
  await reader.ready();
  return reader;
}

/** What the writer does, and what the reader must find then: the new number, or -1 for nothing. */
const CHANGES: ((key: string, number: number) => number)[] = [
  (key, number) => {
    writer.set(key, { number });
    return number;
  },
  (key) => {
    writer.delete(key);
    return -1;
  },
  (key, number) => {
    writer.setMany([
      [key, { number: -5 }],
      [key, { number }],
    ]);
    return number;
  },
  () => {
    writer.clear();
    return -1;
  },
  (key, number) => {
    writer.delete(key);
    writer.set(key, { number });
    return number;
  },
  (key) => {
    writer.deletePrefix(key);
    return -1;
  },
  (key) => {
    writer.set(key, { number: 1 }, { ttl: 0 });
    return -1;
  },
];

describe("what another thread has in L0", () => {
  test("is never stale after a change: 100,000 rounds", { timeout: 180_000 }, async () => {
    const reader = await start();
    let stale = 0;
    let outside = 0;
    for (let round = 0; round < 100_000; round++) {
      const index = round % KEYS.length;
      const key = KEYS[index] as string;
      writer.set(key, { number: 2 * round });
      outside += 1 - reader.ask(Command.takeIntoL0, index);
      const expected = CHANGES[round % CHANGES.length]?.(key, 2 * round + 1);
      stale += reader.ask(Command.readOnce, index) === expected ? 0 : 1;
    }
    expect({ stale, outside }).toEqual({ stale: 0, outside: 0 });
    expect(await reader.stop()).toBeGreaterThanOrEqual(100_000);
  });

  test("is gone when it has expired in the store, 300 times, also when another thread shortened its life", async () => {
    const reader = await start();
    let stale = 0;
    for (let round = 0; round < 300; round++) {
      const index = round % KEYS.length;
      const key = KEYS[index] as string;
      const isTouched = round % 3 === 0;
      writer.set(key, { number: round }, { ttl: isTouched ? "1m" : 12 });
      reader.ask(Command.takeIntoL0, index);
      if (isTouched) writer.touch(key, { ttl: 12 });
      const until = performance.now() + 1_000;
      let seen = 0;
      while (seen !== 2 && performance.now() < until) {
        seen = reader.ask(Command.readBoth, index);
        stale += seen === 1 ? 1 : 0;
      }
      expect(seen, `round ${round}: the entry did not expire`).toBe(2);
    }
    expect(stale).toBe(0);
    await reader.stop();
  });

  test("is not stale after the store evicted the entry and took it in again", async () => {
    const reader = await start();
    for (let round = 0; round < 20; round++) {
      const filler = { number: round, text: "x".repeat(4_000) };
      writer.set("key", { number: round });
      expect(reader.ask(Command.takeIntoL0, 0)).toBe(1);
      for (let i = 0; i < 8_000; i++) writer.set(`filler ${round} ${i}`, filler);
      writer.set("key", { number: 1_000 + round });
      expect(reader.ask(Command.readOnce, 0)).toBe(1_000 + round);
    }
    await reader.stop();
  });

  test("is dropped when more changes than the log holds lie between two reads", async () => {
    const reader = await start();
    for (let round = 0; round < 5; round++) {
      for (let index = 0; index < KEYS.length; index++) {
        writer.set(KEYS[index] as string, { number: round });
        expect(reader.ask(Command.takeIntoL0, index)).toBe(1);
      }
      // Each is hot when it is overwritten, so each change is logged.
      for (let i = 0; i < 20_000; i++) {
        const key = `busy ${i % 50}`;
        writer.set(key, { number: i });
        for (let read = 0; read < 8; read++) writer.get(key);
      }
      for (const [index, key] of KEYS.entries()) {
        writer.set(key, { number: 100 + round });
        expect(reader.ask(Command.readOnce, index)).toBe(100 + round);
      }
    }
    await reader.stop();
  });
});
