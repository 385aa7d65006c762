#!/usr/bin/env bash
# Seeds drifts between the declarations and the header, and expects every one to be caught: see drifts.py.
# Usage: drifts.sh [--all]
set -euo pipefail
cd "$(dirname "$0")/../../rust"
test=$(cargo test --quiet --locked --package slabheap-sys --test header --no-run --message-format=json |
  grep -o '"executable":"[^"]*"' | cut -d'"' -f4)
exec python3 ../tests/rust/drifts.py "$test" "$@"
