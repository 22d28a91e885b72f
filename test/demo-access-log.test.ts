// The demo's reader of access logs: what it replays, what it leaves out and counts, what it refuses.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { AccessLogError, readAccessLog } from "../scripts/demo/access-log.mjs";

const folder = mkdtempSync(join(tmpdir(), "nearcache-log-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const line = (request: string, end = "200 2326"): string =>
  `127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "${request}" ${end}`;

test("replays GET and HEAD in the log's order, common and combined format alike", async () => {
  const lines = [
    line("GET /a HTTP/1.0"),
    line("GET /b?x=1 HTTP/1.1", '200 17 "https://example.com/" "Mozilla/5.0 (X11)"'),
    line("HEAD /a HTTP/1.1", "304 -"),
    line("GET /a"),
  ];
  const log = await readAccessLog(file("good.log", `${lines.join("\r\n")}\n`));
  expect([...log.order].map((index) => log.paths[index])).toEqual(["/a", "/b?x=1", "/a", "/a"]);
  expect(log).toMatchObject({ lines: 4, otherMethods: 0, badLines: 0, isCut: false });
});

test("counts what it leaves out, and shows where the lines that it does not understand are", async () => {
  const lines = [line("POST /a HTTP/1.1"), "", "nonsense", line("GET /b HTTP/1.1"), line("\\x16\\x03", "400 0")];
  const log = await readAccessLog(file("mixed.log", lines.join("\n")));
  expect(log.paths).toEqual(["/b"]);
  expect(log).toMatchObject({ lines: 5, otherMethods: 1, badLines: 2 });
  expect(log.badExamples.map((bad) => bad.line)).toEqual([3, 5]);
});

test("targets become what a request line may hold", async () => {
  const lines = [
    line("GET http://example.com/x HTTP/1.1"),
    line("GET /caf\u00e9 HTTP/1.1"),
    line("CONNECT a:443 HTTP/1.1"),
  ];
  const log = await readAccessLog(file("targets.log", lines.join("\n")));
  expect(log.paths).toEqual(["/x", "/caf%C3%A9"]);
  expect(log.badLines).toBe(1);
});

test("unpacks .gz", async () => {
  const log = await readAccessLog(file("a.log.gz", gzipSync(line("GET /z HTTP/1.1"))));
  expect(log.paths).toEqual(["/z"]);
});

test("a missing file, a folder, a broken archive and a file without requests are clear errors", async () => {
  const expectations: [string, RegExp][] = [
    [join(folder, "missing.log"), /There is no file .*missing\.log/],
    [folder, /is no file/],
    [file("broken.log.gz", "x"), /cannot be read/],
    [file("empty.log", ""), /holds no GET request.*0 lines/],
  ];
  for (const [path, message] of expectations) {
    const reading = readAccessLog(path);
    await expect(reading).rejects.toThrow(AccessLogError);
    await expect(reading).rejects.toThrow(message);
  }
});
