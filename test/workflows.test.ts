// What every workflow keeps to, and that the release builds what the loader looks for.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { PLATFORMS } from "../ts/platform.js";

const folder = new URL("../.github/workflows/", import.meta.url);
const workflows = readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder), "utf8")] as const);

describe.each(workflows)("%s", (_, text) => {
  test("takes actions by their commit, and says which version that is", () => {
    for (const [, action] of text.matchAll(/uses: (.*)/g)) {
      expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
  });

  test("has no rights but those that a job asks for", () => {
    expect(text).toMatch(/^permissions: \{\}$/m);
    const jobs = text
      .slice(text.indexOf("\njobs:"))
      .split(/^ {2}[\w-]+:$/m)
      .slice(1);
    for (const job of jobs) expect(job).toMatch(/^ {4}permissions:$/m);
  });

  test("gives no job for ever", () => {
    expect(text.match(/^ {4}timeout-minutes: /gm)?.length).toBe(text.match(/^ {4}runs-on: /gm)?.length);
  });
});

describe("release.yml", () => {
  const text = readFileSync(new URL("release.yml", folder), "utf8");
  const built = [...text.matchAll(/\{ platform: ([\w-]+), target: ([\w-]+), /g)].map(([, name, target]) => [
    name,
    target,
  ]);

  test("builds an addon for every platform that the loader knows", () => {
    expect(built.map(([name]) => name).sort()).toEqual([...PLATFORMS].sort());
    const { napi } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    expect(built.map(([, target]) => target).sort()).toEqual(napi.targets.toSorted());
  });

  test("takes nothing from a cache, and no job but the last can ask npm for its trust", () => {
    expect(text).not.toMatch(/actions\/cache|rust-cache|^ +cache: /m);
    expect(text.match(/package-manager-cache: false/g)?.length).toBe(text.match(/actions\/setup-node/g)?.length);
    expect(text.match(/id-token: write/g)?.length).toBe(1);
    expect(text.slice(text.indexOf("  publish:"))).toMatch(/environment: npm[\s\S]*id-token: write/);
  });
});
