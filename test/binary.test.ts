// What an addon must be like to be published: which files scripts/check-binary.mjs refuses, and why.
import { describe, expect, test } from "vitest";
import { ADDON_BYTES_MAX, checkBinary, complaintsAbout, headerFacts, newestGlibc } from "../scripts/lib/binary.mjs";
import { newerInstructions } from "../scripts/lib/instructions.mjs";
import { addonPath } from "./support/native.js";

const PUBLISHABLE = {
  bytes: 700_000,
  machine: "AArch64",
  glibc: [2, 17],
  needed: ["libgcc_s.so.1", "libc.so.6", "ld-linux-aarch64.so.1"],
  symbolSections: [],
  executableStack: false,
  alignment: 0x1_0000,
  newer: [],
};

describe("an addon", () => {
  test("that is as it must be gives no reason to complain", () => {
    expect(complaintsAbout(PUBLISHABLE)).toEqual([]);
    expect(complaintsAbout({ ...PUBLISHABLE, glibc: [2, 2, 5] })).toEqual([]);
  });

  test.each([
    [{ bytes: ADDON_BYTES_MAX + 1 }, /1500001 bytes; 1500000 at most/],
    [{ glibc: [2, 17, 1] }, /needs glibc 2\.17\.1; 2\.17 at most/],
    [{ glibc: [2, 34] }, /needs glibc 2\.34; 2\.17 at most/],
    [{ needed: ["libc.so.6", "libssl.so.3"] }, /needs libssl\.so\.3/],
    [{ symbolSections: [".debug_line", ".symtab"] }, /not stripped: it has \.debug_line, \.symtab/],
    [{ executableStack: true }, /executable stack/],
    [{ alignment: 0x1000 }, /aligned to 4096 bytes/],
    [{ newer: [{ address: "0x8a1ec", instruction: "casa w0, w1, [x2]" }] }, /At 0x8a1ec it has `casa w0, w1, \[x2\]`/],
  ])("with %j is refused", (wrong, complaint) => {
    expect(complaintsAbout({ ...PUBLISHABLE, ...wrong })).toEqual([expect.stringMatching(complaint)]);
  });

  test("for another system is held against the size alone", () => {
    expect(complaintsAbout({ bytes: 1_000 })).toEqual([]);
    expect(complaintsAbout({ bytes: 2_000_000 })).toHaveLength(1);
  });

  test.runIf(process.platform === "linux" && process.arch === "x64")("as it is built for this checkout is read", () => {
    const { facts, complaints } = checkBinary(addonPath);
    expect(facts.machine).toBe("X86-64");
    expect(facts.needed).toContain("libgcc_s.so.1");
    expect(facts.symbolSections).toEqual([]);
    const [major = 0, minor = 0] = facts.glibc ?? [];
    // It is linked with the C library of the machine that builds it.
    const isNewer = major > 2 || minor > 17;
    expect(complaints).toEqual(isNewer ? [expect.stringMatching(/needs glibc 2\.\d+; 2\.17 at most/)] : []);
  });
});

test("the newest version of glibc is found by number, among those that are needed and not those that are defined", () => {
  const text = `
Version definition section '.gnu.version_d' contains 1 entry:
  000000: Rev: 1  Flags: none  Index: 2  Cnt: 1  Name: GLIBC_2.99

Version needs section '.gnu.version_r' contains 2 entries:
  000000: Version: 1  File: libgcc_s.so.1  Cnt: 1
  0x0010:   Name: GCC_4.2.0  Flags: none  Version: 9
  0x0020: Version: 1  File: libc.so.6  Cnt: 3
  0x0030:   Name: GLIBC_2.2.5  Flags: none  Version: 3
  0x0040:   Name: GLIBC_2.14  Flags: none  Version: 8
  0x0050:   Name: GLIBC_2.3  Flags: none  Version: 2
`;
  expect(newestGlibc(text)).toEqual([2, 14]);
  expect(newestGlibc("No version information found in this file.")).toBeUndefined();
});

test("sections, segments and libraries are read from what readelf shows", () => {
  const text = `ELF Header:
  Machine:                           AArch64
Section Headers:
  [Nr] Name              Type            Address          Off    Size   ES Flg Lk Inf Al
  [ 1] .note.gnu.build-id NOTE           0000000000000238 000238 000024 00   A  0   0  4
  [30] .debug_line       PROGBITS        0000000000000000 0aaae0 000046 01  MS  0   0  1
Program Headers:
  Type           Offset   VirtAddr           PhysAddr           FileSiz  MemSiz   Flg Align
  LOAD           0x000000 0x0000000000000000 0x0000000000000000 0x0a61c0 0x0a61c0 R E 0x10000
  LOAD           0x0a64d8 0x00000000000b64d8 0x00000000000b64d8 0x0045d0 0x004698 RW  0x1000
  GNU_STACK      0x000000 0x0000000000000000 0x0000000000000000 0x000000 0x000000 RWE 0x10
Dynamic section at offset 0xa9d50 contains 27 entries:
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
`;
  expect(headerFacts(text)).toEqual({
    machine: "AArch64",
    needed: ["libc.so.6"],
    symbolSections: [".debug_line"],
    executableStack: true,
    alignment: 0x1000,
  });
});

describe("instructions that ARMv8.0 doesn't know", () => {
  const chosen = [
    "   8a1e0:\tadrp\tx16, ba000 <napi_register_module_v1@@Base+0x7c8dc>",
    "   8a1e4:\tldrb\tw16, [x16, #2912]",
    "   8a1e8:\tcbz\tw16, 8a1f4 <napi_register_module_v1@@Base+0x4cad0>",
    "   8a1ec:\tcasb\tw0, w1, [x2]",
    "   8a1f0:\tret",
  ];

  test("are no fault where the processor is asked first", () => {
    expect(newerInstructions(chosen.join("\n"))).toEqual([]);
  });

  test("are found where it is not asked, or another place is asked", () => {
    const found = [{ address: "0x8a1ec", instruction: "casb w0, w1, [x2]" }];
    expect(newerInstructions(chosen.slice(2).join("\n"))).toEqual(found);
    expect(newerInstructions(chosen.join("\n").replaceAll("w16", "w3"))).toEqual(found);
    expect(newerInstructions(chosen.join("\n").replace("\tret", "\tmov\tw0, w1"))).toEqual(found);
  });

  test.each([
    "casal x0, x1, [x2]",
    "ldaddal x0, x1, [x2]",
    "stset w3, [x4]",
    "swpab w1, w2, [x3]",
    "caspal x0, x1, x2, x3, [x4]",
    "ldaprb w0, [x1]",
    "retaa",
    "sqrdmlah v0.4s, v1.4s, v2.4s",
    "aese v0.16b, v1.16b",
    "crc32cx w0, w1, x2",
    "ptrue p0.b",
    "add z0.b, z0.b, z1.b",
  ])("include %s", (instruction) => {
    expect(newerInstructions(`    1000:\t${instruction.replace(" ", "\t")}`)).toEqual([
      { address: "0x1000", instruction },
    ]);
  });

  test.each(["ldaxr w0, [x1]", "stlr w0, [x1]", "stp x29, x30, [sp]", "paciasp", "ldr q0, [x1]", "ret", "cset w0, eq"])(
    "don't include %s",
    (instruction) => {
      expect(newerInstructions(`    1000:\t${instruction.replace(" ", "\t")}`)).toEqual([]);
    },
  );
});
