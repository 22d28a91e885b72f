#!/bin/sh
# What cargo links for musl with, on any Linux: zig's C compiler, which brings musl for each processor. cargo-zigbuild takes
# out what rustc says to other linkers and zig doesn't know. Both come from PyPI; release.yml has their versions.
#
#   CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=scripts/musl-linker.sh MUSL_PROCESSOR=x86_64 cargo build --target …
exec cargo-zigbuild zig cc -- -target "${MUSL_PROCESSOR:?x86_64 or aarch64}-linux-musl" "$@"
