#!/usr/bin/env bash
# A program that works real crates hard prints the same with slabheap as its global allocator as with the system's.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../rust/target}/workout
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

run() { cargo run --quiet --locked --manifest-path "$here/workout/Cargo.toml" --target-dir "$target" "$@"; }
run >"$folder/system"
run --features slabheap >"$folder/slabheap"
diff "$folder/system" "$folder/slabheap"
cat "$folder/slabheap"
