// `npm run test:install`: proves that nearcache installs.
//
//   node scripts/test-install.mjs [--node 20,22,24,26] [--packages FOLDER]
//
// Lays out what is published, with the addon that is built here, checks it with publint and arethetypeswrong, publishes it
// to a registry on loopback, and installs it from there into empty projects under each Node. The packages of other platforms
// hold a text instead of an addon: nothing here loads them. With `--packages`, what scripts/package.mjs has laid out in
// FOLDER is taken as it is.
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { execute, Project } from "../test/install/lib/project.mjs";
import { startRegistry } from "../test/install/lib/registry.mjs";
import { measureStartup } from "../test/install/lib/startup.mjs";
import { checkTypes } from "../test/install/lib/types.mjs";
import { nodeBinary } from "./lib/node.mjs";
import { addonFile, layOutPackages, pack, packageName, readManifest } from "./lib/packages.mjs";
import { PLATFORMS } from "./lib/platforms.mjs";
import { ROOT, run } from "./lib/run.mjs";
import { hostTriple } from "./lib/triple.mjs";

/** What an installation may take, dependencies included. */
const INSTALL_SECONDS_MAX = 5;
const INSTALL_BYTES_MAX = 6 * 1024 * 1024;
const MIB = 1024 * 1024;
/** Another platform than any that this runs on, to install for. */
const ELSEWHERE = { platform: "linux-arm64-musl", flags: ["--os=linux", "--cpu=arm64", "--libc=musl"] };

const { values } = parseArgs({
  options: {
    node: { type: "string", default: "20,22,24,26" },
    packages: { type: "string" },
  },
});
const majors = values.node.split(",");
const host = hostTriple();
const tools = join(ROOT, "test/install");
const started = performance.now();

if (!isInstalled(tools)) {
  const quiet = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--silent"];
  run("npm", ["ci", "--prefix", tools, ...quiet], { shell: process.platform === "win32" });
}
const nodes = majors.map((major) => ({ major, node: nodeBinary(major) }));
const folder = mkdtempSync(join(tmpdir(), "nearcache-install-"));
let registry;
try {
  const packages = await layOut();
  checkPackage(packages.root);
  registry = await startRegistry(join(folder, "registry"));
  for (const path of [...Object.values(packages.platforms), packages.root]) registry.publish(path);
  report(`published ${Object.keys(packages.platforms).length + 1} packages to ${registry.url}`);
  // Has the registry fetch the dependencies, so that what is timed is an installation and not somebody's network.
  newProject("warming", nodes[0]).install("nearcache");
  for (const node of nodes) installAndRun(node);
  everyEntry(nodes.at(-1));
  withoutScripts(nodes[0]);
  withoutPlatformPackage(nodes[0]);
  forAnotherPlatform(nodes[0]);
  reportStartup();
} finally {
  await registry?.close();
  rmSync(folder, { recursive: true, force: true });
}
report("everything passed");

/** Whether npm has installed what the lock file says, and that has not changed since. */
function isInstalled(path) {
  const installed = join(path, "node_modules/.package-lock.json");
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(path, "package-lock.json")).mtimeMs;
}

/** The folders of what is published: `{ root, platforms }`. */
async function layOut() {
  const packages = values.packages === undefined ? await layOutHere() : laidOutIn(resolve(values.packages));
  const { size } = statSync(join(packages.platforms[host], addonFile(host)));
  report(`laid out; the addon for ${host} has ${size} bytes`);
  return packages;
}

async function layOutHere() {
  run(process.execPath, [join(ROOT, "scripts/build-native.mjs")]);
  const standIn = join(folder, "no-addon");
  writeFileSync(standIn, "an addon for another platform\n");
  const addonOf = (platform) => (platform === host ? join(ROOT, addonFile(host)) : standIn);
  return await layOutPackages(join(ROOT, "target/packages"), addonOf);
}

function laidOutIn(path) {
  const names = Object.keys(PLATFORMS).map((name) => [name, join(path, name)]);
  return { root: join(path, "nearcache"), platforms: Object.fromEntries(names) };
}

function checkPackage(root) {
  const archive = pack(root, folder);
  execute(process.execPath, [join(tools, "node_modules/publint/src/cli.js"), archive, "--strict"]);
  // Resolution as before Node 12 knows no entry points at all; every other kind is checked.
  const wrong = join(tools, "node_modules/@arethetypeswrong/cli/dist/index.js");
  execute(process.execPath, [wrong, archive, "--profile", "node16", "--format", "ascii", "--no-emoji"]);
  report("publint and arethetypeswrong have nothing to say");
}

