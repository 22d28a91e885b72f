// Where the machine's redis-server is, for the tests and for scripts/need-redis.mjs.
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Older ones lack commands that the tests use. */
export const REDIS_MAJOR_MIN = 7;

/** What to say where it is missing. */
export const REDIS_MISSING = `The tests run against a real redis-server (version ${REDIS_MAJOR_MIN} or newer), and there is none on the PATH.
  Debian, Ubuntu:  sudo apt-get install redis-server
  Fedora:          sudo dnf install valkey
  macOS:           brew install redis
  Windows:         run the tests in WSL
Or name one by its path: REDIS_SERVER=/path/to/redis-server npm test`;

/** The path of redis-server; an error that says what to install where there is none. */
export function findRedis() {
  const found = process.env.REDIS_SERVER || findOnPath("redis-server") || findOnPath("valkey-server");
  if (!found) {
    throw new Error(REDIS_MISSING);
  }
  return found;
}

/** The path of a Valkey server that the tests use beside Redis, where there is one: `VALKEY_SERVER`, or on the PATH. */
export function findValkey() {
  return process.env.VALKEY_SERVER || findOnPath("valkey-server");
}

/** The path of a program, or undefined. */
export function findOnPath(name) {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/** The version that a server says it has, as `[major, minor]`; undefined where it does not run. */
export function redisVersionOf(server) {
  const { stdout } = spawnSync(server, ["--version"], { encoding: "utf8" });
  const match = /v=(\d+)\.(\d+)/.exec(stdout ?? "");
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
