#!/usr/bin/env bash
# What the libraries want of others, and what the shared one shows.
# Usage: symbols.sh HEADER STATIC_LIBRARY [SHARED_LIBRARY]
set -euo pipefail
header=$1 static=$2 shared=${3:-}

# Copying and clearing; for mapped memory, mapping; for an invalid free that is to abort, a line and an end.
allowed='memcpy|memset|memmove|memcmp|mmap|munmap|madvise|sysconf|write|abort|_GLOBAL_OFFSET_TABLE_'
own=$(nm --defined-only "$static" | awk 'NF == 3 {print $3}' | sort -u)
wanted=$(nm -u "$static" | awk '$1 == "U" {print $2}' | sort -u)
foreign=$(comm -23 <(echo "$wanted") <(echo "$own") | grep -vxE "$allowed" || true)
if [[ -n $foreign ]]; then echo "the static library wants: $foreign" && exit 1; fi
echo "the static library wants: $(comm -23 <(echo "$wanted") <(echo "$own") | tr '\n' ' ')"

# The core alone wants no more than copying and clearing.
core=$(mktemp -d)
trap 'rm -rf "$core"' EXIT
(cd "$core" && ar x "$(realpath "$OLDPWD/$static" 2>/dev/null || realpath "$static")")
if nm -u "$core"/{heap,slab,regions,buddy,best_fit}*.o* | awk '$1 == "U" {print $2}' | grep -vE '^_ZN?K?8slabheap|^_ZNK8slabheap' |
  grep -vxE 'memcpy|memset|memmove|_GLOBAL_OFFSET_TABLE_'; then
  echo "the core wants more than copying and clearing" && exit 1
fi

[[ -n $shared ]] || exit 0
declared=$(grep -oE '\bheap_[a-z_]+\(' "$header" | tr -d '(' | sort -u | while read -r name; do
  grep -qE "^extern .*\b$name\(" "$header" && echo "$name"
done)
shown=$(nm -D --defined-only "$shared" | awk '{print $3}' | sort -u)
if ! diff <(echo "$declared") <(echo "$shown"); then echo "the shared library does not show what the header declares" && exit 1; fi
readelf -d "$shared" | grep -q 'SONAME.*libslabheap\.so\.[0-9]' || { echo "the shared library has no versioned name" && exit 1; }
if readelf -d "$shared" | grep 'NEEDED' | grep -v 'libc\.so'; then echo "the shared library needs more than libc" && exit 1; fi
echo "the shared library shows $(wc -w <<<"$shown") functions"
