// What it costs to import the package: Node with nothing to do and Node with that import take turns, each in a process of
// its own. A report, not a test: a shared machine has other things to do.
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const PAIRS = 11;
const PROGRAMS = {
  empty: "",
  module: 'import "nearcache";',
  commonjs: 'import { createRequire } from "node:module"; createRequire(import.meta.url)("nearcache");',
  cache: 'import { createCache } from "nearcache"; createCache({ maxMemory: "16mb", ttl: "1m" });',
};

/** Medians in milliseconds over an empty start: `{ module, commonjs, cache }`, and `empty` itself. */
export function measureStartup(project) {
  const names = Object.keys(PROGRAMS);
  const times = Object.fromEntries(names.map((name) => [name, []]));
  for (const name of names) {
    writeFileSync(join(project.folder, `start-${name}.mjs`), PROGRAMS[name]);
    project.run(`start-${name}.mjs`);
  }
  for (let pair = 0; pair < PAIRS; pair++) {
    // Who goes first has the warmer machine, or the colder one.
    for (const name of pair % 2 === 0 ? names : names.toReversed()) {
      const start = performance.now();
      project.run(`start-${name}.mjs`);
      times[name].push(performance.now() - start);
    }
  }
  const empty = median(times.empty);
  const over = (name) => median(times[name].map((time, index) => time - times.empty[index]));
  return { empty, module: over("module"), commonjs: over("commonjs"), cache: over("cache") };
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
