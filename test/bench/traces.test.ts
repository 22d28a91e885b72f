// The made-up traces (bench/lib/traces.mjs): the same numbers everywhere, or hit ratios could not be held against a baseline.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { packed, REQUESTS, TRACES, uniqueKeys } from "../../bench/lib/traces.mjs";

const HASHES: Record<string, string> = {
  popular: "e66229da781e046c",
  scans: "e2dd5116d26428aa",
  shifting: "1cbc453cd2ce4fdf",
  loop: "18cdf1bbd0e22928",
};

test.each(Object.entries(TRACES))("%s is what it was when the baseline was written", (name, { keys }) => {
  const made = keys();
  expect(made).toHaveLength(REQUESTS);
  expect(uniqueKeys(made)).toBeGreaterThan(10_000);
  expect(createHash("sha256").update(packed(made)).digest("hex").slice(0, 16)).toBe(HASHES[name]);
});
