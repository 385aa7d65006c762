#!/usr/bin/env bash
# A library for a system that CMake knows nothing of has no shared form, and wants nothing but copying and clearing.
# Usage: without_os.sh, in the folder of the project
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cmake -G Ninja -B "$folder" -DCMAKE_SYSTEM_NAME=Generic -DCMAKE_BUILD_TYPE=MinSizeRel -DSLABHEAP_STRICT=ON -Wno-dev >/dev/null
cmake --build "$folder" >/dev/null
library=$folder/capi/libslabheap.a
wanted=$(comm -23 <(nm -u "$library" | awk '$1 == "U" {print $2}' | sort -u) <(nm --defined-only "$library" | awk 'NF == 3 {print $3}' | sort -u))
if grep -vxE 'memcpy|memset|memmove|_GLOBAL_OFFSET_TABLE_' <<<"$wanted"; then echo "the library wants more than copying and clearing" && exit 1; fi
echo "the library wants: ${wanted//$'\n'/ }; it has $(size -t "$library" | awk 'END {print $1 + $2}') bytes of code and data"
