#!/usr/bin/env bash
# The crates link an installed library if they are told to, and then compile no C++. Usage: installed.sh BUILD_FOLDER
set -euo pipefail
build=$1
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../rust/target}/installed
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cmake --install "$build" --prefix "$folder" >/dev/null
PKG_CONFIG_PATH=$(dirname "$(find "$folder" -name slabheap.pc)")
LD_LIBRARY_PATH=$(dirname "$(find "$folder" -name 'libslabheap.so')")
export PKG_CONFIG_PATH LD_LIBRARY_PATH SLABHEAP_SYSTEM=1 CXX=/bin/false CC=/bin/false
program=$(cargo test --quiet --locked --manifest-path "$here/../../rust/Cargo.toml" --package slabheap --test heap --target-dir "$target" --no-run \
  --message-format=json | grep -o '"executable":"[^"]*"' | cut -d'"' -f4)
"$program" --quiet
readelf -d "$program" | grep -q 'NEEDED.*libslabheap.so' || { echo "the test does not use the installed library" && exit 1; }
if PKG_CONFIG_PATH=/nowhere cargo check --quiet --locked --manifest-path "$here/../../rust/Cargo.toml" --package slabheap-sys \
  --target-dir "$target" 2>"$folder/errors"; then
  echo "without an installed library, the crate was built all the same" && exit 1
fi
grep -q 'SLABHEAP_SYSTEM is set, but there is no slabheap to link' "$folder/errors"
echo "the crates link an installed library, and say so where there is none"
