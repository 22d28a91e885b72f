// `node bench/hitratio/cross-validate.mjs RESULT.json...`: do parameters that are chosen on two thirds of the traces hold
// on the rest? Each file is a result of `bench:hitratio`, of a build with other parameters; the first is what is compared
// with. Traces are split, not cells: the sizes of one trace are alike.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { randomNumbers, shuffle } from "../lib/random.mjs";
import { ENTRIES_MIN } from "./reference.mjs";
import { table } from "./report.mjs";

const SPLITS = 200;
const SEED = 1;
const [, , ...files] = process.argv;
if (files.length < 2) {
  console.error("Name at least two result files of `npm run bench:hitratio`: there is nothing to choose between");
  process.exit(2);
}
const variants = files.map((file) => ({ name: basename(file, ".json"), regrets: regretsOf(file) }));
const cells = [...variants[0].regrets.keys()].filter((cell) => variants.every(({ regrets }) => regrets.has(cell)));
report(split());

/** Regret in points by cell, of the object-count cells that the file has. */
function regretsOf(file) {
  const { cells: all } = JSON.parse(readFileSync(file, "utf8"));
  const some = all.filter(({ mode, capacity }) => mode === "object" && capacity >= ENTRIES_MIN);
  return new Map(
    some.map(({ trace, fraction, best, measured }) => [
      `${trace} ${fraction}`,
      Math.max(0, best.hits[1] - measured.nearcache[0] * 100),
    ]),
  );
}

function mean(variant, some) {
  return some.reduce((sum, cell) => sum + variant.regrets.get(cell), 0) / some.length;
}

/** For every split: the variant chosen on two thirds, and what it and the first one reach on both parts. */
function split() {
  const next = randomNumbers(SEED);
  const traces = [...new Set(cells.map((cell) => cell.split(" ")[0]))];
  return Array.from({ length: SPLITS }, () => {
    shuffle(traces, next);
    const chosenOn = new Set(traces.slice(0, Math.round((traces.length * 2) / 3)));
    const [known, rest] = [true, false].map((is) => cells.filter((cell) => chosenOn.has(cell.split(" ")[0]) === is));
    const best = variants.reduce((one, other) => (mean(other, known) < mean(one, known) ? other : one));
    return {
      name: best.name,
      known: mean(best, known),
      rest: mean(best, rest),
      firstRest: mean(variants[0], rest),
    };
  });
}

function report(splits) {
  const points = (number) => number.toFixed(2);
  const average = (field) => points(splits.reduce((sum, one) => sum + one[field], 0) / splits.length);
  const better = splits.filter(({ rest, firstRest }) => rest <= firstRest).length;
  const chosen = (name) => splits.filter((one) => one.name === name).length;
  const rows = variants.map((one) => [one.name, points(mean(one, cells)), chosen(one.name)]);
  console.log(table(["parameters", "mean regret", `chosen in ${SPLITS} splits`], rows).join("\n"));
  console.log(`
${cells.length} cells. Chosen on two thirds of the traces: mean regret there ${average("known")}, on the rest ${average("rest")};
${variants[0].name} on the same rests ${average("firstRest")}. On the rest the choice was no worse than it in ${better} of ${SPLITS} splits.`);
}
