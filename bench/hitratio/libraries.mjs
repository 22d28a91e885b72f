// nearcache beside the caches that people use, as they are: moka and quick_cache (bench/compare), lru-cache, and Caffeine
// from Maven Central where Java is installed. Each is replayed with as many entries as nearcache, and with as many as
// fit into nearcache's memory with values of 100 bytes; what caches of each take at which sizes is measured first.
import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { ROOT, run } from "../../scripts/lib/run.mjs";

const CAFFEINE = "3.2.3";
const CACHE_FOLDER = join(ROOT, "node_modules/.cache/bench-hitratio");
/** Capacities at which it is measured what a cache takes: four in each doubling, since tables double. */
const MEASURED = Array.from({ length: 54 }, (_, at) => 2 ** (5 + Math.floor(at / 4)) * (1 + (at % 4) / 4));
/** Bytes of nearcache's budget that an entry takes: what `nearcache size` says for 8-byte keys and 100-byte values. */
const NEARCACHE_BYTES = 162;
const execute = promisify(execFile);

/**
 * Replays object-count cells. Resolves to `{ bytes: { [library]: [{ capacity, bytes }] }, rows }`, a row being `{ trace,
 * fraction, library, atEntries, atMemory }` in percent. What is not installed is said and left out.
 */
export async function compareLibraries(program, cells, onDone) {
  const libraries = findLibraries();
  const bytes = {};
  for (const [name, command] of Object.entries(libraries)) {
    bytes[name] = await measure(command);
    const per = ({ capacity, bytes: all }) => `${(all / capacity).toFixed(0)} at ${capacity}`;
    console.log(`${name}: bytes per entry ${bytes[name].filter((_, at) => at % 8 === 0).map(per)}`);
  }
  const folder = mkdtempSync(join(tmpdir(), "nearcache-hitratio-"));
  try {
    const rows = [];
    for (const some of byTrace(cells)) {
      rows.push(...(await compareOne(program, libraries, bytes, some, join(folder, "keys"))));
      onDone(some[0].trace);
    }
    return { bytes, rows };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function byTrace(cells) {
  const traces = new Map();
  for (const cell of cells) {
    traces.set(cell.trace, [...(traces.get(cell.trace) ?? []), cell]);
  }
  return [...traces.values()];
}

async function compareOne(program, libraries, bytes, cells, keys) {
  writeFileSync(keys, keysOf(cells[0].file));
  const budgets = cells.map(({ capacity }) => Math.max(65_536, capacity * NEARCACHE_BYTES));
  const own = async (option, sizes) => {
    const text = await output([program, cells[0].file, option, sizes.join(","), "--json"], []);
    return text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).hit_ratio * 100);
  };
  const ratios = async (command, capacities) => {
    const text = await output(command, [keys, capacities.join(",")]);
    return text
      .trim()
      .split("\n")
      .map(JSON.parse)
      .map(({ hits, requests }) => (hits / requests) * 100);
  };
  const capacities = cells.map(({ capacity }) => capacity);
  const entries = { nearcache: await own("--entries", capacities) };
  const memory = { nearcache: await own("--memory", budgets) };
  for (const [name, command] of Object.entries(libraries)) {
    entries[name] = await ratios(command, capacities);
    memory[name] = await ratios(
      command,
      budgets.map((budget) => entriesIn(budget, bytes[name])),
    );
  }
  return cells.flatMap(({ trace, fraction, capacity }, at) =>
    Object.keys(entries).map((library) => ({
      ...{ trace, fraction, capacity, library },
      atEntries: entries[library][at],
      atMemory: memory[library][at],
    })),
  );
}

/** The keys of a trace alone, as packed numbers. */
function keysOf(file) {
  const packed = gunzipSync(readFileSync(file));
  const layout = file.split("/").pop().split(".")[1];
  const recordBytes = 8 + 4 * (layout.length - 1);
  if (recordBytes === 8) {
    return packed;
  }
  const count = packed.length / recordBytes;
  const keys = Buffer.alloc(count * 8);
  for (let at = 0; at < count; at += 1) {
    packed.copy(keys, at * 8, at * recordBytes, at * recordBytes + 8);
  }
  return keys;
}

/** The command line of each library that is there. */
function findLibraries() {
  const manifest = join(ROOT, "bench/compare/Cargo.toml");
  run("cargo", ["build", "--release", "--quiet", "--manifest-path", manifest, "--bin", "hitratio"]);
  const target = process.env.CARGO_TARGET_DIR ?? join(ROOT, "bench/compare/target");
  const rust = join(target, "release/hitratio");
  const caffeine = findCaffeine();
  const java = [
    "java",
    "-Xmx6g",
    "-XX:+UseSerialGC",
    "-cp",
    caffeine,
    join(import.meta.dirname, "CaffeineReplay.java"),
  ];
  return {
    moka: [rust, "moka"],
    quick_cache: [rust, "quick_cache"],
    "lru-cache": [process.execPath, "--expose-gc", join(import.meta.dirname, "lru-cache.mjs")],
    ...(caffeine ? { Caffeine: java } : {}),
  };
}

function findCaffeine() {
  const jar = join(CACHE_FOLDER, `caffeine-${CAFFEINE}.jar`);
  if (!existsSync(jar)) {
    const artifact = `com.github.ben-manes.caffeine:caffeine:${CAFFEINE}`;
    const args = ["-q", "-B", "dependency:copy", `-Dartifact=${artifact}`, `-DoutputDirectory=${CACHE_FOLDER}`];
    spawnSync("mvn", args, { stdio: ["ignore", "inherit", "inherit"] });
  }
  const hasJava = spawnSync("java", ["-version"], { stdio: "ignore" }).status === 0;
  if (!hasJava || !existsSync(jar)) {
    console.log("Caffeine is left out: it needs Java 17 and Maven");
    return undefined;
  }
  return jar;
}

/** What a cache takes that is full, and whose entries have been replaced for a while, at each of the capacities. */
async function measure(command) {
  const all = [];
  for (const capacity of MEASURED) {
    // A process for each: what one has given back, the next would use again unnoticed.
    all.push(JSON.parse(await output(command, ["--bytes", String(capacity)])));
  }
  return all;
}

/** The largest capacity whose cache fits into a budget, between two measured ones by the line that joins them. */
function entriesIn(budget, measured) {
  const above = measured.findIndex(({ bytes }) => bytes > budget);
  if (above === 0) {
    return Math.max(1, Math.floor((measured[0].capacity * budget) / measured[0].bytes));
  }
  const at = above < 0 ? measured.length - 1 : above;
  const [low, high] = [measured[at - 1], measured[at]];
  const share = (budget - low.bytes) / (high.bytes - low.bytes);
  return Math.floor(low.capacity + share * (high.capacity - low.capacity));
}

async function output([command, ...before], args) {
  const { stdout } = await execute(command, [...before, ...args], { maxBuffer: 64 << 20 });
  return stdout;
}
