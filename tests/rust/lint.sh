#!/usr/bin/env bash
# The crates and what tests them, as their formatter and linter want them.
set -euo pipefail
cd "$(dirname "$0")"
for manifest in ../../rust/Cargo.toml kernel/Cargo.toml workout/Cargo.toml firmware/Cargo.toml bindings/Cargo.toml; do
  cargo fmt --check --all --manifest-path "$manifest"
done
cargo clippy --quiet --workspace --all-targets --all-features --locked --manifest-path ../../rust/Cargo.toml -- -D warnings
cargo clippy --quiet --workspace --no-default-features --locked --manifest-path ../../rust/Cargo.toml -- -D warnings
