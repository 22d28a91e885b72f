// `npm test` and `.ci/run` come here first: the tests need a real redis-server and openssl. Where this process may install
// Debian's packages (as root, with apt-get) it does; elsewhere it says exactly what to do, and fails.
import { spawnSync } from "node:child_process";
import { findOnPath, findRedis, REDIS_MAJOR_MIN, REDIS_MISSING, redisVersionOf } from "./lib/redis.mjs";
import { fail, run } from "./lib/run.mjs";

const OPENSSL_MISSING = `The tests make a certificate with openssl, and there is none on the PATH.
  Debian, Ubuntu:  sudo apt-get install openssl
  Fedora:          sudo dnf install openssl
  macOS:           brew install openssl`;

const mayInstall = process.getuid?.() === 0 && findOnPath("apt-get") !== undefined;
const missing = [isMissing(findRedis) && "redis-server", !findOnPath("openssl") && "openssl"].filter(Boolean);
if (missing.length > 0 && mayInstall) {
  install(missing);
}
if (isMissing(findRedis)) {
  fail(REDIS_MISSING);
}
if (!findOnPath("openssl")) {
  fail(OPENSSL_MISSING);
}
const server = findRedis();
const version = redisVersionOf(server);
if (!version || version[0] < REDIS_MAJOR_MIN) {
  const found = version ? `version ${version.join(".")}` : "no redis-server that runs";
  fail(`${server} is ${found}.\n${REDIS_MISSING}`);
}

function install(packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const install = ["apt-get", ["install", "--yes", "--no-install-recommends", ...packages], { env }];
  console.log(`installing ${packages.join(" and ")} with apt-get`);
  // The lists may be there and good enough; fetching them takes a while.
  if (spawnSync(install[0], install[1], { env, stdio: "ignore" }).status !== 0) {
    run("apt-get", ["update", "--quiet"], { env });
    run(...install);
  }
}

function isMissing(find) {
  try {
    find();
    return false;
  } catch {
    return true;
  }
}
