// Holds addons for Linux against what we promise of them: the C library that they need at most, their size, and that they
// run on the oldest processors of their kind. The rules are in scripts/lib/binary.mjs.
//
//   node scripts/check-binary.mjs FILE ...
import { checkBinary, describe } from "./lib/binary.mjs";
import { fail } from "./lib/run.mjs";

const files = process.argv.slice(2);
if (files.length === 0) {
  fail("Which addons? node scripts/check-binary.mjs target/platforms/*.node");
}
for (const file of files) {
  const { facts, complaints } = checkBinary(file);
  console.log(`${file}: ${describe(facts)}`);
  for (const complaint of complaints) {
    console.log(`  ${complaint}`);
    process.exitCode = 1;
  }
}
