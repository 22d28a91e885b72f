// The TypeScript of a Markdown page as modules that can be checked and run, on the very lines on which it stands in the page.
//
// A block that begins with an import begins a module; others continue it, each in a scope within that of the block before, so
// that they see its names and may declare them anew. What a block says about itself in comments at the end of a statement is
// checked: `// => value` for what an expression is, `// throws CODE` for what it throws. `ts no-run` is checked for types only.
import ts from "typescript";

export interface Sample {
  /** Of the page's line on which it begins. */
  readonly line: number;
  readonly code: string;
  readonly isRun: boolean;
}

interface Block {
  /** The index of the line with the opening fence. */
  readonly first: number;
  readonly lines: readonly string[];
  readonly isRun: boolean;
}

/** The modules of a page. */
export function extractSamples(markdown: string): Sample[] {
  const length = markdown.split("\n").length;
  const modules: Block[][] = [];
  for (const block of blocksOf(markdown)) {
    const isNew = block.lines.some((line) => /^import\b/.test(line)) || !modules.at(-1)?.[0]?.isRun !== !block.isRun;
    if (isNew || modules.length === 0) modules.push([]);
    (modules.at(-1) as Block[]).push(block);
  }
  return modules.map((blocks) => toSample(blocks, length));
}

function blocksOf(markdown: string): Block[] {
  const lines = markdown.split("\n");
  const blocks: Block[] = [];
  for (let index = 0; index < lines.length; index++) {
    const fence = /^```(\S*)(.*)$/.exec(lines[index] as string);
    if (fence === null) continue;
    const first = index;
    do index++;
    while (index < lines.length && lines[index] !== "```");
    if (fence[1] === "ts") {
      blocks.push({ first, lines: lines.slice(first + 1, index), isRun: !fence[2]?.includes("no-run") });
    }
  }
  return blocks;
}

function toSample(blocks: readonly Block[], length: number): Sample {
  const page = new Array<string>(length).fill("");
  for (const [index, { first, lines }] of blocks.entries()) {
    page[first] = index === 0 ? "" : "{";
    for (const [offset, line] of lines.entries()) page[first + 1 + offset] = line;
  }
  page.push("}".repeat(blocks.length - 1), "export {};");
  const { first, isRun } = blocks[0] as Block;
  return { line: first + 1, code: withChecks(page.join("\n")), isRun };
}

/** Turns what comments claim into calls of `check` and `checkThrows`, without moving a line. */
function withChecks(code: string): string {
  const source = ts.createSourceFile("sample.ts", code, ts.ScriptTarget.Latest, true);
  const edits: { at: number; until: number; text: string }[] = [];
  const visit = (node: ts.Node): void => {
    const comment = ts.isStatement(node) ? commentAfter(code, node.end) : "";
    const [, value] = /^\/\/ => (.+)$/.exec(comment) ?? [];
    const [, thrown] = /^\/\/ (?:throws|rejects with) (\w+)/.exec(comment) ?? [];
    if (value !== undefined && ts.isExpressionStatement(node)) {
      const expression = node.expression.getText();
      edits.push({ at: node.getStart(), until: node.end, text: `check(${expression}, (${value}));` });
    } else if (value !== undefined && ts.isVariableStatement(node)) {
      const name = node.declarationList.declarations[0]?.name.getText();
      edits.push({ at: node.end, until: node.end, text: ` check(${name}, (${value}));` });
    } else if (thrown !== undefined && ts.isExpressionStatement(node)) {
      const text = `await checkThrows(async () => { ${node.getText()} }, "${thrown}");`;
      edits.push({ at: node.getStart(), until: node.end, text });
    } else {
      ts.forEachChild(node, visit);
    }
  };
  visit(source);
  return edits.reduceRight((text, edit) => text.slice(0, edit.at) + edit.text + text.slice(edit.until), code);
}

function commentAfter(code: string, end: number): string {
  return /^[ \t]*(.*)/.exec(code.slice(end))?.[1]?.trimEnd() ?? "";
}
