// Writes through a cache to an origin, until it is killed: `child.mjs PATTERN FILE ENDING`.
//
// The origin is a file: a line per item, appended when a "database" has taken 2 ms for it, or for a batch of it. What is
// in the file survives SIGKILL. A line goes to standard output when `write` has said that it is done. A pipe is written
// synchronously on Linux, so a line that was written was received.
import { appendFileSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createCache, WriteBehind, writeThrough } from "nearcache";

const [pattern, file, ending] = process.argv.slice(2);
const cache = createCache({ maxMemory: "16mb", ttl: "1h" });

async function commit(items) {
  await sleep(2);
  appendFileSync(file, items.map(({ key }) => `${key}\n`).join(""));
}

const behind = new WriteBehind(cache, {
  to: commit,
  onWriteFailed: (items) => appendFileSync(`${file}.failed`, items.map(({ key }) => `${key}\n`).join("")),
});

const write =
  pattern === "through"
    ? (key) => writeThrough(cache, key, key, { to: (_, value) => commit([{ key: value }]) })
    : (key) => behind.write(key, key);

// Killed from outside, this never ends by itself; else it writes some and ends as asked.
const count = ending === "killed" ? Number.POSITIVE_INFINITY : 250;
for (let index = 0; index < count; index++) {
  await write(`key-${index}`);
  writeSync(1, `key-${index}\n`);
}
if (ending === "exit") {
  process.exit(0);
} else if (ending === "uncaught") {
  throw new Error("on purpose");
}
