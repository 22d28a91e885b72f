// Every sample in README.md and docs/ is what a reader can copy: it has the types of the package, runs, and gives what its
// comments say. Of the examples in the comments of ts/ the types are checked. Names that a sample takes for granted (`db`, `User`) are in stage.ts.
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import ts from "typescript";
import { beforeAll, expect, test } from "vitest";
import { startRedis } from "../support/redis.js";
import { type Exports, examplesIn } from "./examples.js";
import { extractSamples } from "./extract.js";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));
/** Within the repository, so that `nearcache` is the package itself. */
const folder = join(root, "target/docs-samples");
const stage = join(root, "test/docs/stage.ts");
const modules = join(root, "test/docs/stage-modules.d.ts");
const EXPECTED_PAGES_MIN = 15;
const EXPECTED_EXAMPLES_MIN = 50;

interface Written {
  readonly page: string;
  /** Without extension. */
  readonly file: string;
  readonly code: string;
  readonly isRun: boolean;
}

const written: Written[] = pages().flatMap((page) =>
  extractSamples(readFileSync(join(root, page), "utf8")).map(({ line, code, isRun }) => {
    const file = join(folder, `${page.replaceAll("/", "-").replace(/\.md$/, "")}-${line}`);
    return { page, file, code, isRun };
  }),
);
const examples: string[] = [];
let redisUrl: string;

beforeAll(async () => {
  redisUrl = (await startRedis()).url;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "stage.mjs"), toJavaScript(readFileSync(stage, "utf8")));
  for (const { file, code } of written) {
    writeFileSync(`${file}.ts`, code);
    writeFileSync(`${file}.mjs`, `import "./stage.mjs"; ${toJavaScript(code)}`);
  }
  for (const { file, line, code } of examplesIn(join(root, "ts"), await exportsOfPackage())) {
    const path = join(folder, `example-${file.replace(/\W/g, "-")}-${line}.ts`);
    writeFileSync(path, code);
    examples.push(path);
  }
});

test("have the types of the package", { timeout: 120_000 }, () => {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root, {
    // Those that a reader has, of the built package.
    paths: {},
    noUnusedLocals: false,
    noUnusedParameters: false,
  });
  const files = [stage, modules, ...written.map(({ file }) => `${file}.ts`), ...examples];
  const program = ts.createProgram(files, options);
  const found = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
    return `${relative(root, file?.fileName ?? "")}:${line} ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
  });
  expect(found).toEqual([]);
});

test("are found", () => {
  expect(new Set(written.map(({ page }) => page)).size).toBeGreaterThanOrEqual(EXPECTED_PAGES_MIN);
  expect(examples.length).toBeGreaterThanOrEqual(EXPECTED_EXAMPLES_MIN);
});

test.each([...new Set(written.filter(({ isRun }) => isRun).map(({ page }) => page))])(
  "run: %s",
  { timeout: 90_000 },
  async (page) => {
    const files = written.filter((sample) => sample.page === page && sample.isRun).map(({ file }) => `${file}.mjs`);
    const runner = join(root, "test/docs/run-modules.mjs");
    await run(process.execPath, ["--enable-source-maps", runner, ...files], { cwd: root, timeout: 60_000 });
  },
);

async function exportsOfPackage(): Promise<Exports> {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const entries = Object.keys(manifest.exports as Record<string, unknown>).filter((entry) => !entry.endsWith(".json"));
  const specifiers = entries.map((entry) => `nearcache${entry.slice(1)}`);
  return new Map(await Promise.all(specifiers.map(async (name) => [name, Object.keys(await import(name))] as const)));
}

function pages(): string[] {
  const documents = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .map((path) => `docs/${path.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".md") && !/^docs\/(site|decisions)\//.test(path));
  return ["README.md", ...documents.sort()];
}

/** Without types, with the test's Redis for the reader's, and with patience for it: the machine may be busy. */
function toJavaScript(code: string): string {
  const withRedis = code
    .replaceAll(/redis:\/\/localhost(:6379)?/g, redisUrl)
    .replaceAll("redisTier({", 'redisTier({ commandTimeout: "20s", connectTimeout: "20s",');
  const { outputText } = ts.transpileModule(withRedis, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
    },
  });
  return outputText;
}
