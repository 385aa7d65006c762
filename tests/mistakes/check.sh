#!/usr/bin/env bash
# Makes every mistake under a tool, in a build that tells the tool what is a block: what the tool says that it sees, it has to
# report, and a program without mistakes it has to leave alone.
# Usage: check.sh asan|valgrind|none (the heap alone has to see it)
set -euo pipefail
cd "$(dirname "$0")/../.."
tool=$1
preset=watched-$tool
[[ $tool != none ]] || preset=tests
build=build/$preset
cmake --preset "$preset" >/dev/null
cmake --build "$build" --target mistakes >/dev/null
mistakes=$build/tests/mistakes
output=$(mktemp)
trap 'rm -f "$output"' EXIT
# Small blocks, of a size that is no class's and of one that is; and large ones.
sizes=(100 128 20000)
# By each thread. Valgrind, which is slow, switches threads in the middle of a call often enough.
readings=2000000
[[ $tool != valgrind ]] || readings=50000
seen=0      # by the tool
answered=0  # by the heap itself

run() {
  if [[ $tool == valgrind ]]; then
    valgrind --quiet --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite \
      "$mistakes" "$@" $readings
  else
    "$mistakes" "$@" $readings
  fi >"$output" 2>&1
}

# expect MISTAKE TEXT: the program fails, and says so.
expect() {
  for size in "${sizes[@]}"; do
    if run "$1" "$size" || ! grep -q "$2" "$output"; then
      echo "check: $tool does not report '$2' for $1 of $size bytes" >&2 && cat "$output" >&2 && exit 1
    fi
    seen=$((seen + 1))
  done
}

# expect_answer MISTAKE TEXT: the heap itself knows.
expect_answer() {
  for size in "${sizes[@]}"; do
    run "$1" "$size" || true
    grep -q "$2" "$output" || { echo "check: the heap does not answer '$2' to $1 of $size bytes" >&2 && cat "$output" >&2 && exit 1; }
    answered=$((answered + 1))
  done
}

# expect_silence NAME: nothing is wrong, and nothing is said.
expect_silence() {
  for size in "${sizes[@]}"; do
    run "$1" "$size" || { echo "check: $tool reports $1 of $size bytes, which is right" >&2 && cat "$output" >&2 && exit 1; }
    [[ ! -s $output ]] || { echo "check: $tool speaks of $1 of $size bytes, which is right" >&2 && cat "$output" >&2 && exit 1; }
  done
}

for right in none readers same-size; do expect_silence $right; done
expect_answer double-free "double free: the pointer is in no live block"
expect_answer leak "live blocks: 8"
case $tool in
  asan)
    for mistake in overflow read-overflow underflow use-after-free use-after-reallocate use-after-reset; do
      expect $mistake "AddressSanitizer: use-after-poison"
    done
    ;;
  valgrind)
    for mistake in overflow underflow use-after-free use-after-reallocate use-after-reset; do expect $mistake "Invalid write of size 1"; done
    expect read-overflow "Invalid read of size 1"
    expect uninitialised-read "depends on uninitialised value"
    expect leak "are definitely lost"
    expect double-free "Invalid free()"
    ;;
esac
echo "mistakes: $tool: $seen reported, and $answered answered by the heap, as they must be"
printf '%s\n' "mistakes_$tool +$seen" "answers_$tool +$answered" >>"${SLABHEAP_FIGURES-/dev/null}"
