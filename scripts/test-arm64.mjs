// `npm run test:arm64`: the engine's tests and part of the vitest suite on linux-arm64, emulated on linux-x64.
//
//   node scripts/test-arm64.mjs [--cpu neoverse-n1|cortex-a72] [--engine] [--addon]
//
// It builds the engine's tests and the addon (as it is published) for arm64, and runs them in QEMU on each of the two
// processors in scripts/lib/emulator.mjs, the addon in a Node for arm64. `--engine` and `--addon` run one of the two parts.
//
// It needs Rust, npm, and apt-get with Debian's keys; what else it takes it fetches into target/cross/, 2 GB of it, once.
//
// It shows that the instructions are those of the processor, that the code for arm64 does what it should, and that the
// package is put together right. It shows nothing of memory ordering, because what runs in the end is x64, which orders
// more than arm64 does, and nothing of speed.
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { checkBinary } from "./lib/binary.mjs";
import { CROSS, once } from "./lib/downloads.mjs";
import { CPUS, emulatedNode, emulator } from "./lib/emulator.mjs";
import { cargoEnvironment, crossTool, PLATFORMS } from "./lib/platforms.mjs";
import { fail, ROOT, run } from "./lib/run.mjs";

const PLATFORM = "linux-arm64-gnu";
const { target } = PLATFORMS[PLATFORM];
/** Starts itself under a limit of address space, which QEMU doesn't pass on; see scripts/lib/emulator.mjs. */
const ENGINE_TESTS_LEFT_OUT = ["the_region_is_refused_by_a_typed_error_when_address_space_is_short"];
/**
 * What of test/ runs: everything that crosses into the addon, and threads; no Redis, and none that wants something done
 * within a time, or so often, for which this is too slow.
 */
const SUITES = [
  ...["native", "entry-points", "errors", "stats", "keys", "batch-and-iteration", "budgets", "claims", "l0"],
  ...["values-round-trip", "values-random", "values-refused", "get-or-load", "loading/concurrency"],
  ...["threads/coherence", "threads/shapes", "threads/single-flight"],
].map((name) => `test/${name}.test.ts`);
/** Two hundred threads take minutes to start here. */
const TESTS_LEFT_OUT = "^(?!.*200 workers)";
/** What the vitest suite is made of, beside its packages. */
const PROJECT = [
  // By which a checkout is known, whose addon lies in its root.
  "crates/node/Cargo.toml",
  "ts",
  "test",
  "dist",
  "scripts",
  "package.json",
  "package-lock.json",
  "tsconfig.json",
  "vitest.config.ts",
];

const { values } = parseArgs({
  options: { cpu: { type: "string" }, engine: { type: "boolean" }, addon: { type: "boolean" } },
});
const cpus = values.cpu === undefined ? CPUS : [values.cpu];
if (!CPUS.includes(cpus[0])) {
  fail(`Which processor? ${CPUS.join(" or ")}`);
}
const started = performance.now();
const both = !values.engine && !values.addon;

if (both || values.engine) {
  for (const cpu of cpus) {
    testEngine(cpu);
  }
}
if (both || values.addon) {
  run(process.execPath, [join(ROOT, "scripts/build-platform.mjs"), PLATFORM]);
  expectCheckToFind();
  const project = preparedProject();
  for (const cpu of cpus) {
    testAddon(project, cpu);
  }
}
section("arm64: everything passed");

function testEngine(cpu) {
  section(`the engine on ${cpu}`);
  const skipped = ENGINE_TESTS_LEFT_OUT.flatMap((name) => ["--skip", name]);
  const cargo = ["test", "--package", "nearcache-engine", "--profile", "checked", "--target", target];
  run("cargo", [...cargo, "--target-dir", join(CROSS, "cargo"), "--lib", "--tests", "--", ...skipped], {
    env: {
      // Emulation is about ten times as slow.
      NEARCACHE_STRESS_SCALE: "0.03",
      PROPTEST_CASES: "12",
      ...process.env,
      ...cargoEnvironment(PLATFORM),
      CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER: emulator(cpu),
    },
  });
}

