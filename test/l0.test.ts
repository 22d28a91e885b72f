// L0 by itself, with a signal line and a change log that the test controls.
import { describe, expect, test } from "vitest";
import { L0 } from "../ts/l0.js";
import { Header, type NativeCache } from "../ts/native.js";

const NEVER = -1;
const TICK_MS = 5;
const TURN_TICKS = 1000 / TICK_MS;

/** A store that logs what the test says; `now` may start near the point where ticks wrap around. */
function setUp(max = 8, now = 1_000) {
  const buffer = new ArrayBuffer(64);
  const signal = new Int32Array(buffer);
  signal[1] = now;
  const header = new Int32Array(8);
  let log: string[] | null = [];
  const native = {
    drainChanges() {
      header[Header.head] = signal[0] as number;
      const drained = log;
      log = [];
      return drained;
    },
  } as unknown as NativeCache;
  const l0 = new L0(native, buffer, max, TICK_MS);
  return {
    l0,
    put: (key: string, expiry = NEVER) => l0.put(key, key, expiry),
    /** The other side changes keys; null: more than its log holds. */
    change(keys: string[] | null) {
      log = keys;
      signal[0] = ((signal[0] as number) + 1) | 0;
    },
    at(tick: number) {
      signal[1] = tick | 0;
    },
    /** As cache.ts reads: only when nothing is due; the value, or undefined. */
    read(key: string): unknown {
      const isCurrent = signal[0] === l0.seen && (((signal[1] as number) - l0.due) | 0) < 0;
      if (!isCurrent) l0.catchUp(header);
      return l0.young.get(key) ?? l0.old.get(key);
    },
  };
}

describe("changes", () => {
  test("drop the keys that changed, and only those", () => {
    const { put, change, read } = setUp();
    put("a");
    put("b");
    change(["a", "unknown"]);
    expect([read("a"), read("b")]).toEqual([undefined, "b"]);
  });

  test("drop everything when the log was overrun", () => {
    const { l0, put, change, read } = setUp();
    put("a");
    put("b");
    change(null);
    expect([read("a"), read("b"), l0.size]).toEqual([undefined, undefined, 0]);
    put("a");
    expect(read("a")).toBe("a");
  });

  test("are noticed when the counter wraps around", () => {
    const { l0, put, change, read } = setUp();
    l0.signal[0] = -1;
    read("x");
    put("a");
    change(["a"]);
    expect(l0.signal[0]).toBe(0);
    expect(read("a")).toBeUndefined();
  });
});

describe.each([1_000, 2 ** 31 - 30, 2 ** 32 - 30])("expiry around tick %d", (start) => {
  test("each key is served until its tick and never from then on", () => {
    const { put, at, read } = setUp(64, start);
    // One word means "never", and the store does not use it as a tick.
    const notNever = (tick: number) => ((tick | 0) === NEVER ? tick + 1 : tick);
    const expiries = Array.from({ length: 50 }, (_, i) => notNever(start + 1 + ((i * 37) % 50)));
    for (const [i, expiry] of expiries.entries()) put(`${i}`, expiry | 0);
    put("forever");
    for (let tick = start; tick < start + 60; tick++) {
      at(tick);
      for (const [i, expiry] of expiries.entries()) {
        expect(read(`${i}`), `key ${i} at tick ${tick}`).toBe(tick < expiry ? `${i}` : undefined);
      }
      expect(read("forever")).toBe("forever");
    }
  });

  test("a key that is put again lives on, or is asked for again", () => {
    const { put, at, read } = setUp(8, start);
    put("a", (start + 5) | 0);
    put("a", (start + 9) | 0);
    at(start + 4);
    expect(read("a")).toBe("a");
    at(start + 9);
    expect(read("a")).toBeUndefined();
  });
});

describe("room", () => {
  test("it never holds more than it may, and keeps what is used", () => {
    const { l0, put, read } = setUp(8);
    for (let i = 0; i < 100; i++) {
      put(`${i}`);
      expect(l0.size).toBeLessThanOrEqual(8);
      expect(read(`${i}`)).toBe(`${i}`);
    }
  });

  test("it holds exactly as many as it may", () => {
    const { l0, put } = setUp(8);
    for (let i = 0; i < 8; i++) put(`${i}`);
    for (let i = 0; i < 8; i++) put(`${i}`);
    expect(l0.size).toBe(8);
    expect(l0.young.size).toBe(8);
  });

  test("what is not read is gone after two turns; what is put back stays", () => {
    const { l0, put, at, read } = setUp(8);
    put("kept");
    put("left");
    at(1_000 + TURN_TICKS);
    read("x");
    expect(l0.young.size).toBe(0);
    put("kept");
    at(1_000 + 2 * TURN_TICKS);
    read("x");
    expect([read("kept"), read("left")]).toEqual(["kept", undefined]);
  });

  test("a key that keeps changing does not pile up", () => {
    const { l0, put, change, read } = setUp(8);
    for (let i = 0; i < 10_000; i++) {
      put("a", 1_500);
      change(["a"]);
      expect(read("a")).toBeUndefined();
    }
    expect(l0.size).toBe(0);
  });
});

test("switched off, it never has anything current", () => {
  const l0 = L0.off();
  l0.catchUp(new Int32Array(8));
  expect([l0.isOn, l0.size, l0.signal[0] === l0.seen]).toEqual([false, 0, false]);
});
