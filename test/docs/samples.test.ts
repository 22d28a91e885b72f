// Every sample in README.md and docs/ is what a reader can copy: it has the types of the package, runs, and gives what its
// comments say. Names that a sample takes for granted (`db`, `User`) are in stage.ts.
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import ts from "typescript";
import { beforeAll, expect, test } from "vitest";
import { startRedis } from "../support/redis.js";
import { extractSamples } from "./extract.js";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../", import.meta.url));
/** Within the repository, so that `nearcache` is the package itself. */
const folder = join(root, "target/docs-samples");
const stage = join(root, "test/docs/stage.ts");
const EXPECTED_PAGES_MIN = 15;

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
});

test("have the types of the package", { timeout: 120_000 }, () => {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root, {
    // Those that a reader has, of the built package.
    paths: {},
    noUnusedLocals: false,
    noUnusedParameters: false,
  });
  const program = ts.createProgram([stage, ...written.map(({ file }) => `${file}.ts`)], options);
  const found = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
    const line = file && start !== undefined ? file.getLineAndCharacterOfPosition(start).line + 1 : 0;
    return `${relative(root, file?.fileName ?? "")}:${line} ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
  });
  expect(found).toEqual([]);
});

test("are found", () => {
  expect(new Set(written.map(({ page }) => page)).size).toBeGreaterThanOrEqual(EXPECTED_PAGES_MIN);
});

test.each([...new Set(written.filter(({ isRun }) => isRun).map(({ page }) => page))])("run: %s", async (page) => {
  const files = written.filter((sample) => sample.page === page && sample.isRun).map(({ file }) => `${file}.mjs`);
  const outcome = await run(
    process.execPath,
    ["--enable-source-maps", join(root, "test/docs/run-modules.mjs"), ...files],
    {
      cwd: root,
      timeout: 30_000,
    },
  ).catch((error: { stderr?: string; message: string }) => `${error.message}\n${error.stderr ?? ""}`);
  expect(outcome).not.toBeTypeOf("string");
});

function pages(): string[] {
  const documents = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .map((path) => `docs/${path.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".md") && !/^docs\/(site|decisions)\//.test(path));
  return ["README.md", ...documents.sort()];
}

/** Without types, on the same lines, and with the test's Redis for the reader's. */
function toJavaScript(code: string): string {
  const { outputText } = ts.transpileModule(code.replaceAll(/redis:\/\/localhost(:6379)?/g, redisUrl), {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      inlineSourceMap: true,
    },
  });
  return outputText;
}
