// A registry of our own, on loopback, in a folder that is thrown away: what is published there exists nowhere else. All
// other packages it asks the registry for that npm is configured with.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../../scripts/lib/ports.mjs";
import { capture, fail, ROOT, run } from "../../../scripts/lib/run.mjs";

const VERDACCIO = join(ROOT, "test/install/node_modules/verdaccio/bin/verdaccio");
const shell = process.platform === "win32";
/** A slow machine may take a while to load it. */
const START_MS_MAX = 60_000;
const POLL_MS = 50;

/** Starts the registry: `{ url, publish(folder), environment(cache), close() }`. */
export async function startRegistry(folder) {
  const configured = npmSetting("registry");
  const url = `http://127.0.0.1:${await freePort()}`;
  const config = join(folder, "config.json");
  const log = join(folder, "registry.log");
  mkdirSync(folder, { recursive: true });
  // JSON is YAML, which it reads.
  writeFileSync(config, JSON.stringify(settings(folder, configured)));
  const output = openSync(log, "w");
  const certificates = npmSetting("cafile");
  const registry = spawn(process.execPath, [VERDACCIO, "--config", config, "--listen", url], {
    stdio: ["ignore", output, output],
    env: { ...process.env, ...(certificates ? { NODE_EXTRA_CA_CERTS: certificates } : {}) },
  });
  const ended = once(registry, "exit");
  const userConfig = join(folder, "npmrc");
  // npm publishes to nobody without a token; this registry looks at none.
  writeFileSync(userConfig, `registry=${url}/\n${url.replace("http:", "")}/:_authToken=nobody\n`);
  const environment = (cache) => npmEnvironment({ userconfig: userConfig, cache: join(folder, cache) });
  await answering(`${url}/-/ping`, registry, log);
  return {
    url,
    environment,
    publish: (path) => run("npm", ["publish", path, "--silent"], { env: environment("publisher"), shell }),
    close: async () => {
      registry.kill();
      await ended;
    },
  };
}

function settings(folder, uplink) {
  const ours = { access: "$all", publish: "$all" };
  return {
    storage: join(folder, "storage"),
    auth: { htpasswd: { file: join(folder, "htpasswd") } },
    uplinks: { npm: { url: uplink, maxage: "1h", timeout: "60s" } },
    packages: { nearcache: ours, "@nearcache/*": ours, "**": { access: "$all", proxy: "npm" } },
    web: { enable: false },
    middlewares: { audit: { enabled: false } },
    log: { type: "stdout", format: "json", level: "warn" },
  };
}

/** Nothing of what npm is configured with on this machine, but what is said here. */
function npmEnvironment(npm) {
  const clean = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  const quiet = {
    audit: "false",
    fund: "false",
    update_notifier: "false",
    globalconfig: join(npm.cache, "none"),
    ...npm,
  };
  return Object.fromEntries([...clean, ...Object.entries(quiet).map(([name, value]) => [`npm_config_${name}`, value])]);
}

function npmSetting(name) {
  const value = capture("npm", ["config", "get", name], { shell }).trim();
  return value === "null" || value === "undefined" ? undefined : value;
}

async function answering(url, registry, log) {
  for (let waitedMs = 0; waitedMs < START_MS_MAX && registry.exitCode === null; waitedMs += POLL_MS) {
    const isUp = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (isUp) return;
    await sleep(POLL_MS);
  }
  registry.kill();
  fail(`The registry does not start:\n${readFileSync(log, "utf8")}`);
}
