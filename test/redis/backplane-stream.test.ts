// The stream against a real server: what one process publishes reaches the others once, also after an interruption; and
// whatever makes a hole in it is found.
import { beforeEach, describe, expect, test } from "vitest";
import type { Backplane } from "../../ts/redis/backplane/backplane.js";
import { newBackplane, PREFIX, type RecordingHost, startBackplane, type TestOptions } from "../support/backplane.js";
import { startProxy } from "../support/proxy.js";
import { type RedisServer, startRedis } from "../support/redis.js";
import { until } from "../support/wait.js";

const STREAM = `${PREFIX}changes`;

let server: RedisServer;
beforeEach(async () => {
  server ??= await startRedis();
  await server.client().flushall();
});

/** Fast enough to wait for, slow enough for a busy machine not to trip over. */
const QUICK = { deadlineMs: 400 };

const start = (options: TestOptions = {}, target = server) => startBackplane(target, { mode: "stream", ...options });

/** A reader behind a proxy, and a writer at the server itself. */
async function readerBehindProxy(options: TestOptions = {}) {
  const proxy = await startProxy(server.port);
  const writer = await start(options);
  const reader = await start({ settings: QUICK, ...options, address: { host: proxy.host, port: proxy.port } });
  return { proxy, writer: writer.backplane, reader: reader.backplane, host: reader.host };
}

async function expectCoverage(writer: Backplane, host: RecordingHost): Promise<void> {
  const key = `covered ${Math.trunc(performance.now())}`;
  await writer.publish({ keys: [key] });
  await until(() => host.keys.includes(key), "the change is not told");
}

describe("what one process publishes", () => {
  test("reaches the others and not itself: keys of any text, tags, versions, everything", async () => {
    const first = await start();
    const second = await start();
    const keys = ["plain", "ключ", "\ud800 alone", 'quo"te', "line\r\nfeed", "\0"];
    await first.backplane.publish({ keys, tags: ["tag"], version: 9 });
    await until(() => second.host.versions.length + second.host.keys.length > keys.length, "the change is not told");
    await first.backplane.publish({ version: 8 });
    expect(second.host.keys).toEqual(keys);
    expect(second.host.tags).toEqual(["tag"]);
    await first.backplane.publish({ all: true });
    await until(() => second.host.allCount === 2, "everything is not told");
    await expectCoverage(second.backplane, first.host);
    expect(first.host).toMatchObject({ tags: [], versions: [], allCount: 1 });
    expect(second.host.versions).toEqual([9]);
    expect(second.backplane.stats()).toMatchObject({ gaps: 0, junk: 0, unpublished: 0 });
  });

  test("is one entry for what was published together, and pieces of bounded size for much", async () => {
    const { backplane, host } = await start();
    const other = await start();
    const length = await server.client().xlen(STREAM);
    await Promise.all(Array.from({ length: 100 }, (_, i) => backplane.publish({ keys: [`key ${i}`] })));
    expect(await server.client().xlen(STREAM)).toBe(length + 1);
    await backplane.publish({ keys: Array.from({ length: 9_000 }, (_, i) => `${"long ".repeat(20)}${i}`) });
    await until(() => other.host.keys.length === 9_100, "keys are missing");
    expect(await server.client().xlen(STREAM)).toBeGreaterThan(length + 10);
    expect(host.keys).toEqual([]);
  });

  test("is everything, if it is too much", async () => {
    const first = await start();
    const second = await start();
    await first.backplane.publish({ keys: Array.from({ length: 10_001 }, (_, i) => `key ${i}`) });
    await until(() => second.host.allCount === 2, "everything is not told");
    expect(second.host.keys).toEqual([]);
  });

  test("is kept while Redis can't be reached, and sent when it can", async () => {
    const { proxy, reader, host } = await readerBehindProxy();
    const client = server.client({ maxRetriesPerRequest: 0, enableOfflineQueue: false, port: proxy.port });
    const { backplane: writer, host: ownHost } = await start({ commands: client });
    await until(() => client.status === "ready", "no connection");
    proxy.refuse();
    proxy.cut();
    await until(() => client.status !== "ready", "the client did not notice");
    await writer.publish({ keys: ["late"] });
    expect(writer.stats().unpublished).toBe(1);
    expect(ownHost.errors.at(-1)).toContain("could not tell other processes");
    proxy.heal();
    await until(() => host.keys.includes("late"), "what was kept was not sent");
    await until(() => writer.stats().unpublished === 0, "it is still kept");
    expect(reader.stats().gaps).toBe(0);
  });
});

