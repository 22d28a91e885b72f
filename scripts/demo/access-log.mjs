// Reads an access log in the common log format (or the combined one, which adds to its end):
//   127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326
// A file that ends in .gz is unpacked on the way.
import { createReadStream, statSync } from "node:fs";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";

/** Enough for the time the demo runs, and little enough to hold: 2 million numbers are 8 MB. */
export const REQUESTS_MAX = 2_000_000;
/** How many lines that are no log lines are shown. */
const BAD_LINES_SHOWN = 3;

const LINE = /^\S+ \S+ .*?\[[^\]]+\] "(?<method>[A-Z]+) (?<target>\S+)(?: HTTP\/\d(?:\.\d)?)?" \d{3} (?:\d+|-)(?: |$)/;

/** What was wrong with the file, in words for the person who named it. */
export class AccessLogError extends Error {}

/**
 * Returns `{ paths, order, lines, otherMethods, badLines, badExamples, isCut }`: the distinct paths, and the
 * requests in the log's order as indexes into them. Only GET and HEAD requests are replayed.
 */
export async function readAccessLog(file) {
  checkFile(file);
  const log = { lines: 0, otherMethods: 0, badLines: 0, badExamples: [], isCut: false };
  const requests = new Requests();
  try {
    await readLines(file, log, requests);
  } catch (error) {
    throw new AccessLogError(`${file} cannot be read: ${error.message}.`, { cause: error });
  }
  if (requests.count === 0) {
    throw new AccessLogError(
      `${file} holds no GET request in the common log format (${log.lines} lines read, ${log.badLines} not understood).`,
    );
  }
  return { ...log, paths: requests.paths, order: Uint32Array.from(requests.order) };
}

async function readLines(file, log, requests) {
  for await (const line of createInterface({ input: openLog(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    if (requests.count === REQUESTS_MAX) {
      log.isCut = true;
      return;
    }
    readLine(line, log, requests);
  }
}

class Requests {
  paths = [];
  order = [];
  #indexes = new Map();

  get count() {
    return this.order.length;
  }

  add(path) {
    let index = this.#indexes.get(path);
    if (index === undefined) {
      index = this.paths.push(path) - 1;
      this.#indexes.set(path, index);
    }
    this.order.push(index);
  }
}

function readLine(line, log, requests) {
  log.lines += 1;
  if (line.trim() === "") {
    return;
  }
  const { method, target } = LINE.exec(line)?.groups ?? {};
  const path = target && pathOf(target);
  if (!path) {
    log.badLines += 1;
    if (log.badExamples.length < BAD_LINES_SHOWN) {
      log.badExamples.push({ line: log.lines, text: line.slice(0, 100) });
    }
  } else if (method === "GET" || method === "HEAD") {
    requests.add(path);
  } else {
    log.otherMethods += 1;
  }
}

/** The path with its query, fit for a request line; undefined for anything else (`*`, `host:443`). */
function pathOf(target) {
  const path = target.replace(/^https?:\/\/[^/]*/, "");
  if (!path.startsWith("/")) {
    return undefined;
  }
  return path.replace(/[^\x21-\x7e]/gu, (char) => encodeURIComponent(char.toWellFormed?.() ?? "\ufffd"));
}

function checkFile(file) {
  const found = statSync(file, { throwIfNoEntry: false });
  if (!found) {
    throw new AccessLogError(`There is no file ${file}.`);
  }
  if (!found.isFile()) {
    throw new AccessLogError(`${file} is no file.`);
  }
}

function openLog(file) {
  const raw = createReadStream(file);
  if (!file.endsWith(".gz")) {
    return raw;
  }
  const unpacked = createGunzip();
  raw.on("error", (error) => unpacked.destroy(error));
  return raw.pipe(unpacked);
}
