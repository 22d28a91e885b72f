// What the style check knows of TypeScript and JavaScript, by way of the compiler's own parser.
import ts from "typescript";

/** Everything wrong with one file, as `{ line, rule, message }`; functions carry their length. */
export function checkTypeScript(path, text) {
  const source = parse(path, text);
  const found = checkSuppressions(source, text);
  visit(source, (node) => {
    if (ts.isAsExpression(node) && node.type.kind === ts.SyntaxKind.AnyKeyword) {
      found.push({ line: lineOf(source, node), rule: "any", message: "`as any` switches the types off" });
    }
    if (ts.isFunctionLike(node) && node.body && !isTestSuite(node)) {
      found.push({ line: lineOf(source, node), rule: "function", name: nameOf(node), length: lengthOf(source, node) });
    }
  });
  return found;
}

/** What a file imports, type imports and re-exports included, as `{ name, line }`. */
export function imports(path, text) {
  const source = parse(path, text);
  const found = [];
  visit(source, (node) => {
    const specifier = importSpecifier(node);
    if (specifier && ts.isStringLiteralLike(specifier)) {
      found.push({ name: specifier.text, line: lineOf(source, node) });
    }
  });
  return found;
}

function importSpecifier(node) {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    return node.moduleSpecifier;
  }
  const isDynamic = ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword;
  return isDynamic ? node.arguments[0] : undefined;
}

function checkSuppressions(source, text) {
  const literals = [];
  visit(source, (node) => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateExpression(node)) {
      literals.push(node);
    }
  });
  const isInLiteral = (at) => literals.some((literal) => literal.getStart(source) <= at && at < literal.end);
  return [...text.matchAll(/(?:\/\/|\/\*+|^[ \t]*\*)\s*@ts-(ignore|nocheck)\b/gm)]
    .filter((match) => !isInLiteral(match.index))
    .map((match) => ({
      line: source.getLineAndCharacterOfPosition(match.index).line + 1,
      rule: "suppression",
      message: `@ts-${match[1]} hides errors: use @ts-expect-error with a reason`,
    }));
}

/** The callback of `describe(...)` holds tests, each a function of its own. */
function isTestSuite(node) {
  const call = node.parent;
  if (!call || !ts.isCallExpression(call)) {
    return false;
  }
  return /^describe\b/.test(call.expression.getText());
}

function nameOf(node) {
  const named = node.name ?? (node.parent && ts.isVariableDeclaration(node.parent) ? node.parent.name : undefined);
  return named ? named.getText() : "(anonymous)";
}

function lengthOf(source, node) {
  return source.getLineAndCharacterOfPosition(node.end).line + 1 - lineOf(source, node) + 1;
}

function lineOf(source, node) {
  return source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
}

function parse(path, text) {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, /* setParentNodes */ true);
}

function visit(node, see) {
  see(node);
  ts.forEachChild(node, (child) => visit(child, see));
}