function newProject(name, { major, node }) {
  return new Project(join(folder, `${name}-${major}`), node, registry.environment(`cache-${name}-${major}`));
}

/** From nothing to a cache that works: as a module, as CommonJS, in workers, with types. */
function installAndRun(node) {
  const project = newProject("project", node);
  const seconds = project.install("nearcache");
  const packages = project.packages();
  const bytes = packages.reduce((sum, one) => sum + one.bytes, 0);
  assert.deepEqual(
    packages.filter(({ name }) => name.startsWith("@nearcache/")).map(({ name }) => name),
    [packageName(host)],
    "the addon of this platform, and of no other",
  );
  assert.deepEqual(
    packages.filter(({ scripts }) => scripts.length > 0),
    [],
    "nothing runs a script or a compiler",
  );
  assert.ok(bytes < INSTALL_BYTES_MAX, `${bytes} bytes, ${INSTALL_BYTES_MAX} at most`);
  for (const program of ["smoke.mjs", "smoke.cjs"]) {
    assert.equal(project.run(program), "ok\n");
  }
  const late = seconds > INSTALL_SECONDS_MAX ? `, more than the ${INSTALL_SECONDS_MAX} it should take` : "";
  report(`Node ${node.major}: installed in ${seconds.toFixed(1)} s${late}; module, CommonJS and workers work`);
  if (node === nodes[0]) {
    reportSizes(packages, bytes);
    report(`types resolve: ${checkTypes(project, "core", false).join(", ")}`);
  }
}

function reportSizes(packages, total) {
  for (const { name, version, bytes } of packages.toSorted((a, b) => b.bytes - a.bytes)) {
    console.log(`  ${(bytes / MIB).toFixed(2).padStart(6)} MiB  ${name} ${version}`);
  }
  console.log(`  ${(total / MIB).toFixed(2).padStart(6)} MiB  in all`);
}

/** With the packages that entry points are for. */
function everyEntry(node) {
  const { devDependencies, peerDependencies } = readManifest();
  const project = newProject("entries", node);
  const peers = Object.keys(peerDependencies).map((name) => `${name}@${devDependencies[name]}`);
  project.install("nearcache", ...peers);
  const entries = project.run("entries.mjs").trim();
  report(`${entries} entry points load; types: ${checkTypes(project, "entries", true).join(", ")}`);
}

function withoutScripts(node) {
  const project = newProject("no-scripts", node);
  project.install("--ignore-scripts", "nearcache");
  assert.equal(project.run("smoke.mjs"), "ok\n");
  report("--ignore-scripts changes nothing");
}

/** As npm/cli#4828 leaves it; then the command that the error names. */
function withoutPlatformPackage(node) {
  const project = newProject("missing", node);
  project.install("--omit=optional", "nearcache");
  const { message, ...error } = JSON.parse(project.run("refused.mjs"));
  assert.deepEqual(error, { typed: true, code: "ERR_NATIVE_ADDON", reason: "missing-package", platform: host });
  assert.ok(message.includes(`${packageName(host)} on ${host}`) && message.includes("npm/cli/issues/4828"), message);
  rmSync(join(project.folder, "node_modules"), { recursive: true });
  rmSync(join(project.folder, "package-lock.json"));
  project.install();
  assert.equal(project.run("smoke.mjs"), "ok\n");
  report(`without its platform package: ${message}`);
}

function forAnotherPlatform(node) {
  if (host === ELSEWHERE.platform) return;
  const project = newProject("elsewhere", node);
  project.install(...ELSEWHERE.flags, "nearcache");
  const { message, ...error } = JSON.parse(project.run("refused.mjs"));
  assert.deepEqual(error, { typed: true, code: "ERR_NATIVE_ADDON", reason: "other-platform", platform: host });
  assert.ok(message.includes(`${packageName(ELSEWHERE.platform)} is there`), message);
  report(`installed for another platform: ${message}`);
}

/** Under the oldest Node and the newest. */
function reportStartup() {
  for (const node of new Set([nodes[0], nodes.at(-1)])) {
    const project = newProject("startup", node);
    project.install("nearcache");
    const { empty, module, commonjs, cache } = measureStartup(project);
    const costs = `${module.toFixed(1)} ms as a module, ${commonjs.toFixed(1)} ms as CommonJS`;
    report(
      `Node ${node.major} starts in ${empty.toFixed(0)} ms; importing adds ${costs}, with a cache ${cache.toFixed(1)} ms`,
    );
  }
}

function report(line) {
  console.log(`[${((performance.now() - started) / 1000).toFixed(0).padStart(3)} s] ${line}`);
}
