// The addon by itself, without ts/ around it: what crosses the border comes back as it was, different strings stay
// different, and neither misuse nor the end of a worker thread harms the process or the other threads.
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { describe, expect, test, vi } from "vitest";
import type { NativeCache, NativeOptions } from "../ts/native.js";
import { Header, SCRATCH_DATA } from "../ts/native.js";
import { addon, addonPath, openNative } from "./support/native.js";

const MIB = 1024 * 1024;
const NEVER = 0xffff_ffff;

interface Opened {
  cache: NativeCache;
  scratch: ArrayBuffer;
  header: Uint32Array;
}

function open(options: Partial<NativeOptions> = {}): Opened {
  const scratch = new ArrayBuffer(64 * 1024);
  const cache = openNative({ scratch, ...options });
  return { cache, scratch, header: new Uint32Array(scratch, 0, 8) };
}

/** The `code` of what `call` throws. */
function codeOf(call: () => unknown): string | undefined {
  try {
    call();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
}

/** A worker thread that has the addon as `addon`, opens with the same options, and runs `body`. */
function startWorker(body: string, name?: string): Worker {
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    const addon = require(workerData.addonPath);
    const open = (options = {}) => addon.open({ maxMemory: 16 * 1024 * 1024, defaultTtlMs: Infinity,
      fingerprint: "{}", scratch: new ArrayBuffer(65536), watch: false, ...options });
    ${body}`;
  return new Worker(code, { eval: true, workerData: { addonPath, name } });
}

describe("values", () => {
  const strings = [
    "",
    "ascii",
    "a\0b",
    "café",
    "日本語",
    "😀",
    "\uFFFD",
    "\uD800",
    "\uDC00\uD800",
    "a\uD83Db😀",
    "\uFFFD\uD800é",
  ];
  const numbers = [
    ...[0, -0, 1, -1, 42, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER],
    ...[2 ** 53, 1e300, 0.5, -1.25, Number.MIN_VALUE, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ];

  test("strings, numbers and null come back as they were", () => {
    const { cache } = open();
    for (const value of [...strings, ...numbers, null]) {
      cache.set("key", value);
      expect(cache.get("key")).toBe(value);
      expect(cache.peek("key")).toBe(value);
    }
  });

  test("strings beyond every buffer come back as they were", () => {
    const { cache } = open();
    for (const piece of ["a", "é", "日", "😀", "\uD800", "\uFFFD"]) {
      for (const length of [1_000, 21_845, 65_530, 65_535, 65_536, 200_000]) {
        const value = piece.repeat(length);
        cache.set("key", value);
        expect(cache.get("key") === value, `${length} times ${JSON.stringify(piece)}`).toBe(true);
      }
    }
  });

  test("other kinds are handed over in scratch, with kind, length and expiry", () => {
    const { cache, scratch, header } = open({ watch: true });
    for (const kind of [0, 7, 8, 9, 10, 11, 15]) {
      cache.setBytes("key", kind, Uint8Array.of(1, 2, 3, kind, 99), 4);
      expect(cache.get("key")).toBe(true);
      expect([header[Header.kind], header[Header.length], header[Header.expiry]]).toEqual([kind, 4, NEVER]);
      expect([...new Uint8Array(scratch, SCRATCH_DATA, 4)]).toEqual([1, 2, 3, kind]);
    }
    cache.setBytes("empty", 0, new Uint8Array(0), 0, 60_000);
    expect(cache.get("empty")).toBe(true);
    expect(header[Header.length]).toBe(0);
    expect(header[Header.expiry]).toBeLessThan(NEVER);
  });

  test("a value larger than scratch says how large, and fits after replaceScratch", () => {
    const { cache, header } = open();
    const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
    cache.setBytes("key", 9, bytes, bytes.length);
    expect(cache.get("key")).toBe(false);
    expect([header[Header.kind], header[Header.length]]).toEqual([9, 100_000]);
    const larger = new ArrayBuffer(SCRATCH_DATA + 100_000);
    cache.replaceScratch(larger);
    expect(cache.get("key")).toBe(true);
    expect(Buffer.compare(new Uint8Array(larger, SCRATCH_DATA), bytes)).toBe(0);
  });

  test("bytes can be stored from a view with an offset, and only as many as there are", () => {
    const { cache, scratch } = open();
    const view = Uint8Array.of(0, 0, 7, 8, 9).subarray(2);
    cache.setBytes("key", 0, view, 3);
    cache.get("key");
    expect([...new Uint8Array(scratch, SCRATCH_DATA, 3)]).toEqual([7, 8, 9]);
    expect(codeOf(() => cache.setBytes("key", 0, view, 4))).toBe("ERR_INVALID_OPTION");
    expect(codeOf(() => cache.setBytes("key", 3, view, 3))).toBe("ERR_INVALID_OPTION");
  });
});

describe("keys", () => {
  const keys = [
    ...[
      "",
      " ",
      "a",
      "A",
      "a\0",
      "\0a",
      "__proto__",
      "é",
      "e\u0301",
      "Ã©",
      "日",
      "😀",
      "\uD83D",
      "\uDE00",
      "\uDE00\uD83D",
    ],
    ...["\uFFFD", "\uFFFD\uFFFD", "\uD800", "\uD801", "\uDC00", "a\uD800", "a\uDC00", "a\uFFFD", "\uD800a", "\uFFFDa"],
    ...["k".repeat(1018), "k".repeat(1019), "k".repeat(1020), "k".repeat(1023), "k".repeat(1024), "k".repeat(65_535)],
    ...["é".repeat(509), "é".repeat(510), "é".repeat(511), "é".repeat(512), "😀".repeat(255), "\uD800".repeat(400)],
  ];

  test("different strings never address the same entry, lone surrogates included", () => {
    const { cache } = open();
    for (const [index, key] of keys.entries()) {
      cache.set(key, index);
    }
    expect(cache.size()).toBe(keys.length);
    expect(keys.map((key) => cache.get(key))).toEqual(keys.map((_, index) => index));
  });

  test("scan gives back the very strings", () => {
    const { cache } = open();
    for (const key of keys) {
      cache.set(key, 1);
    }
    const found: string[] = [];
    for (let cursor = 0; cursor !== -1; ) {
      const step = cache.scan(cursor, "", 3);
      found.push(...step.keys);
      cursor = step.cursor;
    }
    expect(new Set(found)).toEqual(new Set(keys));
  });

  test("a key made by concatenation finds the entry of a literal one", () => {
    const { cache } = open();
    cache.set("user:1234567890:profile", "x");
    expect(cache.get(`user:${String(1_234_567_890)}${":profile"}`)).toBe("x");
  });

  test("a key that is no string, or too long, is refused by every operation", () => {
    const { cache } = open();
    const long = "k".repeat(addon.limits.keyBytesMax + 1);
    for (const [key, code] of [
      [1, "ERR_KEY_NOT_STRING"],
      [undefined, "ERR_KEY_NOT_STRING"],
      [{}, "ERR_KEY_NOT_STRING"],
      [long, "ERR_KEY_TOO_LONG"],
    ]) {
      const bad = key as string;
      for (const call of [
        () => cache.get(bad),
        () => cache.peek(bad),
        () => cache.set(bad, 1),
        () => cache.setBytes(bad, 0, new Uint8Array(1), 1),
        () => cache.has(bad),
        () => cache.delete(bad),
        () => cache.ttl(bad),
        () => cache.touch(bad),
        () => cache.deletePrefix(bad),
      ]) {
        expect(codeOf(call)).toBe(code);
      }
    }
    expect(cache.size()).toBe(0);
  });

  test("deletePrefix takes what begins with the prefix, and nothing else", () => {
    const { cache } = open();
    for (const key of ["é:1", "é:2", "e:1", "é"]) {
      cache.set(key, 1);
    }
    expect(cache.deletePrefix("é:")).toBe(2);
    expect([cache.has("é:1"), cache.has("e:1"), cache.has("é")]).toEqual([false, true, true]);
  });
});

describe("time to live", () => {
  test("it counts down, can be changed, and 0 deletes", () => {
    const { cache } = open();
    cache.set("forever", 1);
    expect(cache.ttl("forever")).toBe(Number.POSITIVE_INFINITY);
    cache.set("key", 1, 60_000);
    expect(cache.ttl("key")).toBeGreaterThan(59_000);
    expect(cache.ttl("key")).toBeLessThanOrEqual(60_100);
    expect(cache.touch("key", Number.POSITIVE_INFINITY)).toBe(true);
    expect(cache.ttl("key")).toBe(Number.POSITIVE_INFINITY);
    cache.set("key", 2, 0);
    expect(cache.has("key")).toBe(false);
    expect([cache.ttl("key"), cache.touch("key", 5)]).toEqual([undefined, false]);
  });

  test("an expired entry is gone", async () => {
    const { cache } = open();
    cache.set("key", "x", 30);
    expect(cache.get("key")).toBe("x");
    // On a busy machine the clock's thread may be late.
    await vi.waitFor(() => expect(cache.has("key")).toBe(false), { timeout: 10_000, interval: 5 });
    expect(cache.get("key")).toBe(undefined);
  });

  test("nonsense is refused", () => {
    const { cache } = open();
    for (const ttl of [-1, Number.NaN, Number.NEGATIVE_INFINITY, addon.limits.ttlMsMax + 1, "1", null]) {
      expect(codeOf(() => cache.set("key", 1, ttl as number))).toBe("ERR_INVALID_TTL");
      expect(codeOf(() => cache.touch("key", ttl as number))).toBe("ERR_INVALID_TTL");
    }
    expect(cache.has("key")).toBe(false);
  });
});

describe("handles and stores", () => {
  test("every call after close throws, and closing again does not", () => {
    const { cache } = open();
    const { close, ...calls } = cache;
    cache.set("key", 1);
    cache.close();
    for (const [name, call] of Object.entries(calls)) {
      expect(
        codeOf(() => (call as (...args: unknown[]) => unknown)("key", 1, 1)),
        name,
      ).toBe("ERR_CACHE_CLOSED");
    }
    close();
  });

  test("values too large for the cache are refused with both figures", () => {
    const { cache } = open({ maxValueSize: 1000 });
    for (const call of [
      () => cache.set("key", "x".repeat(1001)),
      () => cache.set("key", "x".repeat(100_000)),
      () => cache.setBytes("key", 9, new Uint8Array(1001), 1001),
    ]) {
      expect(call).toThrow(expect.objectContaining({ code: "ERR_VALUE_TOO_LARGE", max: 1000 }));
    }
    cache.set("key", "x".repeat(1000));
    expect(cache.stats().maxValueSize).toBe(1000);
  });

  test("handles of one name share a store until the last is closed", () => {
    const [first, second] = [open({ name: "shared" }).cache, open({ name: "shared" }).cache];
    first.set("key", "x");
    expect(second.get("key")).toBe("x");
    expect(open().cache.get("key")).toBe(undefined);
    first.close();
    expect(second.get("key")).toBe("x");
    second.close();
    expect(open({ name: "shared", maxMemory: 8 * MIB }).cache.get("key")).toBe(undefined);
  });

  test("another configuration under the same name is an error that says which option differs", () => {
    open({ name: "mismatch", maxValueSize: 5000, fingerprint: '{"values":"frozen","codec":{"a":1}}' });
    const same = { name: "mismatch", maxValueSize: 5000, fingerprint: '{"values":"frozen","codec":{"a":1}}' };
    open(same);
    const different: [Partial<NativeOptions>, string][] = [
      [{ maxMemory: 8 * MIB }, "maxMemory"],
      [{ maxValueSize: 5001 }, "maxValueSize"],
      [{ maxEntries: 100 }, "maxEntries"],
      [{ objective: "bytes" }, "objective"],
      [{ defaultTtlMs: 1000 }, "ttl"],
      [{ shards: 4 }, "shards"],
      [{ fingerprint: '{"values":"copy","codec":{"a":1}}' }, "values"],
      [{ fingerprint: '{"values":"frozen","codec":{"a":2}}' }, "codec"],
    ];
    for (const [options, option] of different) {
      const call = () => open({ ...same, ...options });
      expect(call).toThrow(expect.objectContaining({ code: "ERR_CONFIG_MISMATCH", option }));
      expect(call).toThrow(option);
    }
  });

  test("impossible options are refused", () => {
    for (const options of [{ maxMemory: 1 }, { maxMemory: -5 }, { maxMemory: 2 ** 60 }, { maxMemory: 1e6 + 0.5 }]) {
      expect(codeOf(() => open(options))).toBe("ERR_INVALID_OPTION");
    }
    expect(codeOf(() => open({ maxEntries: 0 }))).toBe("ERR_INVALID_OPTION");
    expect(codeOf(() => open({ objective: "all" }))).toBe("ERR_INVALID_OPTION");
    expect(codeOf(() => open({ scratch: new ArrayBuffer(100) }))).toBe("ERR_INVALID_OPTION");
    expect(codeOf(() => open({ defaultTtlMs: -1 }))).toBe("ERR_INVALID_TTL");
  });

  test("shared bytes are replaced only by who knows the latest version", () => {
    const [first, second] = [open({ name: "blob" }).cache, open({ name: "blob" }).cache];
    expect([first.sharedBlobVersion(), first.sharedBlobGet()]).toEqual([0, undefined]);
    expect(first.sharedBlobSet(Uint8Array.of(1, 2), 0)).toBe(true);
    expect(second.sharedBlobSet(Uint8Array.of(3), 0)).toBe(false);
    expect([second.sharedBlobVersion(), second.sharedBlobGet()]).toEqual([1, Uint8Array.of(1, 2)]);
    expect(second.sharedBlobSet(new Uint8Array(0), 1)).toBe(true);
    expect(first.sharedBlobGet()).toEqual(new Uint8Array(0));
  });
});

describe("worker threads", () => {
  test("a second thread attaches to the same store by name", async () => {
    const { cache } = open({ name: "threads" });
    cache.set("from main", "hello");
    const worker = startWorker(`
      const cache = open({ name: "threads" });
      cache.set("from worker", cache.get("from main") + " yourself");
      parentPort.postMessage("done");`);
    await once(worker, "exit");
    expect(cache.get("from worker")).toBe("hello yourself");
  });

  test("a store outlives the thread that made it while another has it, and not longer", async () => {
    const worker = startWorker(`
      open({ name: "handed over" }).set("key", "x");
      parentPort.once("message", () => process.exit());
      parentPort.postMessage("ready");`);
    await once(worker, "message");
    const { cache } = open({ name: "handed over" });
    worker.postMessage("go");
    await once(worker, "exit");
    expect(cache.get("key")).toBe("x");
    cache.close();
    expect(open({ name: "handed over" }).cache.get("key")).toBe(undefined);
  });

  test("the signal line shows another thread's writes", async () => {
    const { cache, header } = open({ name: "signal", watch: true });
    const buffer = cache.signal();
    expect(buffer?.byteLength).toBe(64);
    const line = new Uint32Array(buffer as ArrayBuffer);
    cache.set("hot", "old");
    for (let reads = 0; header[Header.watched] !== 1; reads++) {
      expect(reads, "reads until the entry is hot").toBeLessThan(1000);
      cache.get("hot");
    }
    cache.drainChanges();
    const before = line[0];
    startWorker(`open({ name: "signal" }).set("hot", "new");`);
    const start = line[1] as number;
    while (line[0] === before) {
      await sleep(1);
    }
    expect(cache.drainChanges()).toContain("hot");
    expect(header[Header.head]).toBe(line[0]);
    expect(cache.get("hot")).toBe("new");
    while (line[1] === start) {
      await sleep(1);
    }
    cache.close();
    expect(line[0]).toBeGreaterThan(0); // the buffer keeps the line alive
  });

  test("200 workers terminated under load neither crash, nor leak, nor block the others", {
    timeout: 180_000,
  }, async () => {
    const { cache } = open({ name: "burst" });
    const burst = `
      const own = open(), shared = open({ name: "burst", watch: true });
      shared.signal();
      const filler = "x".repeat(1000);
      for (let i = 0; i < 4000; i++) own.set("own:" + i, filler);
      parentPort.postMessage("ready");
      for (let i = 0; ; i++) {
        shared.set("key:" + i % 1000, "value " + i);
        shared.get("key:" + (i * 7) % 1000);
        if (i % 64 === 0) shared.drainChanges();
        if (i % 1000 === 0) { shared.deletePrefix("key:1"); shared.stats(); open({ name: "burst" }); }
      }`;
    const round = async (count: number): Promise<void> => {
      const workers = Array.from({ length: count }, () => startWorker(burst));
      await Promise.all(workers.map((worker) => once(worker, "message")));
      await sleep(Math.random() * 10);
      await Promise.all(workers.map((worker) => worker.terminate()));
    };
    await round(10);
    const before = process.memoryUsage().rss;
    for (let rounds = 0; rounds < 19; rounds++) {
      await round(10);
      cache.set("main", rounds);
      expect(cache.get("main")).toBe(rounds);
    }
    // Each worker filled a store of its own with 4 MB: leaked, they would be 760 MB.
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * MIB);
  });
});
