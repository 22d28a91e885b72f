// What an addon for Linux must be like to be published, read from the file itself with readelf and objdump. Addons for
// other systems are held against the size alone.
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { newerInstructions } from "./instructions.mjs";
import { crossTool } from "./platforms.mjs";
import { capture } from "./run.mjs";

/** What npm downloads is about 40 % of it. */
export const ADDON_BYTES_MAX = 1_500_000;
/** What RHEL 7, Amazon Linux 2 and everything since have. */
export const GLIBC_MAX = [2, 17];
/** Kernels for arm64 may have pages of 64 KiB, and load nothing that is aligned to less. */
const ARM64_ALIGNMENT_MIN = 0x1_0000;
/** Libraries that a system with Node.js has: Node.js needs them itself. */
const NEEDED_ALLOWED =
  /^(lib(c|m|dl|rt|pthread)\.so\.\d+|libgcc_s\.so\.1|ld-linux-.*\.so\.\d+|libc\.so|libc\.musl-\w+\.so\.1)$/;

/** Reads a file: what it is, and what is wrong with it. */
export function checkBinary(file) {
  const bytes = statSync(file).size;
  const facts = isElf(file) ? { bytes, ...elfFacts(file) } : { bytes };
  return { facts, complaints: complaintsAbout(facts) };
}

/** The facts in a line. */
export function describe({ bytes, machine, glibc }) {
  const needs = machine === undefined ? [] : [machine, glibc === undefined ? "no glibc" : `glibc ${glibc.join(".")}`];
  return [`${bytes.toLocaleString("en")} bytes`, ...needs].join(", ");
}

/** What keeps an addon with these facts from being published, one sentence each. */
export function complaintsAbout({ bytes, machine, ...facts }) {
  const found = [];
  if (bytes > ADDON_BYTES_MAX) {
    found.push(`It has ${bytes} bytes; ${ADDON_BYTES_MAX} at most.`);
  }
  if (machine === undefined) {
    return found;
  }
  if (facts.glibc !== undefined && compareVersions(facts.glibc, GLIBC_MAX) > 0) {
    found.push(
      `It needs glibc ${facts.glibc.join(".")}; ${GLIBC_MAX.join(".")} at most. Build it with build-platform.mjs.`,
    );
  }
  for (const library of facts.needed.filter((name) => !NEEDED_ALLOWED.test(name))) {
    found.push(`It needs ${library}, which a system with Node.js may not have.`);
  }
  if (facts.symbolSections.length > 0) {
    found.push(`It is not stripped: it has ${facts.symbolSections.join(", ")}.`);
  }
  if (facts.executableStack) {
    found.push("It asks for an executable stack, which hardened systems refuse.");
  }
  if (machine === "AArch64" && facts.alignment < ARM64_ALIGNMENT_MIN) {
    found.push(`Its segments are aligned to ${facts.alignment} bytes: kernels with pages of 64 KiB won't load it.`);
  }
  for (const { address, instruction } of facts.newer) {
    found.push(`At ${address} it has \`${instruction}\`, which processors of ARMv8.0 don't know.`);
  }
  return found;
}

/** The newest version of glibc among the symbol versions that `readelf --version-info` shows as needed. */
export function newestGlibc(versionInfo) {
  const needs = versionInfo
    .split(/^Version needs section/m)
    .slice(1)
    .join("");
  const versions = [...needs.matchAll(/Name: GLIBC_(\d+(?:\.\d+)+)/g)].map((match) => match[1].split(".").map(Number));
  return versions.sort(compareVersions).at(-1);
}

/** What `readelf --headers --dynamic` says of a library. */
export function headerFacts(text) {
  const sections = [...text.matchAll(/^\s+\[\s*\d+\] (\.\S+)/gm)].map((match) => match[1]);
  const loads = [...text.matchAll(/^\s+LOAD\s.*\s(0x[\da-f]+)$/gm)].map((match) => Number(match[1]));
  return {
    machine: /^\s+Machine:\s+(?:Advanced Micro Devices )?(.*\S)/m.exec(text)?.[1],
    needed: [...text.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1]),
    symbolSections: sections.filter((name) => name === ".symtab" || name.startsWith(".debug_")),
    executableStack: /^\s+GNU_STACK\s.*\sRWE\s/m.test(text),
    alignment: Math.min(...loads),
  };
}

function elfFacts(file) {
  const read = (...options) =>
    capture("readelf", ["--wide", ...options, file], { env: { ...process.env, LC_ALL: "C" } });
  const headers = headerFacts(read("--headers", "--dynamic"));
  const isArm64 = headers.machine === "AArch64";
  return {
    ...headers,
    glibc: newestGlibc(read("--version-info")),
    newer: isArm64 ? newerInstructions(disassembly(file)) : [],
  };
}

function disassembly(file) {
  const objdump = process.arch === "arm64" ? "objdump" : crossTool("linux-arm64-gnu", "objdump");
  // It is older than the marks of today's compilers, and says so of each file.
  const stdio = ["ignore", "pipe", "ignore"];
  return capture(objdump, ["--disassemble", "--no-show-raw-insn", file], { stdio });
}

function isElf(file) {
  const start = Buffer.alloc(4);
  const descriptor = openSync(file, "r");
  readSync(descriptor, start);
  closeSync(descriptor);
  return start.toString("latin1") === "\x7fELF";
}

function compareVersions(a, b) {
  return a.map((part, at) => part - (b[at] ?? 0)).find((difference) => difference !== 0) ?? a.length - b.length;
}