describe("an interruption", () => {
  test.each(["cut", "blackhole"] as const)("(%s): what was missed comes when it is over", async (kind) => {
    const { proxy, writer, reader, host } = await readerBehindProxy();
    proxy.refuse();
    proxy[kind]();
    await until(() => reader.coherence === "ttl-only", "the interruption was not noticed");
    await writer.publish({ keys: ["meanwhile"] });
    proxy.heal();
    await until(() => host.keys.includes("meanwhile"), "the change was lost");
    expect(reader.stats()).toMatchObject({ gaps: 0 });
    expect(host.allCount).toBe(1);
    await until(() => reader.coherence === "stream", "it does not come back");
    expect(host.modes).toEqual(["ttl-only>stream", "stream>ttl-only", "ttl-only>stream"]);
  });

  test.each(["toClient", "toServer"] as const)("by a half that is closed, %s, is one, too", async (direction) => {
    const { proxy, writer, reader, host } = await readerBehindProxy();
    const { accepted } = proxy;
    for (const connection of proxy.connections) connection.halfClose(direction);
    await until(() => proxy.accepted > accepted, "it does not connect again");
    await expectCoverage(writer, host);
    expect(reader.stats().gaps).toBe(0);
  });

  test("by a frozen server", async () => {
    const own = await startRedis();
    const reader = await start({ settings: QUICK }, own);
    const writer = await start({}, own);
    own.freeze();
    await until(() => reader.backplane.coherence === "ttl-only", "the frozen server was not noticed");
    own.thaw();
    await until(() => reader.backplane.coherence === "stream", "it does not come back");
    await expectCoverage(writer.backplane, reader.host);
    expect(reader.backplane.stats().gaps).toBe(0);
  });
});

describe("a hole", () => {
  test("by trimming, while the reader was away", async () => {
    const { proxy, writer, reader, host } = await readerBehindProxy();
    proxy.refuse();
    proxy.cut();
    await until(() => reader.coherence === "ttl-only", "the interruption was not noticed");
    await writer.publish({ keys: ["trimmed"] });
    await writer.publish({ keys: ["kept"] });
    await server.client().xtrim(STREAM, "MAXLEN", 1);
    proxy.heal();
    await until(() => reader.stats().gaps === 1, "the hole was not found");
    await until(() => host.allCount === 3, "what was learned before was not dropped");
    expect(host.keys).not.toContain("trimmed");
    await expectCoverage(writer, host);
  });

  test("by trimming, under a reader that is slow", async () => {
    const settings = { deadlineMs: 20_000, streamLength: 100 };
    const { proxy, writer, reader, host } = await readerBehindProxy({ settings });
    for (const connection of proxy.connections) connection.blackhole("toServer");
    for (let i = 0; i < 400; i++) await writer.publish({ keys: [`key ${i}`] });
    proxy.heal();
    await until(() => reader.stats().gaps >= 1, "the hole was not found");
    // What is published before it has begun anew is covered by dropping everything.
    await until(() => reader.coherence === "stream", "it does not come back");
    await expectCoverage(writer, host);
  });

  test.each<[string, (client: ReturnType<RedisServer["client"]>) => Promise<unknown>]>([
    ["FLUSHALL", (client) => client.flushall()],
    ["a deleted stream", (client) => client.del(STREAM)],
    [
      "a stream that was made anew, with smaller ids",
      async (client) => {
        await client.del(STREAM);
        await client.xadd(STREAM, "1-1", "nearcache1", '{"s":"x"}');
      },
    ],
    [
      "a stream that was made anew, with larger ids",
      async (client) => {
        await client.del(STREAM);
        await client.xadd(STREAM, "*", "nearcache1", '{"s":"x"}');
      },
    ],
    ["a stream that was emptied", (client) => client.xtrim(STREAM, "MAXLEN", 0)],
  ])("by %s, while it reads", async (_, destroy) => {
    const { writer, reader, host } = await readerBehindProxy();
    await destroy(server.client());
    await until(() => reader.stats().gaps === 1, "the hole was not found");
    await until(() => host.allCount === 3, "what was learned before was not dropped");
    await expectCoverage(writer, host);
  });

  test("by a server that died and came back empty", async () => {
    const own = await startRedis();
    const reader = await start({ settings: QUICK }, own);
    const writer = await start({}, own);
    await own.restart();
    await until(() => reader.backplane.stats().gaps === 1, "the hole was not found");
    await until(() => reader.backplane.coherence === "stream", "it does not come back");
    await until(() => writer.client?.status === "ready", "the writer does not come back");
    await expectCoverage(writer.backplane, reader.host);
  });

  test("is assumed where another server answers, though it has the anchor", async () => {
    const own = await startRedis({ arguments: ["--appendonly", "yes", "--appendfsync", "always"] });
    const { backplane } = await start({ settings: QUICK }, own);
    await own.restart();
    expect(await own.client().xlen(STREAM)).toBeGreaterThanOrEqual(1);
    await until(() => backplane.stats().gaps === 1, "no hole was assumed");
  });
});

