// `node scripts/write-loss.mjs`: what each write pattern loses, by how the process ends (the table in docs/writing.md).
import { countLosses } from "./write-loss/run.mjs";

const RUNS = 10;
console.log(
  "| pattern | the process | reported done | in the origin | handed over | lost (least / median / most of 10) |",
);
console.log("| --- | --- | --- | --- | --- | --- |");
for (const pattern of ["through", "behind"]) {
  for (const ending of ["killed", "uncaught", "exit", "idle"]) {
    const runs = [];
    for (let run = 0; run < RUNS; run++) {
      runs.push(await countLosses(pattern, ending));
    }
    runs.sort((a, b) => a.lost - b.lost);
    const median = runs[RUNS / 2];
    const lost = `${runs[0].lost} / ${median.lost} / ${runs[RUNS - 1].lost}`;
    console.log(`| ${pattern} | ${ending} | ${median.reported} | ${median.stored} | ${median.handedOver} | ${lost} |`);
  }
}
