// Claims, tags and dependencies as the addon offers them: who loads a key among all threads, and what is invalidated by
// whom. The engine's own tests are in crates/engine; these are about what crosses the border, and about worker threads.
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { thrownBy, uniqueName } from "./support/caches.js";
import { openNative, startNativeWorker } from "./support/native.js";

const LONG = 600_000;
const OURS = 1;
const AWAITED = 2;

describe("a claim", () => {
  test("is one caller's; the others are told how long to wait, also the owner itself", () => {
    const cache = openNative();
    const token = cache.claim("key", LONG);
    expect(token).toBeGreaterThan(0);
    const held = cache.claim("key", 1);
    expect(held).toBeLessThanOrEqual(-1);
    expect(held).toBeGreaterThanOrEqual(-LONG);
    expect(cache.claim("another", LONG)).toBeGreaterThan(token);
    expect(cache.isClaimCurrent("key", token)).toBe(true);
    expect(cache.isClaimCurrent("another", token)).toBe(false);
    expect(cache.extendClaim("key", token, 2 * LONG)).toBe(true);
    expect(cache.claim("key", 1)).toBeLessThan(-LONG);
    expect(cache.releaseClaim("key", token)).toBe(OURS | AWAITED);
    expect(cache.releaseClaim("key", token)).toBe(0);
    expect(cache.extendClaim("key", token, LONG)).toBe(false);
    expect(cache.releaseClaim("key", cache.claim("key", LONG))).toBe(OURS);
  });

  test("may be held without end", () => {
    const cache = openNative();
    cache.claim("key", Number.POSITIVE_INFINITY);
    expect(cache.claim("key", 1)).toBeLessThan(-Number.MAX_SAFE_INTEGER);
  });

  test.each(["", "key", "ключ", "\ud800", "\udfff\ud800", "k".repeat(2_000)])("is of any key: %j", (key) => {
    const cache = openNative();
    const token = cache.claim(key, LONG);
    expect(cache.setClaimed(key, token, "loaded")).toBe(true);
    expect(cache.get(key)).toBe("loaded");
    expect(cache.claim("\udfff", LONG)).toBeGreaterThan(token);
    expect(cache.releaseClaim(key, token)).toBe(OURS);
  });

  test.each(["text", "текст", 7, -0.5, null])("stores what set stores: %j", (value) => {
    const cache = openNative();
    const token = cache.claim("key", LONG);
    expect(cache.setClaimed("key", token, value)).toBe(true);
    expect(cache.get("key")).toBe(value);
    expect(cache.ttl("key")).toBe(Number.POSITIVE_INFINITY);
    expect(cache.setClaimed("key", token, value, LONG)).toBe(true);
    expect(cache.ttl("key")).toBeLessThanOrEqual(LONG);
    expect(cache.setClaimed("key", token, value, 0)).toBe(true);
    expect(cache.has("key")).toBe(false);
    expect(cache.setClaimed("key", token + 1, value)).toBe(false);
    expect(cache.has("key")).toBe(false);
  });

  test("stores bytes, as setBytes does", () => {
    const scratch = new ArrayBuffer(64 * 1024);
    const cache = openNative({ scratch });
    const token = cache.claim("key", LONG);
    expect(cache.setBytesClaimed("key", token, 9, new Uint8Array([1, 2, 3]), 2, LONG)).toBe(true);
    expect(cache.get("key")).toBe(true);
    expect([...new Uint8Array(scratch, 32, 2)]).toEqual([1, 2]);
    expect(new Uint32Array(scratch, 0, 2)).toEqual(new Uint32Array([9, 2]));
    cache.delete("key");
    expect(cache.setBytesClaimed("key", token, 9, new Uint8Array([1]), 1)).toBe(false);
    expect(cache.has("key")).toBe(false);
    expect(thrownBy(() => cache.setBytesClaimed("key", token, 1, new Uint8Array(), 0))["code"]).toBe(
      "ERR_INVALID_OPTION",
    );
  });

  test("is superseded by any write or delete, but still tells who waits", () => {
    const cache = openNative();
    const writes: (() => unknown)[] = [
      () => cache.set("key", 1),
      () => cache.delete("key"),
      () => cache.setIfAbsent("key", 1),
      () => cache.setBytes("key", 9, new Uint8Array([1]), 1),
      () => cache.deletePrefix("k"),
      () => cache.clear(),
    ];
    for (const write of writes) {
      const token = cache.claim("key", LONG);
      cache.claim("key", LONG);
      write();
      expect(cache.isClaimCurrent("key", token)).toBe(false);
      expect(cache.setClaimed("key", token, "old")).toBe(false);
      expect(cache.get("key")).not.toBe("old");
      const next = cache.claim("key", LONG);
      expect(next).toBeGreaterThan(token);
      expect(cache.releaseClaim("key", token)).toBe(0);
      expect(cache.releaseClaim("key", next)).toBe(OURS | AWAITED);
    }
    const token = cache.claim("key", LONG);
    cache.claim("key", LONG);
    cache.delete("key");
    expect(cache.releaseClaim("key", token)).toBe(AWAITED);
  });
});