describe("junk in the stream", () => {
  test("of others is counted and skipped", async () => {
    const { writer, reader, host } = await readerBehindProxy();
    await server.client().xadd(STREAM, "*", "job", "42", "queue", "mail");
    await server.client().xadd(STREAM, "*", Buffer.from([0, 255]), Buffer.from([13, 10]));
    await expectCoverage(writer, host);
    expect(reader.stats()).toMatchObject({ junk: 2, gaps: 0 });
  });

  test.each([
    ["nearcache1", "{"],
    ["nearcache1", "null"],
    ["nearcache1", '{"s":5}'],
    ["nearcache1", '{"s":"x","k":"key"}'],
    ["nearcache1", '{"s":"x","k":[1]}'],
    ["nearcache1", '{"s":"x","a":1}'],
    ["nearcache1", '{"s":"x","v":-1}'],
    ["nearcache1", '{"s":"x","v":1e99}'],
    ["nearcache2", '{"s":"x"}'],
  ])("that may have been a change (%s %s) is a hole", async (field, value) => {
    const { backplane, host } = await start();
    const { backplane: writer } = await start();
    await server.client().xadd(STREAM, "*", field, value);
    await until(() => backplane.stats().junk === 1, "the junk was not counted");
    expect(backplane.stats().gaps).toBe(1);
    expect(host.allCount).toBe(2);
    await expectCoverage(writer, host);
  });

  test("by the thousand is one hole per read", async () => {
    const { backplane } = await start();
    const pipeline = server.client().multi();
    for (let i = 0; i < 1_000; i++) pipeline.xadd(STREAM, "*", "nearcache1", "{");
    await pipeline.exec();
    await until(() => backplane.stats().junk === 1_000, "the junk was not counted");
    expect(backplane.stats().gaps).toBeLessThanOrEqual(10);
  });

  test("that is too large to be read is left behind", async () => {
    const { writer, reader, host } = await readerBehindProxy();
    await server.client().xadd(STREAM, "*", "large", Buffer.alloc(17 * 2 ** 20));
    await until(() => reader.stats().gaps >= 1, "the hole was not noticed");
    await until(() => reader.coherence === "stream", "it does not come back");
    await expectCoverage(writer, host);
  });

  test("with the last id that there is does not end the stream for good", async () => {
    const { writer, reader, host } = await readerBehindProxy();
    const last = "18446744073709551615-18446744073709551615";
    await server.client().xadd(STREAM, last, "job", "42");
    await expectCoverage(writer, host).catch(() => undefined);
    await until(() => reader.stats().gaps >= 1, "the new stream was not noticed");
    await until(() => reader.coherence === "stream", "it does not come back");
    await expectCoverage(writer, host);
  });

  test("a stream that is deleted again and again costs no storm", async () => {
    const { backplane } = await start();
    const client = server.client();
    let deletions = 0;
    await until(async () => {
      deletions += await client.del(STREAM);
      return backplane.stats().gaps >= 5;
    }, "the holes were not noticed");
    expect(backplane.stats().gaps).toBeLessThanOrEqual(deletions + 1);
  });

  test("instead of a stream: nothing is in force until it is gone", async () => {
    const { backplane, host } = await start();
    await server.client().set(STREAM, "a string");
    await until(() => backplane.coherence === "ttl-only", "the wrong type was not noticed");
    expect(host.errors.at(-1)).toContain("WRONGTYPE");
    await server.client().del(STREAM);
    await until(() => backplane.coherence === "stream", "it does not come back");
    expect(backplane.stats().gaps).toBe(1);
  });
});

test("a change can be sent in one transaction with the write", async () => {
  const { backplane } = await start();
  const other = await start();
  const transaction = server.client().multi().set("key", "value");
  for (const [name, ...parts] of backplane.commandsFor({ keys: ["key"] })) transaction.call(name as string, ...parts);
  await transaction.exec();
  await until(() => other.host.keys.includes("key"), "the change is not told");
});

test("a backplane that is closed says nothing more", async () => {
  const { backplane: writer } = await start();
  const { backplane, host } = newBackplane(server, { mode: "stream" });
  backplane.start(host);
  await backplane.close();
  await writer.publish({ keys: ["key"] });
  expect(host).toMatchObject({ keys: [], allCount: 0, events: [] });
});
