// The name of the platform: system, processor, and the C library that Node itself is linked to.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { platformArchTriples } from "@napi-rs/triples";
import { afterAll, describe, expect, test } from "vitest";
import { findLibc, PLATFORMS, platformName } from "../ts/platform.js";

const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
/** What napi-rs knows; its types call `triple` by another name. */
const known = Object.values(platformArchTriples).flatMap((processors) => Object.values(processors).flat()) as {
  platformArchABI: string;
  triple?: string;
}[];
const folder = mkdtempSync(join(tmpdir(), "nearcache-platform-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** An executable as far as its program headers, of which the second names a loader. */
function executable(name: string, loader: string): string {
  const bytes = Buffer.alloc(1024);
  bytes.write("\x7fELF", 0, "latin1");
  bytes.writeBigUInt64LE(64n, 32); // where the program headers begin
  bytes.writeUInt16LE(56, 54); // the length of one
  bytes.writeUInt16LE(2, 56); // how many
  bytes.writeUInt32LE(6, 64);
  bytes.writeUInt32LE(3, 64 + 56); // names the loader …
  bytes.writeBigUInt64LE(512n, 64 + 56 + 8); // … which stands here …
  bytes.writeBigUInt64LE(BigInt(loader.length + 1), 64 + 56 + 32); // … and is so long
  bytes.write(`${loader}\0`, 512, "latin1");
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

describe("the platform's name", () => {
  test.each([
    ["linux", "x64", "gnu", "linux-x64-gnu"],
    ["linux", "arm64", "musl", "linux-arm64-musl"],
    ["darwin", "arm64", "gnu", "darwin-arm64"],
    ["win32", "x64", "gnu", "win32-x64-msvc"],
    ["freebsd", "x64", "gnu", "freebsd-x64"],
  ] as const)("%s, %s, %s", (system, processor, libc, name) => {
    expect(platformName(system, processor, () => libc)).toBe(name);
  });

  test("is the one that napi-rs gives to the same platform", () => {
    const names = known.map(({ platformArchABI }) => platformArchABI);
    for (const platform of PLATFORMS) expect(names).toContain(platform);
  });

  test("has a package for each, as package.json tells napi-rs", () => {
    const targets: string[] = manifest.napi.targets;
    const names = targets.map((target) => known.find(({ triple }) => triple === target)?.platformArchABI);
    expect(names.sort()).toEqual([...PLATFORMS].sort());
  });

  test("has no C library to ask for outside of Linux", () => {
    const never = (): never => {
      throw new Error("asked");
    };
    expect(platformName("darwin", "x64", never)).toBe("darwin-x64");
    expect(platformName("win32", "arm64", never)).toBe("win32-arm64-msvc");
  });
});

describe("the C library", () => {
  test.each([
    ["/lib64/ld-linux-x86-64.so.2", "gnu"],
    ["/lib/ld-linux-aarch64.so.1", "gnu"],
    ["/nix/store/abc-glibc-2.40/lib/ld-linux-x86-64.so.2", "gnu"],
    ["/lib/ld-musl-x86_64.so.1", "musl"],
    ["/lib/ld-musl-aarch64.so.1", "musl"],
  ] as const)("is read from the executable: %s", (loader, libc) => {
    expect(findLibc(executable(libc, loader))).toBe(libc);
  });

  test.runIf(process.platform === "linux")("is found by other ways where the executable doesn't say", () => {
    const real = findLibc();
    const cut = join(folder, "cut");
    writeFileSync(cut, "\x7fELF");
    const script = join(folder, "script");
    writeFileSync(script, "#!/bin/sh\n");
    for (const path of [cut, script, join(folder, "nowhere")]) expect(findLibc(path)).toBe(real);
  });

  test.runIf(process.platform === "linux")("is the one that the diagnostic report names", () => {
    const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
    expect(findLibc()).toBe(header.glibcVersionRuntime === undefined ? "musl" : "gnu");
  });
});
