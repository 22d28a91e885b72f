// The style script (scripts/check-style.mjs) on made-up files: each rule catches its violation,
// and lets through what only looks like one.
import { describe, expect, test } from "vitest";
import { checkStyle, FILE_LINES_AIM, FILE_LINES_MAX, FUNCTION_LINES_MAX } from "../scripts/style/check.mjs";

/** The findings for `files`, each as `level rule path:line`. */
function found(files: Record<string, string>): string[] {
  return checkStyle(new Map(Object.entries(files)), ["msgpackr"], ["keyv"]).map(
    ({ level, rule, path, line }) => `${level} ${rule} ${path}:${line}`,
  );
}

const lines = (count: number, line = "//\n"): string => line.repeat(count);

describe("lengths", () => {
  test("a file beyond the aim is a warning, beyond the limit an error", () => {
    expect(found({ "ts/a.ts": lines(FILE_LINES_AIM) })).toEqual([]);
    expect(found({ "ts/a.ts": lines(FILE_LINES_AIM + 1) })).toEqual(["warning file-length ts/a.ts:1"]);
    expect(found({ "crates/engine/src/a.rs": lines(FILE_LINES_MAX + 1) })).toEqual([
      "error file-length crates/engine/src/a.rs:1",
    ]);
  });

  test("a function of the limit's length passes, one line more does not", () => {
    const body = (count: number): string => `{\n${lines(count - 2)}}\n`;
    for (const [path, head] of [
      ["ts/a.ts", "export function long(): void "],
      ["ts/a.ts", "export const long = (): void => "],
      ["crates/engine/src/a.rs", "fn long<T>(t: &[u8; 4]) -> Result<(), E> where T: Fn(&str) -> char "],
    ] as const) {
      expect(found({ [path]: head + body(FUNCTION_LINES_MAX) })).toEqual([]);
      expect(found({ [path]: `\n${head}${body(FUNCTION_LINES_MAX + 1)}` })).toEqual([
        `error function-length ${path}:2`,
      ]);
    }
  });

  test("braces in Rust's strings, characters, lifetimes and comments end no function", () => {
    const tricky = `fn f<'a>(s: &'a str) {\n let a = '{'; let b = "}\\"}"; let c = r#"}"}"#; /* } /* } */ } */ // }\n let d = b'}';\n`;
    const text = `${tricky}${lines(FUNCTION_LINES_MAX)}}\n`;
    expect(found({ "crates/engine/src/a.rs": text })).toEqual(["error function-length crates/engine/src/a.rs:1"]);
  });

  test("a describe block may be long, a test in it may not", () => {
    const long = `test("x", () => {\n${lines(FUNCTION_LINES_MAX)}});\n`;
    expect(found({ "test/a.test.ts": `describe("x", () => {\n${long}});\n` })).toEqual([
      "error function-length test/a.test.ts:2",
    ]);
  });
});

describe("what must not be left in code", () => {
  test("unsafe needs a SAFETY comment above its statement", () => {
    const path = "crates/engine/src/a.rs";
    expect(found({ [path]: "fn f() {\n    unsafe { g() }\n}\n" })).toEqual([`error safety ${path}:2`]);
    expect(found({ [path]: "// SAFETY: far away.\n\nfn f() {\n    unsafe { g() }\n}\n" })).toEqual([
      `error safety ${path}:4`,
    ]);
    expect(found({ [path]: "fn f() {\n    // SAFETY: g needs a, and a holds.\n    unsafe { g() }\n}\n" })).toEqual([]);
    const statement =
      "fn f() {\n    // SAFETY: pinned since\n    // the start.\n    let a =\n        h(unsafe { g() });\n}\n";
    expect(found({ [path]: statement })).toEqual([]);
    expect(found({ [path]: "unsafe impl Send for A {}\n" })).toEqual([`error safety ${path}:1`]);
    expect(found({ [path]: 'fn f() { g("unsafe { }") } // unsafe { }\nunsafe fn h() {}\n' })).toEqual([]);
  });

  test("todo!, unimplemented!, as any, @ts-ignore", () => {
    expect(found({ "crates/engine/src/a.rs": "fn f() {\n todo!()\n}\nfn g() { unimplemented!(); }\n" })).toEqual([
      "error unfinished crates/engine/src/a.rs:2",
      "error unfinished crates/engine/src/a.rs:4",
    ]);
    expect(found({ "crates/engine/src/a.rs": '// todo!\nconst A: &str = "todo!()";\n' })).toEqual([]);
    expect(found({ "ts/a.ts": "const a = b as any;\n// @ts-ignore\nc();\n" })).toEqual([
      "error suppression ts/a.ts:2",
      "error any ts/a.ts:1",
    ]);
    expect(found({ "ts/a.ts": "const a = 'b as any'; // known as anything, says @ts-ignore's manual\n" })).toEqual([]);
  });
});

