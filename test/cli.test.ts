// The command `nearcache` hands its arguments on to nearcache-replay and ends as that does.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const cli = fileURLToPath(new URL("../dist/cli.js", import.meta.url));
let folder: string;
let program: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nearcache-cli-"));
  program = join(folder, "nearcache-replay");
  writeFileSync(program, '#!/bin/sh\necho "got $*"\nexit 3\n');
  chmodSync(program, 0o755);
});

afterAll(() => rmSync(folder, { recursive: true }));

function nearcache(args: string[], replay: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    encoding: "utf8",
    env: { ...process.env, NEARCACHE_REPLAY: replay },
  });
  return { status, stdout, stderr };
}

describe.skipIf(process.platform === "win32")("nearcache", () => {
  test("hands the arguments of replay and size on, and ends with the same code", () => {
    expect(nearcache(["replay", "a b", "--json"], program)).toEqual({
      status: 3,
      stdout: "got a b --json\n",
      stderr: "",
    });
    expect(nearcache(["size", "trace"], program)).toEqual({ status: 3, stdout: "got size trace\n", stderr: "" });
  });

  test("says how to get the program where it is not", () => {
    const { status, stderr } = nearcache(["replay"], join(folder, "nothing"));
    expect(status).toBe(127);
    expect(stderr).toMatch(/nothing can't be run/);
  });

  test("explains itself, and refuses other commands", () => {
    expect(nearcache(["--help"], program)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("nearcache size"),
    });
    expect(nearcache([], program)).toMatchObject({ status: 2, stderr: expect.stringContaining("nearcache replay") });
    expect(nearcache(["serve"], program)).toMatchObject({ status: 2, stderr: expect.stringContaining('"serve"') });
  });
});
