// What the style check knows of Rust: enough of a lexer to tell code from comments, strings and
// character literals, and on top of it the rules that need no parser. It leaves everything that
// clippy can say to clippy.

/** Modules of the engine that alone may name what the others get from them. */
const ENGINE_SOURCES = [
  {
    pattern: /\bstd::sync::atomic\b|\bstd::thread::(?!available_parallelism)|\buse std::thread;|\bcore::sync::atomic\b/,
    only: "sync",
    what: "atomics and threads",
  },
  { pattern: /\bInstant::now\b|\bSystemTime\b|\bstd::time::Instant\b/, only: "clock", what: "time" },
];

/** What a crate's sources must not name, and why. */
const CRATE_RULES = [
  { crate: "engine", pattern: /\bnapi\w*::/, reason: "the engine knows nothing of Node" },
  { crate: "engine", pattern: /\bnearcache_node\b/, reason: "the engine lies below the binding" },
  { crate: "engine", pattern: /\bstd::net\b|\bunix::net\b|\btokio\b|\bmio::/, reason: "the engine opens no sockets" },
  { crate: "engine", pattern: /\basync\s+fn\b|\basync\s+move\b/, reason: "the engine has no async" },
  { crate: "node", pattern: /\bstd::net\b|\bunix::net\b|\btokio\b|\bmio::/, reason: "the binding only converts" },
];

/** Everything wrong with one Rust file, as `{ line, rule, message }`. */
export function checkRust(path, text) {
  const code = maskRust(text);
  return [
    ...checkForbidden(code),
    ...checkSafetyComments(code, text),
    ...checkCrateRules(path, code),
    ...functionsOf(code),
  ];
}

/** Every function as a finding of rule "function" with its length; the caller holds it against the limit. */
function functionsOf(code) {
  const found = [];
  for (const match of code.matchAll(/\bfn\s+([A-Za-z_]\w*)/g)) {
    const open = bodyStart(code, match.index);
    if (open !== -1) {
      const first = lineOf(code, match.index);
      const length = lineOf(code, matchingBrace(code, open)) - first + 1;
      found.push({ line: first, rule: "function", name: match[1], length });
    }
  }
  return found;
}

function checkForbidden(code) {
  return [...code.matchAll(/\b(todo|unimplemented)!/g)].map((match) => ({
    line: lineOf(code, match.index),
    rule: "unfinished",
    message: `${match[0]} is left in the code`,
  }));
}

