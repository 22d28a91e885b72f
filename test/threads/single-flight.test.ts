// Single flight among threads: however many ask, one loader runs; who waits gets its result, or takes over.
import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, test } from "vitest";
import { uniqueName } from "../support/caches.js";

interface Said {
  ready: true;
  asked: true;
  deleted: true;
  loading: number;
  got: unknown[];
}
type Message = Partial<Said>;

/** A worker thread and what it has said so far. */
class Asker {
  readonly #worker: Worker;
  readonly #messages: Message[] = [];
  #wake: () => void = () => {};

  constructor(name: string, counter: Int32Array) {
    const url = new URL("./single-flight-worker.mjs", import.meta.url);
    this.#worker = new Worker(url, { workerData: { name, counter } });
    this.#worker.on("message", (message: Message) => {
      this.#messages.push(message);
      this.#wake();
    });
  }

  tell(command: string, rest: object = {}): void {
    this.#worker.postMessage({ command, ...rest });
  }

  /** The next message that has `what`, which may have come already. */
  async next<K extends keyof Said>(what: K): Promise<Said[K]> {
    for (;;) {
      const at = this.#messages.findIndex((message) => what in message);
      const [message] = at === -1 ? [] : this.#messages.splice(at, 1);
      if (message !== undefined) return message[what] as Said[K];
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  has(what: keyof Said): boolean {
    return this.#messages.some((message) => what in message);
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

const askers: Asker[] = [];

async function start(count: number): Promise<{ all: Asker[]; calls: () => number }> {
  const counter = new Int32Array(new SharedArrayBuffer(4));
  const name = uniqueName();
  const all = Array.from({ length: count }, () => new Asker(name, counter));
  askers.push(...all);
  await Promise.all(all.map((asker) => asker.next("ready")));
  return { all, calls: () => Atomics.load(counter, 0) };
}

/** Which of them has been called as the loader. */
async function loaderOf(all: readonly Asker[]): Promise<Asker> {
  const called = async (asker: Asker): Promise<Asker> => {
    await asker.next("loading");
    return asker;
  };
  return Promise.race(all.map(called));
}

afterEach(async () => {
  await Promise.all(askers.splice(0).map((asker) => asker.end()));
});

describe("among four threads", () => {
  test("1,000 concurrent misses of one key run one loader", async () => {
    const { all, calls } = await start(4);
    for (const asker of all) asker.tell("ask", { key: "key", times: 250 });
    await Promise.all(all.map((asker) => asker.next("asked")));
    const loader = all.find((asker) => asker.has("loading"));
    loader?.tell("resolve", { value: { n: 7 } });
    for (const asker of all) {
      expect(await asker.next("got")).toEqual(Array.from({ length: 250 }, () => ({ n: 7 })));
    }
    expect(calls()).toBe(1);
  });

  test("an error reaches everybody, and so does a value that is not stored", async () => {
    const { all, calls } = await start(3);
    const [first, ...others] = all as [Asker, ...Asker[]];
    first.tell("ask", { key: "key", times: 1 });
    await first.next("loading");
    for (const asker of others) asker.tell("ask", { key: "key", times: 2 });
    await Promise.all(others.map((asker) => asker.next("asked")));
    first.tell("reject", { message: "origin is down" });
    expect(await first.next("got")).toEqual(["origin is down"]);
    for (const asker of others) expect(await asker.next("got")).toEqual(["origin is down", "origin is down"]);
    expect(calls()).toBe(1);

    first.tell("ask", { key: "other", times: 1, options: { ttl: 0 } });
    await first.next("loading");
    for (const asker of others) asker.tell("ask", { key: "other", times: 1, options: { ttl: 0 } });
    await Promise.all(others.map((asker) => asker.next("asked")));
    first.tell("resolve", { value: ["passed on", 1n] });
    for (const asker of all) expect(await asker.next("got")).toContainEqual(["passed on", 1n]);
    expect(calls()).toBe(2);
  });

  test("when the loading thread dies, another takes over", async () => {
    const { all, calls } = await start(3);
    const [first, ...others] = all as [Asker, ...Asker[]];
    first.tell("ask", { key: "key", times: 1 });
    await first.next("loading");
    for (const asker of others) asker.tell("ask", { key: "key", times: 1 });
    await Promise.all(others.map((asker) => asker.next("asked")));
    await first.end();
    const second = await loaderOf(others);
    second.tell("resolve", { value: "second" });
    for (const asker of others) expect(await asker.next("got")).toEqual(["second"]);
    expect(calls()).toBe(2);
  });

  test("what another thread deletes while it is loaded is not stored", async () => {
    const { all, calls } = await start(2);
    const [first, second] = all as [Asker, Asker];
    first.tell("ask", { key: "key", times: 1 });
    await first.next("loading");
    second.tell("delete", { key: "key" });
    await second.next("deleted");
    second.tell("ask", { key: "key", times: 1 });
    await second.next("loading");
    first.tell("resolve", { value: "old" });
    second.tell("resolve", { value: "new" });
    expect(await first.next("got")).toEqual(["old"]);
    expect(await second.next("got")).toEqual(["new"]);
    first.tell("ask", { key: "key", times: 1 });
    expect(await first.next("got")).toEqual(["new"]);
    expect(calls()).toBe(2);
  });
});
