/**
 * What this process runs on, in the names of the platform packages: system, processor and, on Linux, C library.
 *
 * The C library is the one that Node itself is linked to, whatever others the system has. Node's executable says so in its
 * first bytes. The diagnostic report says so too, but takes 25 ms and waits for worker threads, so it comes last. Nothing
 * here starts a process.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

/** What addons are built for, by what follows `@nearcache/` in the names of their packages. */
export const PLATFORMS: readonly string[] = [
  "darwin-arm64",
  "darwin-x64",
  "linux-arm64-gnu",
  "linux-arm64-musl",
  "linux-x64-gnu",
  "linux-x64-musl",
  "win32-arm64-msvc",
  "win32-x64-msvc",
];

/** A C library of Linux: glibc or musl. */
export type Libc = "gnu" | "musl";

/** The platform's name, whether it is one of {@link PLATFORMS} or not: `linux-x64-gnu`, `darwin-arm64`, `freebsd-x64`. */
export function platformName(
  system: string = process.platform,
  processor: string = process.arch,
  libc: () => Libc = findLibc,
): string {
  const name = `${system}-${processor}`;
  if (system === "linux") {
    return `${name}-${libc()}`;
  }
  return system === "win32" ? `${name}-msvc` : name;
}

/** The C library that an executable is linked to; that of this process by default. */
export function findLibc(executable: string = process.execPath): Libc {
  return libcOf(interpreterOf(executable)) ?? libcOf(textOf("/usr/bin/ldd")) ?? libcOfReport();
}

function libcOf(text: string): Libc | undefined {
  if (text.includes("musl")) {
    return "musl";
  }
  return /ld-linux|ld64\.so|GNU C Library|GLIBC/i.test(text) ? "gnu" : undefined;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function libcOfReport(): Libc {
  // `excludeNetwork` is not in the types of the oldest Node that we support, and it has it. Without it the names of all
  // connected hosts would be looked up.
  const report = process.report as NodeJS.ProcessReport & { excludeNetwork?: boolean };
  const before = report.excludeNetwork ?? false;
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } };
  report.excludeNetwork = before;
  return header.glibcVersionRuntime === undefined ? "musl" : "gnu";
}

/** Where things are in a 64-bit little-endian ELF file, in bytes. */
const Elf = { magic: 0x464c_457f, programHeaders: 32, entryBytes: 54, entryCount: 56 } as const;
const ProgramHeader = { interpreter: 3, offset: 8, fileBytes: 32 } as const;
/** Program headers stand at the beginning; what is longer than this is no executable that we know. */
const HEAD_BYTES = 4096;

/** The path of the loader that an ELF file names (`/lib/ld-musl-x86_64.so.1`); empty if it names none or is no such file. */
function interpreterOf(path: string): string {
  let file: number | undefined;
  try {
    file = openSync(path, "r");
    const head = Buffer.alloc(HEAD_BYTES);
    readSync(file, head, 0, HEAD_BYTES, 0);
    return readInterpreter(file, head);
  } catch {
    // Not there, not readable, or cut off: other places will tell.
    return "";
  } finally {
    if (file !== undefined) {
      closeSync(file);
    }
  }
}

function readInterpreter(file: number, head: Buffer): string {
  if (head.readUInt32LE(0) !== Elf.magic) {
    return "";
  }
  const start = Number(head.readBigUInt64LE(Elf.programHeaders));
  const entryBytes = head.readUInt16LE(Elf.entryBytes);
  for (let index = 0; index < head.readUInt16LE(Elf.entryCount); index++) {
    const entry = start + index * entryBytes;
    if (head.readUInt32LE(entry) === ProgramHeader.interpreter) {
      const name = Buffer.alloc(Math.min(Number(head.readBigUInt64LE(entry + ProgramHeader.fileBytes)), HEAD_BYTES));
      readSync(file, name, 0, name.length, Number(head.readBigUInt64LE(entry + ProgramHeader.offset)));
      return name.toString("latin1");
    }
  }
  return "";
}
