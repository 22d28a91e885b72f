// What the gate on counts lets pass and what it stops (bench/gate).
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareFigures, type Figure, isFailure } from "../../bench/gate/compare.mjs";
import { markdownTable, textTable } from "../../bench/gate/table.mjs";

const PROGRAM = fileURLToPath(new URL("../../bench/gate/run.mjs", import.meta.url));

const less = (value: number): Figure => ({ value, better: "less" });
const more = (value: number): Figure => ({ value, better: "more" });

/** The verdict on one figure. */
function verdict(figure: Figure, baseline: number): string | undefined {
  return compareFigures({ figure }, { figure: baseline })[0]?.verdict;
}

describe("figures against a baseline", () => {
  test("a hundredth either way is the same", () => {
    expect(verdict(less(101), 100)).toBe("same");
    expect(verdict(less(99), 100)).toBe("same");
    expect(verdict(more(99), 100)).toBe("same");
  });

  test("beyond it, which way is worse depends on the figure", () => {
    expect(verdict(less(101.1), 100)).toBe("worse");
    expect(verdict(less(98.9), 100)).toBe("better");
    expect(verdict(more(98.9), 100)).toBe("worse");
    expect(verdict(more(101.1), 100)).toBe("better");
  });

  test("where there was none, one allocation is too many", () => {
    expect(verdict(less(0), 0)).toBe("same");
    expect(verdict(less(0.00001), 0)).toBe("worse");
  });

  test("what the baseline has must be measured, unless there is a reason", () => {
    const baseline = { "instructions: hit": 200 };
    const [gone] = compareFigures({}, baseline);
    const [skipped] = compareFigures({}, baseline, { "instructions: ": "valgrind is not installed" });
    expect(gone).toMatchObject({ verdict: "missing" });
    expect(skipped).toMatchObject({ verdict: "skipped", reason: "valgrind is not installed" });
    expect([gone, skipped].map((row) => row && isFailure(row))).toEqual([true, false]);
  });

  test("a new figure fails nothing", () => {
    expect(compareFigures({ figure: less(5) }, {}).map(isFailure)).toEqual([false]);
  });

  test("the table names both values, the change and what is worse", () => {
    const rows = compareFigures({ "instructions: hit": less(220) }, { "instructions: hit": 200 });
    expect(textTable(rows)[1]).toMatch(/^instructions: hit +200 +220 +\+10\.00 % +WORSE$/);
    expect(markdownTable(rows)[2]).toBe("| instructions: hit | 200 | 220 | +10.00 % | WORSE |");
  });
});

describe("the command", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "nearcache-gate-test-"));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const environment = { machine: "linux-x64", compiler: "1.90.0" };
  const portable = { "hit ratio: popular": more(70), "native calls: per get": less(1) };
  const local = { "instructions: hit": less(200) };

  function write(name: string, content: object): string {
    const file = join(folder, name);
    writeFileSync(file, JSON.stringify(content));
    return file;
  }

  /** Runs the gate on figures that were counted before. */
  function gate(counted: object, ...options: string[]) {
    const from = write("counted.json", { environment, portable, local, skipped: {}, ...counted });
    const args = [PROGRAM, "--from", from, "--baseline", join(folder, "baseline.json"), ...options];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    return { status, output: stdout + stderr };
  }

  test("--update writes a baseline, which the same figures pass", () => {
    expect(gate({}, "--update").status).toBe(0);
    expect(JSON.parse(readFileSync(join(folder, "baseline.json"), "utf8"))).toEqual({
      portable: { "hit ratio: popular": 70, "native calls: per get": 1 },
      machines: { "linux-x64": { compiler: "1.90.0", figures: { "instructions: hit": 200 } } },
    });
    expect(gate({}, "--strict")).toMatchObject({ status: 0 });
  });

  test.each([
    ["more instructions", { local: { "instructions: hit": less(203) } }],
    ["another native call", { portable: { ...portable, "native calls: per get": less(2) } }],
    ["a lower hit ratio", { portable: { ...portable, "hit ratio: popular": more(69) } }],
  ])("%s fails it", (_, counted) => {
    const { status, output } = gate(counted);
    expect(status).toBe(1);
    expect(output).toContain("WORSE");
    expect(output).toContain("--update");
  });

  test("another compiler's instructions are not compared, which only --strict objects to", () => {
    const other = { environment: { ...environment, compiler: "1.91.0" }, local: { "instructions: hit": less(400) } };
    expect(gate(other)).toMatchObject({ status: 0, output: expect.stringContaining("taken with rustc 1.90.0") });
    expect(gate(other, "--strict").status).toBe(1);
  });

  test("a missing valgrind is said", () => {
    const counted = { local: {}, skipped: { "instructions: ": "valgrind is not installed" } };
    expect(gate(counted)).toMatchObject({ status: 0, output: expect.stringContaining("valgrind is not installed") });
  });
});
