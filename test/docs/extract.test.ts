// How samples are taken from a page: what belongs together, and that what a comment claims is checked on its own line.
import { expect, test } from "vitest";
import { extractSamples } from "./extract.js";

const page = (...lines: string[]): string => lines.join("\n");

test("stand on the lines on which they are in the page", () => {
  const [sample] = extractSamples(page("# Title", "", "```ts", 'import { a } from "a";', "a();", "```"));
  expect(sample).toMatchObject({ line: 3, isRun: true });
  expect(sample?.code.split("\n").slice(0, 5)).toEqual(["", "", "", 'import { a } from "a";', "a();"]);
});

test("continue the block before, in a scope of their own, unless they import something", () => {
  const samples = extractSamples(
    page("```ts", "const a = 1;", "```", "```ts", "const a = 2;", "```", "```ts", "import b;", "```"),
  );
  expect(samples.map(({ line }) => line)).toEqual([1, 7]);
  expect(samples[0]?.code.split("\n").filter(Boolean)).toEqual([
    "const a = 1;",
    "{",
    "const a = 2;",
    "}",
    "export {};",
  ]);
});

test("are TypeScript only, and not run where the page says so", () => {
  const samples = extractSamples(page("```sh", "npm test", "```", "```ts no-run", "later();", "```"));
  expect(samples.map(({ line, isRun }) => [line, isRun])).toEqual([[4, false]]);
});

test("check what comments say", () => {
  const [sample] = extractSamples(
    page(
      "```ts",
      "get(1); // => { a: 1 }",
      "const b = 2; // => 2",
      "set(); // throws ERR_X: why",
      "get(2); // a remark",
      "```",
    ),
  );
  expect(sample?.code.split("\n").slice(1, 5)).toEqual([
    "check(get(1), ({ a: 1 })); // => { a: 1 }",
    "const b = 2; check(b, (2)); // => 2",
    'await checkThrows(async () => { set(); }, "ERR_X"); // throws ERR_X: why',
    "get(2); // a remark",
  ]);
});
