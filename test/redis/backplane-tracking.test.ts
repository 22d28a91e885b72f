// Tracking against a real server: what changes is named, whoever changes it; every way to lose a change is found out.
import { beforeAll, describe, expect, test } from "vitest";
import {
  addressOf,
  entryName,
  newBackplane,
  PREFIX,
  type RecordingHost,
  startBackplane,
} from "../support/backplane.js";
import { startProxy } from "../support/proxy.js";
import { type RedisServer, startRedis } from "../support/redis.js";
import { until } from "../support/wait.js";

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});

/** Fast enough to wait for, slow enough for a busy machine not to trip over. */
const QUICK = { deadlineMs: 400 };

/** Behind a proxy, in force, with all that happened until then forgotten. */
async function behindProxy(settings = QUICK, target = server) {
  const proxy = await startProxy(target.port);
  const address = { host: proxy.host, port: proxy.port };
  const { backplane, host } = await startBackplane(target, { mode: "tracking", address, settings });
  const before = { all: host.allCount, events: host.events.length };
  return { proxy, backplane, host, before };
}

/** A change of another client is named. */
async function expectCoverage(host: RecordingHost, target = server, key = `covered ${Math.trunc(performance.now())}`) {
  await target.client().set(entryName(key), "x");
  await until(() => host.keys.includes(key), "the change is not named");
}

describe("changes", () => {
  test("of any client are named: written, deleted, expired, evicted by hand; other prefixes are not", async () => {
    const { backplane, host } = await startBackplane(server, { mode: "tracking" });
    expect(host.modes).toEqual(["ttl-only>tracking"]);
    expect(host.allCount).toBe(1);
    const client = server.client();
    await client.set(entryName("written"), "x");
    await client.set(entryName("gone"), "x");
    await client.del(entryName("gone"));
    await client.set(entryName("expired"), "x", "PX", 1);
    await client.set("other:v:foreign", "x");
    await until(() => host.keys.filter((key) => key === "gone").length > 0, "deletion is not named");
    await until(() => host.keys.filter((key) => key === "expired").length === 2, "expiry is not named");
    expect(host.keys).toContain("written");
    expect(new Set(host.keys)).toEqual(new Set(["written", "gone", "expired"]));
    expect(backplane.stats()).toMatchObject({ gaps: 0, junk: 0 });
    expect(backplane.stats().messages).toBeGreaterThanOrEqual(3);
  });

  test("of binary names are named byte by byte", async () => {
    const { host } = await startBackplane(server, { mode: "tracking" });
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await server.client().set(Buffer.concat([Buffer.from(entryName("")), bytes]), "x");
    await until(() => host.keys.includes(bytes.toString("latin1")), "the binary key is not named");
  });

  test("of 100,000 keys in one step are all named", async () => {
    const { backplane, host } = await startBackplane(server, { mode: "tracking" });
    const script = "for i = 1, 100000 do redis.call('SET', ARGV[1] .. i, 'x') end";
    await server.client().call("EVAL", script, "0", entryName(""));
    await until(() => host.keys.length >= 100_000, "not all keys are named");
    expect(new Set(host.keys).size).toBe(100_000);
    expect(backplane.stats()).toMatchObject({ gaps: 0 });
  });

  test("of everything, by FLUSHALL, invalidate everything", async () => {
    const { backplane, host } = await startBackplane(server, { mode: "tracking" });
    await server.client().flushall();
    await until(() => host.allCount === 2, "FLUSHALL is not told");
    expect(backplane.stats()).toMatchObject({ gaps: 0 });
  });

  test("that were published reach the others: tags, versions (the newest wins), everything", async () => {
    const first = await startBackplane(server, { mode: "tracking" });
    const second = await startBackplane(server, { mode: "tracking" });
    await first.backplane.publish({ tags: ["a:b", "ünï", "line\nfeed"], version: 7 });
    await first.backplane.publish({ version: 6 });
    await first.backplane.publish({ all: true });
    await until(() => second.host.allCount >= 2, "not everything was told");
    expect(new Set(second.host.tags)).toEqual(new Set(["a:b", "ünï", "line\nfeed"]));
    expect(second.host.versions).toEqual([7]);
    expect(second.host.keys).toEqual([]);
    expect(await server.client().keys(`${PREFIX}signal:[^p]*`)).toEqual([]);
  });
});

