#!/usr/bin/env bash
# The crates as cargo packages them build from what is in the packages, and their documentation is made without a compiler for C++.
set -euo pipefail
cd "$(dirname "$0")/../../rust"
target=${CARGO_TARGET_DIR:-target}
export CARGO_TERM_COLOR=never

# To cargo a package of the same name and version is the same: forget what earlier runs unpacked and built.
rm -rf "$target/packages" "${CARGO_HOME:-$HOME/.cargo}"/registry/src/-*/slabheap-*
cargo package --quiet --workspace --locked --allow-dirty --target-dir "$target/packages"
for package in "$target"/packages/package/slabheap-*.crate; do
  listed=$(tar -tzf "$package")
  # Links are packaged as the files that they lead to.
  for wanted in LICENSE-MIT LICENSE-APACHE README.md; do
    grep -q "/$wanted\$" <<<"$listed" || { echo "$package lacks $wanted" && exit 1; }
  done
  echo "$(basename "$package"): $(wc -l <<<"$listed") files, $(stat -c %s "$package") bytes"
done
grep -q '/core/src/heap.cpp$' <<<"$(tar -tzf "$target"/packages/package/slabheap-sys-*.crate)"

DOCS_RS=1 CXX=/bin/false CC=/bin/false RUSTDOCFLAGS='-D warnings' \
  cargo doc --quiet --workspace --no-deps --all-features --locked --target-dir "$target/docs"
echo "documentation is made without warnings, and without a compiler"
