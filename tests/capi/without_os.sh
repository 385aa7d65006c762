#!/usr/bin/env bash
# A library for a system that CMake knows nothing of has no shared form, and wants nothing but copying and clearing.
# Usage: without_os.sh HEADER, in the folder of the project
set -euo pipefail
symbols=$(dirname "$0")/symbols.sh
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cmake -G Ninja -B "$folder" -DCMAKE_SYSTEM_NAME=Generic -DCMAKE_BUILD_TYPE=MinSizeRel -DSLABHEAP_STRICT=ON -Wno-dev >/dev/null
cmake --build "$folder" >/dev/null
library=$folder/capi/libslabheap.a
said=$("$symbols" "$1" "$library")
echo "$said"
if grep -qwE 'memcmp|mmap|munmap|madvise|sysconf|write|abort' <<<"$said"; then echo "it wants more than copying and clearing" && exit 1; fi
echo "it has $(size -t "$library" | awk 'END {print $1 + $2}') bytes of code and data"