/** An unsafe block or impl needs `// SAFETY:` in the comment above its statement. */
function checkSafetyComments(code, text) {
  const codeLines = code.split("\n");
  const textLines = text.split("\n");
  const found = [];
  for (const match of code.matchAll(/\bunsafe\s*(\{|impl\b)/g)) {
    const line = lineOf(code, match.index);
    if (!hasSafetyComment(codeLines, textLines, line - 1)) {
      const message = "unsafe without a `// SAFETY:` comment above it that names the fact that makes it sound";
      found.push({ line, rule: "safety", message });
    }
  }
  return found;
}

function hasSafetyComment(codeLines, textLines, index) {
  if (textLines[index].includes("SAFETY:")) {
    return true;
  }
  for (let above = index - 1; above >= 0; above -= 1) {
    if (/\/\/.*SAFETY:|\/\*.*SAFETY:/.test(textLines[above])) {
      return true;
    }
    const code = codeLines[above].trim();
    const isCommentOrAttribute = code === "" ? textLines[above].trim() !== "" : code.startsWith("#");
    // A statement over several lines: its comment stands above its first line.
    const statementGoesOn = !isCommentOrAttribute && code !== "" && !/[;{}]$/.test(code);
    if (!isCommentOrAttribute && !statementGoesOn) {
      return false;
    }
  }
  return false;
}

function checkCrateRules(path, code) {
  const place = /^crates\/(\w+)\/src\/(\w+)/.exec(path);
  if (!place) {
    return [];
  }
  const [, crate, module] = place;
  const rules = CRATE_RULES.filter((rule) => rule.crate === crate);
  const source = withoutTests(code);
  const found = rules.flatMap((rule) => findAll(source, rule.pattern, "import", rule.reason));
  if (crate === "engine") {
    for (const { pattern, only, what } of ENGINE_SOURCES) {
      if (module !== only) {
        found.push(...findAll(source, pattern, "import", `${what} come only from ${only}.rs`));
      }
    }
  }
  return found;
}

function findAll(code, pattern, rule, reason) {
  return [...code.matchAll(new RegExp(pattern, "g"))].map((match) => ({
    line: lineOf(code, match.index),
    rule,
    message: `${match[0]}: ${reason}`,
  }));
}

/** The modules of its own crate that a file uses, as `{ name, line }`; test modules don't count. */
export function crateImports(text) {
  const code = withoutTests(maskRust(text));
  return [...code.matchAll(/\bcrate::(\w+)/g)].map((match) => ({
    name: match[1],
    line: lineOf(code, match.index),
  }));
}

/** Blanks every item under a `#[cfg(test)]`-like attribute, keeping the lines. */
function withoutTests(code) {
  let result = code;
  for (const match of code.matchAll(/#\[cfg\((?:all\()?(?:test|loom)\b[^\]]*\]/g)) {
    const open = bodyStart(code, match.index + match[0].length);
    if (open !== -1) {
      const end = matchingBrace(code, open) + 1;
      result = result.slice(0, match.index) + blank(code.slice(match.index, end)) + result.slice(end);
    }
  }
  return result;
}

/** The index of the `{` that opens the body of the item at `from`, or -1 when a `;` ends it first. */
function bodyStart(code, from) {
  let depth = 0;
  for (let index = from; index < code.length; index += 1) {
    const char = code[index];
    if (char === "(" || char === "[") {
      depth += 1;
    } else if (char === ")" || char === "]") {
      depth -= 1;
    } else if (depth === 0 && char === "{") {
      return index;
    } else if (depth === 0 && char === ";") {
      return -1;
    }
  }
  return -1;
}

function matchingBrace(code, open) {
  let depth = 0;
  for (let index = open; index < code.length; index += 1) {
    if (code[index] === "{") {
      depth += 1;
    } else if (code[index] === "}") {
      depth -= 1;
      if (depth === 0) {
        return index;
      }
    }
  }
  return code.length - 1;
}

const RUST_TOKENS = [
  /\/\/[^\n]*/y, // a comment to the end of the line
  /b?r(#*)"[\s\S]*?"\1/y, // a raw string
  /[bc]?"(?:\\[\s\S]|[^"\\])*"/y, // a string
  /b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\])'/y, // a character, not a lifetime
  /[A-Za-z_]\w*/y, // a word: so that the r of `for"` or of `ptr'` opens nothing
];

/** The same text with comments, strings and characters blanked out; lines stay where they were. */
export function maskRust(text) {
  let masked = "";
  let index = 0;
  while (index < text.length) {
    const [token, isCode] = tokenAt(text, index);
    masked += isCode ? token : blank(token);
    index += token.length;
  }
  return masked;
}

function tokenAt(text, index) {
  if (text.startsWith("/*", index)) {
    return [blockComment(text, index), false];
  }
  for (const [kind, pattern] of RUST_TOKENS.entries()) {
    pattern.lastIndex = index;
    const match = pattern.exec(text);
    if (match) {
      return [match[0], kind === RUST_TOKENS.length - 1];
    }
  }
  return [text[index], true];
}

/** Rust's block comments nest. */
function blockComment(text, start) {
  let depth = 0;
  for (let index = start; index < text.length; index += 1) {
    if (text.startsWith("/*", index)) {
      depth += 1;
      index += 1;
    } else if (text.startsWith("*/", index)) {
      depth -= 1;
      index += 1;
      if (depth === 0) {
        return text.slice(start, index + 1);
      }
    }
  }
  return text.slice(start);
}

function blank(text) {
  return text.replace(/[^\n]/g, " ");
}

function lineOf(text, index) {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < index; at = text.indexOf("\n", at + 1)) {
    line += 1;
  }
  return line;
}