describe("import direction", () => {
  test("the engine names neither Node nor sockets", () => {
    expect(
      found({ "crates/engine/src/a.rs": "use napi_sys::napi_env;\nuse napi::Env;\nuse std::net::TcpStream;\n" }),
    ).toEqual([
      "error import crates/engine/src/a.rs:1",
      "error import crates/engine/src/a.rs:2",
      "error import crates/engine/src/a.rs:3",
    ]);
    expect(
      found({ "crates/engine/Cargo.toml": '[dependencies]\nnapi = "3"\n[dev-dependencies]\nproptest = "1"\n' }),
    ).toEqual(["error import crates/engine/Cargo.toml:2"]);
  });

  test("the binding depends on the engine and on napi alone", () => {
    expect(found({ "crates/node/Cargo.toml": '[dependencies]\nnapi = "3"\nmoka = "1"\n' })).toEqual([
      "error import crates/node/Cargo.toml:3",
    ]);
    expect(found({ "crates/node/src/a.rs": "use std::net::TcpStream;\n" })).toEqual([
      "error import crates/node/src/a.rs:1",
    ]);
  });

  test("atomics, threads and time of the engine have one source each; tests are free", () => {
    const text = "use std::sync::atomic::AtomicU32;\nlet a = Instant::now();\n";
    expect(found({ "crates/engine/src/index/probe.rs": text })).toEqual([
      "error import crates/engine/src/index/probe.rs:1",
      "error import crates/engine/src/index/probe.rs:2",
    ]);
    const source = { "crates/engine/src/sync.rs": "use std::sync::atomic::AtomicU32;\n" };
    const inTest = { "crates/engine/src/a.rs": "#[cfg(test)]\nmod tests {\n use std::thread;\n}\n" };
    expect(found({ ...source, ...inTest })).toEqual([]);
  });

  test("modules form no circle", () => {
    const rust = { "crates/engine/src/a.rs": "use crate::b::B;\n", "crates/engine/src/b/mod.rs": "use crate::a::A;\n" };
    expect(found(rust)).toEqual(["error cycle crates/engine/src/b/mod.rs:1"]);
    const typescript = { "ts/a.ts": 'import "./b.js";\n', "ts/b.ts": 'import type { A } from "./a.js";\n' };
    expect(found(typescript)).toEqual(["error cycle ts/b.ts:1"]);
    const oneFolder = { "ts/codec/a.ts": 'import "./b.js";\n', "ts/codec/b.ts": 'import "./a.js";\n' };
    expect(found(oneFolder)).toEqual([]);
  });

  test("ts/ imports itself, Node and the published dependencies, and never its own index", () => {
    const text =
      'import "node:fs";\nimport "msgpackr";\nimport "vitest";\nexport * from "../bench/x.js";\nimport "./index.js";\n';
    expect(found({ "ts/a.ts": text })).toEqual([
      "error import ts/a.ts:3",
      "error import ts/a.ts:4",
      "error import ts/a.ts:5",
    ]);
  });

  test("packages that users bring are imported by adapters alone, and adapters by nothing else", () => {
    expect(found({ "ts/adapters/keyv.ts": 'import "keyv";\nimport "../cache.js";\nimport "./a.js";\n' })).toEqual([]);
    expect(found({ "ts/a.ts": 'import "keyv";\nimport "./adapters/keyv.js";\n' })).toEqual([
      "error import ts/a.ts:1",
      "error import ts/a.ts:2",
    ]);
  });
});