function testAddon(project, cpu) {
  const node = emulatedNode(cpu);
  section(`the addon on ${cpu}`);
  const vitest = join(project, "node_modules/vitest/vitest.mjs");
  // One process for all files: to start vitest's part of it for each would take longer than the tests.
  const options = ["--no-isolate", "--max-workers=1", "--typecheck.enabled=false", "--testTimeout=300000"];
  run(node, [vitest, "run", ...options, "--testNamePattern", TESTS_LEFT_OUT, ...SUITES], { cwd: project });
}

/** A copy of what the suite needs, with packages for linux-arm64: the root has those of this machine. */
function preparedProject() {
  run("npm", ["run", "--silent", "build:ts"]);
  const project = once("project", () => {});
  for (const name of PROJECT) {
    rmSync(join(project, name), { recursive: true, force: true });
    cpSync(join(ROOT, name), join(project, name), { recursive: true });
  }
  const addon = `nearcache.${PLATFORM}.node`;
  cpSync(join(ROOT, "target/platforms", addon), join(project, addon));
  const installed = join(project, "node_modules/.installed-lock.json");
  const lock = readFileSync(join(project, "package-lock.json"), "utf8");
  if (read(installed) !== lock) {
    const platform = ["--os=linux", "--cpu=arm64", "--libc=glibc"];
    run("npm", ["ci", ...platform, "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"], {
      cwd: project,
    });
    writeFileSync(installed, lock);
  }
  return project;
}

/** The check of addons (scripts/lib/binary.mjs) finds what it is there for: in libraries that are made wrong. */
function expectCheckToFind() {
  section("what the check of addons finds");
  const newer = assembled("newer", "ret", ["-s", "-Wl,-soname,libc.so.6", versionScript("GLIBC_2.34 { newer; };")]);
  const asked = "ldrb w16, [x16]\ncbz w16, 1f\ncasal w0, w1, [x2]\nret\n1: ret";
  const cases = [
    ["unasked", "casal w0, w1, [x2]\nret", ["-s"], /casal/],
    ["aligned", "ret", ["-s", "-Wl,-z,max-page-size=4096"], /aligned to 4096/],
    ["glibc", "b newer", ["-s", newer], /needs glibc 2\.34/],
    ["symbols", "ret", [], /not stripped/],
    ["stack", "ret", ["-s", "-Wl,-z,execstack"], /executable stack/],
    ["asked", asked, ["-s"], undefined],
  ];
  for (const [name, code, options, expected] of cases) {
    const { complaints } = checkBinary(assembled(name, code, options));
    const isRight = expected === undefined ? complaints.length === 0 : complaints.some((text) => expected.test(text));
    if (!isRight) {
      fail(`The check of addons says of "${name}": ${complaints.join(" ") || "nothing"}`);
    }
    console.log(`${name}: ${complaints.join(" ") || "nothing"}`);
  }
}

function versionScript(text) {
  const file = join(
    once("wrong", () => {}),
    "versions",
  );
  writeFileSync(file, text);
  return `-Wl,--version-script=${file}`;
}

/** A library with one function of its own name, of these instructions. */
function assembled(name, code, options) {
  const folder = once("wrong", () => {});
  const [source, library] = [join(folder, `${name}.s`), join(folder, `${name}.so`)];
  writeFileSync(source, `.arch armv8.1-a\n.globl ${name}\n.type ${name}, %function\n${name}:\n${code}\n`);
  run(crossTool(PLATFORM, "gcc"), ["-shared", "-nostdlib", "-o", library, source, ...options]);
  return library;
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") {
      return undefined;
    }
    throw error;
  }
}

function section(title) {
  console.log(`\n=== ${title} (${Math.round((performance.now() - started) / 1_000)} s)`);
}
