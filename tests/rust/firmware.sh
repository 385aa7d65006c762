#!/usr/bin/env bash
# A library for a device, optimised for size, wants nothing of an operating system, runs, and is small.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../rust/target}/firmware
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cargo build --quiet --release --locked --manifest-path "$here/firmware/Cargo.toml" --target-dir "$target"
library=$target/release/libfirmware.a

# What all of its objects want and none of them has: at most the six functions that the documentation of Rust's `core` names, which every
# freestanding system has, and the personality, which precompiled code names, and never calls where a panic ends everything.
cc -nostdlib -r "$here/firmware/main.c" -Wl,--whole-archive "$library" -Wl,--no-whole-archive -Wl,--gc-sections -Wl,-e,main \
  -o "$folder/whole.o"
# (nm would ask a plugin of clang's, if there is one, which fails on the bitcode of a newer LLVM.)
readelf --wide --symbols "$folder/whole.o" >"$folder/symbols"
grep -q 'FUNC.* most_frequent$' "$folder/symbols"
mapfile -t wanted < <(awk '$7 == "UND" && $8 {print $8}' "$folder/symbols")
for symbol in "${wanted[@]}"; do
  case $symbol in
    memcpy | memmove | memset | memcmp | bcmp | strlen | _GLOBAL_OFFSET_TABLE_ | rust_eh_personality) ;;
    *) echo "the library wants $symbol" && exit 1 ;;
  esac
done

cc -Os -Wl,--gc-sections "$here/firmware/main.c" "$library" -o "$folder/device"
"$folder/device"
echo "a device's library wants ${wanted[*]:-nothing}; code and data of heap and collections: $(size "$folder/whole.o" | awk 'NR == 2 {print $1 + $2}') bytes"
