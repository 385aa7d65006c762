#!/usr/bin/env bash
# A crate written for ax_slab_allocator 0.4 passes its tests with it, and with slabheap in its place: one line of its Cargo.toml changes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
crate=$here/../../rust/slabheap
target=${CARGO_TARGET_DIR:-$here/../../rust/target}/kernel
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cp -r "$here/kernel" "$folder/kernel"
sed -i "s|^ax_slab_allocator = .*|ax_slab_allocator = { package = \"slabheap\", path = \"$(realpath "$crate")\", default-features = false }|" \
  "$folder/kernel/Cargo.toml"
changed=$( (diff -r "$here/kernel" "$folder/kernel" || true) | grep -c '^>')
if [[ $changed != 1 ]]; then echo "$changed lines differ, not one" && exit 1; fi

for kernel in "$here/kernel" "$folder/kernel"; do
  # The lock file of the copy is made anew, for its other dependency.
  if [[ $kernel == "$folder/kernel" ]]; then rm -f "$kernel/Cargo.lock"; fi
  cargo test --quiet --manifest-path "$kernel/Cargo.toml" --target-dir "$target" 2>&1 | grep -E '^(test result|error|test .*FAILED)' ||
    { echo "$kernel failed" && exit 1; }
done | tee "$folder/results"
# Of four runs (the crate's own tests, those beside it, and documentation, twice over), two have the four tests.
if [[ $(grep -c 'ok. 4 passed; 0 failed' "$folder/results") != 2 ]]; then echo "the kernel did not pass with both crates" && exit 1; fi
echo "a kernel written for ax_slab_allocator runs on slabheap with one line of its Cargo.toml changed"