describe("a connection that is lost", () => {
  test("by a cut: everything is dropped, twice, and it is in force again", async () => {
    const { proxy, backplane, host, before } = await behindProxy();
    proxy.cut();
    await until(() => backplane.stats().gaps === 1, "the cut was not noticed");
    expect(backplane.coherence).toBe("ttl-only");
    expect(host.allCount).toBe(before.all + 1);
    await until(() => backplane.coherence === "tracking", "it does not come back");
    expect(host.allCount).toBe(before.all + 2);
    expect(host.modes.slice(-2)).toEqual(["tracking>ttl-only", "ttl-only>tracking"]);
    expect(host.events.slice(before.events).map(({ type }) => type)).toEqual([
      "coherence",
      "gap",
      "error",
      "coherence",
    ]);
    await expectCoverage(host);
  });

  test.each(["toClient", "toServer"] as const)("by one half that is closed, %s", async (direction) => {
    const { proxy, backplane, host } = await behindProxy();
    for (const connection of proxy.connections) connection.halfClose(direction);
    await until(() => backplane.stats().gaps === 1, "the half-closed connection was not noticed");
    await until(() => backplane.coherence === "tracking", "it does not come back");
    await expectCoverage(host);
  });

  test.each(["toClient", "toServer", undefined] as const)("in silence (%s)", async (direction) => {
    const { proxy, backplane, host } = await behindProxy();
    for (const connection of proxy.connections) connection.blackhole(direction);
    await until(() => backplane.stats().gaps === 1, "the silence was not noticed");
    await until(() => backplane.coherence === "tracking", "it does not come back");
    await expectCoverage(host);
  });

  test("while nothing gets through, attempts go on, and are reported once", async () => {
    const { proxy, backplane, host, before } = await behindProxy();
    const accepted = proxy.accepted;
    proxy.refuse();
    proxy.cut();
    await until(() => proxy.accepted >= accepted + 5, "it does not try again");
    expect(backplane.coherence).toBe("ttl-only");
    expect(host.events.slice(before.events).map(({ type }) => type)).toEqual(["coherence", "gap", "error"]);
    expect(host.errors.at(-1)).toContain("it will be tried again");
    proxy.heal();
    await until(() => backplane.coherence === "tracking", "it does not come back");
  });

  test("is not taken for lost while it is only slow", async () => {
    const { proxy, backplane, host } = await behindProxy({ deadlineMs: 5_000 });
    proxy.delay(100);
    await expectCoverage(host);
    expect(backplane.stats()).toMatchObject({ gaps: 0 });
    expect(backplane.coherence).toBe("tracking");
  });

  test("by a server that gives up on a slow reader", async () => {
    const own = await startRedis({ arguments: ["--client-output-buffer-limit", "normal 1mb 0 0"] });
    const { proxy, backplane, host } = await behindProxy({ deadlineMs: 20_000 }, own);
    for (const connection of proxy.connections) connection.blackhole("toClient");
    const script = "for i = 1, 100000 do redis.call('SET', ARGV[1] .. i, string.rep('x', 10)) end";
    const isCut = async () => !String(await own.client().client("LIST")).includes("nearcache-");
    await until(async () => {
      await own.client().call("EVAL", script, "0", entryName("long name ".repeat(20)));
      return isCut();
    }, "the server keeps the slow reader");
    proxy.heal();
    await until(() => backplane.stats().gaps === 1, "the loss was not noticed");
    await until(() => backplane.coherence === "tracking", "it does not come back");
    await expectCoverage(host, own);
  });
});

describe("a server", () => {
  test("that freezes is found out, and is back in force after it thaws", async () => {
    const own = await startRedis();
    const { backplane, host } = await startBackplane(own, { mode: "tracking", settings: QUICK });
    own.freeze();
    await until(() => backplane.coherence === "ttl-only", "the frozen server was not noticed");
    expect(backplane.stats().gaps).toBe(1);
    own.thaw();
    await until(() => backplane.coherence === "tracking", "it does not come back");
    await expectCoverage(host, own);
  });

  test("that dies and comes back empty is covered anew", async () => {
    const own = await startRedis();
    const { backplane, host } = await startBackplane(own, { mode: "tracking", settings: QUICK });
    await own.kill();
    await until(() => backplane.coherence === "ttl-only", "the death was not noticed");
    const dropped = host.allCount;
    await own.start();
    await until(() => backplane.coherence === "tracking", "it does not come back");
    expect(host.allCount).toBe(dropped + 1);
    await expectCoverage(host, own);
  });

  test("that is not there at the start is found when it comes", async () => {
    const own = await startRedis();
    await own.kill();
    const { backplane, host } = newBackplane(own, { mode: "tracking", settings: QUICK });
    backplane.start(host);
    await until(() => host.errors.length === 1, "nothing is reported");
    expect(backplane.stats().gaps).toBe(0);
    await own.start();
    await until(() => backplane.coherence === "tracking", "it does not come into force");
    await expectCoverage(host, own);
  });

  test("is reached by TLS, with a user, a password and a database", async () => {
    const own = await startRedis({ isTls: true });
    await own.client().call("ACL", "SETUSER", "bob", "on", ">secret", "~*", "&*", "+@all");
    const address = { ...addressOf(own), username: "bob", password: "secret", database: 3 };
    const { host } = await startBackplane(own, { mode: "tracking", address });
    await expectCoverage(host, own);
    expect(await own.client().client("LIST")).toMatch(/name=nearcache-\S+ .* user=bob/);
  });

  test("is reached by a Unix socket", async () => {
    const own = await startRedis({ arguments: ["--unixsocket", "redis.sock"] });
    const { host } = await startBackplane(own, { mode: "tracking", address: { path: `${own.folder}/redis.sock` } });
    await expectCoverage(host, own);
  });
});
