// The platforms that nearcache is built for, and what cargo needs to build for each of them.
//
// Linux with glibc is linked against glibc 2.17, wherever it is built: with the cross toolchains of napi-rs, for its own
// architecture too, because a program that is linked on a host needs that host's glibc. They run on x64. For the others
// cargo is on its own: they are built on a machine of that kind.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianPackages, npmPackage, once } from "./downloads.mjs";
import { capture, fail, run } from "./run.mjs";

/** By the names of the platform packages: what Rust calls each, and whose toolchain links it. */
export const PLATFORMS = {
  "darwin-arm64": { target: "aarch64-apple-darwin" },
  "darwin-x64": { target: "x86_64-apple-darwin" },
  "linux-arm64-gnu": { target: "aarch64-unknown-linux-gnu", toolchain: "aarch64" },
  "linux-arm64-musl": { target: "aarch64-unknown-linux-musl" },
  "linux-x64-gnu": { target: "x86_64-unknown-linux-gnu", toolchain: "x86_64" },
  "linux-x64-musl": { target: "x86_64-unknown-linux-musl" },
  "win32-arm64-msvc": { target: "aarch64-pc-windows-msvc" },
  "win32-x64-msvc": { target: "x86_64-pc-windows-msvc" },
};

/** The platforms whose toolchain npm carries. */
export const LINKED_HERE = Object.keys(PLATFORMS).filter((name) => PLATFORMS[name].toolchain !== undefined);

/** A program of the toolchain that links for a platform (`gcc`, `readelf`, …). */
export function crossTool(platform, program) {
  const { target, toolchain } = PLATFORMS[platform];
  if (process.platform !== "linux" || process.arch !== "x64") {
    fail(`The toolchains that link for glibc 2.17 run on linux-x64; this is ${process.platform}-${process.arch}.`);
  }
  const folder = npmPackage(`@napi-rs/cross-toolchain-x64-target-${toolchain}`, (unpacked) => {
    run("tar", ["xJf", join(unpacked, `${target}.tar.xz`), "-C", unpacked]);
  });
  return join(folder, "bin", `${target}-${program}`);
}

/** Variables with which cargo builds for a platform. */
export function cargoEnvironment(platform) {
  const { target, toolchain } = PLATFORMS[platform];
  if (toolchain === undefined) {
    return {};
  }
  const variables = `CARGO_TARGET_${target.toUpperCase().replaceAll("-", "_")}`;
  return {
    [`${variables}_LINKER`]: crossTool(platform, "gcc"),
    // The toolchain's linker is older than the marks that today's compilers leave in objects, and says so for each.
    [`${variables}_RUSTFLAGS`]: "-Alinker-messages",
    ...(hasStandardLibrary(target) ? {} : { RUSTC: debianRustc(target) }),
  };
}

/** Whether the Rust of this machine can build for a target: `rustup target add` brings what it takes. */
export function hasStandardLibrary(target) {
  return existsSync(join(capture("rustc", ["--print", "sysroot"]).trim(), "lib/rustlib", target, "lib"));
}

/**
 * A compiler with the standard libraries of linux-x64 and linux-arm64, from Debian. It runs beside the libraries that it
 * was linked with, its C library among them, so that this machine may be older.
 */
function debianRustc(target) {
  if (target !== "aarch64-unknown-linux-gnu") {
    fail(`The Rust of this machine has no standard library for ${target}. Run: rustup target add ${target}`);
  }
  const isLibrary = (name) => name.startsWith("lib") && (!/-dev(:|$)/.test(name) || name === "libstd-rust-dev");
  const needed = (name) => !name.includes(":arm64") && (isLibrary(name) || name === "zlib1g");
  const tree = join(debianPackages("rustc", ["rustc", "libstd-rust-dev", "libstd-rust-dev:arm64"], needed), "usr");
  const loader = `"${join(tree, "lib64/ld-linux-x86-64.so.2")}" --library-path "${join(tree, "lib/x86_64-linux-gnu")}"`;
  return script("rustc", `exec ${loader} "${join(tree, "bin/rustc")}" --sysroot "${tree}" "$@"`);
}

/** The path of a shell script that does what `command` says. */
export function script(name, command) {
  const folder = once("bin", () => {});
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${command}\n`, { mode: 0o755 });
  return path;
}