describe("tags and dependencies", () => {
  test("say whether an entry of a stamp is valid", () => {
    const cache = openNative();
    const stamp = cache.stamp();
    expect(stamp).toBe(1);
    expect(cache.tagsAreCurrent(["a", "b"], stamp)).toBe(true);
    expect(cache.invalidateTags(["b", "c"])).toBe(2);
    expect(cache.tagsAreCurrent(["a", "b"], stamp)).toBe(false);
    expect(cache.tagsAreCurrent(["a"], stamp)).toBe(true);
    expect(cache.tagsAreCurrent([], stamp)).toBe(true);
    expect(cache.tagsAreCurrent(["a", "b"], cache.stamp())).toBe(true);

    cache.depend(["a", "b"]);
    const made = cache.stamp();
    expect(cache.dependenciesAreCurrent(["a", "b"], made)).toBe(true);
    cache.set("b", "new");
    expect(cache.dependenciesAreCurrent(["a", "b"], made)).toBe(false);
    expect(cache.dependenciesAreCurrent(["a"], made)).toBe(true);
    expect(cache.tagsAreCurrent(["b"], made)).toBe(true);
    cache.clear();
    expect(cache.dependenciesAreCurrent(["a"], made)).toBe(false);
    expect(cache.dependenciesAreCurrent(["a"], cache.stamp())).toBe(true);
  });

  test("let every L0 drop what it has", () => {
    const cache = openNative({ watch: true });
    expect(cache.drainChanges()).toEqual([]);
    cache.invalidateTags(["a"]);
    expect(cache.drainChanges()).toBe(null);
    cache.depend(["key"]);
    expect(cache.drainChanges()).toEqual([]);
    cache.delete("key");
    expect(cache.drainChanges()).toBe(null);
  });

  test("refuse what is no list of strings, and survive lists that do something when they are read", () => {
    const cache = openNative();
    const anything = (value: unknown) => value as string[];
    const codeOf = (call: () => unknown) => thrownBy(call)["code"];
    expect(codeOf(() => cache.invalidateTags(anything("tag")))).toBe("ERR_INVALID_OPTION");
    expect(codeOf(() => cache.depend(anything({ length: 1 })))).toBe("ERR_INVALID_OPTION");
    expect(codeOf(() => cache.tagsAreCurrent(anything(["a", 1]), 1))).toBe("ERR_KEY_NOT_STRING");
    expect(codeOf(() => cache.dependenciesAreCurrent(["k".repeat(70_000)], 1))).toBe("ERR_KEY_TOO_LONG");
    const fail = () => {
      throw new RangeError("mine");
    };
    const throwing = Object.defineProperty([], 0, { get: fail });
    expect(() => cache.invalidateTags(throwing)).toThrow("mine");
    const closing = Object.defineProperty(["a"], 0, {
      get: () => {
        cache.close();
        return "a";
      },
    });
    expect(codeOf(() => cache.depend(closing))).toBe("ERR_CACHE_CLOSED");
    expect(codeOf(() => cache.stamp())).toBe("ERR_CACHE_CLOSED");
  });
});

describe("between worker threads", () => {
  const hold = `parentPort.postMessage(cache.claim("key", ${LONG}));`;

  test.each([
    ["idle", "setInterval(() => {}, 1_000);"],
    ["busy", "for (;;) cache.set('other', 1);"],
  ])("what a terminated worker has claimed is free: %s", async (_, rest) => {
    const name = uniqueName();
    const cache = openNative({ name });
    // The worker is terminated behind its message, which it sends before it is busy.
    const worker = startNativeWorker(name, `${hold} setTimeout(() => { ${rest} });`);
    const [token] = await once(worker, "message");
    expect(token).toBeGreaterThan(0);
    expect(cache.claim("key", LONG)).toBeLessThan(0);
    expect(cache.isClaimCurrent("key", token)).toBe(true);
    await worker.terminate();
    expect(cache.isClaimCurrent("key", token)).toBe(false);
    expect(cache.claim("key", LONG)).toBeGreaterThan(0);
  });

  test("a worker that ends, or closes its handle, gives up its claims", async () => {
    const name = uniqueName();
    const cache = openNative({ name });
    for (const end of ["", "cache.close();"]) {
      const worker = startNativeWorker(name, `${hold} ${end}`);
      const exit = once(worker, "exit");
      expect((await once(worker, "message"))[0]).toBeGreaterThan(0);
      await exit;
      const token = cache.claim("key", LONG);
      expect(token).toBeGreaterThan(0);
      cache.releaseClaim("key", token);
    }
  });

  test("each key has one owner", async () => {
    const KEYS = 500;
    const name = uniqueName();
    openNative({ name });
    const gate = new Int32Array(new SharedArrayBuffer(4));
    const owners = new Int32Array(new SharedArrayBuffer(4 * KEYS));
    const body = `
      const { gate, owners } = data;
      parentPort.postMessage("ready");
      Atomics.wait(gate, 0, 0);
      for (let key = 0; key < owners.length; key++) {
        if (cache.claim("key " + key, ${LONG}) > 0) Atomics.add(owners, key, 1);
      }
      parentPort.postMessage("done");
      Atomics.wait(gate, 0, 1);`;
    const workers = Array.from({ length: 4 }, () => startNativeWorker(name, body, { gate, owners }));
    const next = (state: number) => {
      Atomics.store(gate, 0, state);
      Atomics.notify(gate, 0);
    };
    await Promise.all(workers.map((worker) => once(worker, "message")));
    const done = Promise.all(workers.map((worker) => once(worker, "message")));
    next(1);
    await done;
    expect([...owners]).toEqual(new Array(KEYS).fill(1));
    const exits = Promise.all(workers.map((worker) => once(worker, "exit")));
    next(2);
    await exits;
  });

  test("what was loaded before an invalidation is never found after it", async () => {
    const KEYS = 2;
    const WRITES = 20_000;
    const name = uniqueName();
    const cache = openNative({ name });
    // The source, the version that the last returned invalidation was about, and whether to go on.
    const [source, returned] = [0, 1].map(() => new Int32Array(new SharedArrayBuffer(4 * KEYS))) as [
      Int32Array<SharedArrayBuffer>,
      Int32Array<SharedArrayBuffer>,
    ];
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const body = `
      const { source, returned, stop } = data;
      let stale = 0, stored = 0, superseded = 0;
      parentPort.postMessage("ready");
      for (let round = 0; Atomics.load(stop, 0) === 0; round++) {
        const at = round % source.length, key = "key " + at;
        const least = Atomics.load(returned, at);
        const found = cache.get(key);
        if (found !== undefined) {
          if (found < least) stale += 1;
          continue;
        }
        const token = cache.claim(key, ${LONG});
        if (token < 0) continue;
        const loaded = Atomics.load(source, at);
        if (cache.setClaimed(key, token, loaded)) stored += 1; else superseded += 1;
        cache.releaseClaim(key, token);
      }
      parentPort.postMessage({ stale, stored, superseded });
      cache.close();`;
    const workers = Array.from({ length: 3 }, () => startNativeWorker(name, body, { source, returned, stop }));
    await Promise.all(workers.map((worker) => once(worker, "message")));
    const reports = Promise.all(workers.map((worker) => once(worker, "message")));
    for (let version = 1; version <= WRITES; version++) {
      const at = version % KEYS;
      Atomics.store(source, at, version);
      if (version % 3 === 0) cache.set(`key ${at}`, version);
      else if (version % 7 === 0) cache.deletePrefix("key");
      else cache.delete(`key ${at}`);
      Atomics.store(returned, at, version);
    }
    Atomics.store(stop, 0, 1);
    const seen = (await reports).map(([report]) => report as Record<string, number>);
    const sum = (name: string) => seen.reduce((total, report) => total + (report[name] ?? 0), 0);
    expect(sum("stale")).toBe(0);
    expect(sum("stored")).toBeGreaterThan(0);
  });

  test("a tag or a key that another thread invalidates is invalid here", async () => {
    const name = uniqueName();
    const cache = openNative({ name, watch: true });
    cache.depend(["key"]);
    const stamp = cache.stamp();
    cache.drainChanges();
    const worker = startNativeWorker(name, `cache.invalidateTags(["tag"]); cache.set("key", 1); cache.close();`);
    await once(worker, "exit");
    expect(cache.tagsAreCurrent(["tag"], stamp)).toBe(false);
    expect(cache.dependenciesAreCurrent(["key"], stamp)).toBe(false);
    expect(cache.drainChanges()).toBe(null);
  });
});
