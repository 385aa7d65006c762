#!/usr/bin/env bash
# The header from C's side: sizes and offsets are asserted and the header stands alone and twice, for 64 and for 32 bits, by every
# standard and every compiler that is installed; and the sources of the C API define exactly the functions that it declares.
# Usage: header_in_c.sh [HEADER_FOLDER]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
include=${1:-$root/capi/include}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
strict=(-Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow -Wundef -fsyntax-only -I "$include")

echo '#include <slabheap/slabheap.h>' >"$folder/alone.c"
printf '#include <slabheap/slabheap.h>\n%.0s' 1 2 >"$folder/twice.c"

try() { # compiler language standard
  command -v "$1" >/dev/null || return 0
  # Freestanding, a compiler's own headers suffice: a system for 64 bits need not have the headers of a C library for 32.
  for width in -m64 '-m32 -ffreestanding'; do
    for file in "$folder/alone.c" "$folder/twice.c" "$here/layout.c"; do
      # shellcheck disable=SC2086
      "$1" $width -x "$2" -std="$3" "${strict[@]}" "$file"
    done
  done
  tried+=("$1 $3")
}

tried=()
for standard in c99 c11 c17 c2x; do
  for compiler in gcc clang clang-14; do try "$compiler" c "$standard"; done
done
for standard in c++11 c++17 c++20; do
  for compiler in g++ clang++ clang++-14; do try "$compiler" c++ "$standard"; done
done
if [[ ${#tried[@]} -eq 0 ]]; then echo "no compiler is installed" && exit 1; fi

# A function that the header does not declare just so is an error; one that it declares and nobody defines shows in the symbols.
mkdir "$folder/objects"
for source in "$root"/capi/src/{heap_api,invalid_free,memory_source,status_text,translation}.cpp; do
  g++ -std=c++20 -Wall -Wextra -Wmissing-declarations -Werror -ffreestanding -fno-exceptions -fno-rtti -fvisibility=hidden \
    -DSLABHEAP_VERSION='"0"' -I "$include" -I "$root/core/include" -I "$root/capi/src" -c "$source" \
    -o "$folder/objects/$(basename "$source").o"
done
declared=$(grep -oE '^extern [^(]*\bheap_[a-z_]+\(' "$include/slabheap/slabheap.h" | grep -oE 'heap_[a-z_]+\($' | tr -d '(' | sort)
defined=$(nm --defined-only "$folder"/objects/*.o | awk '$2 == "T" && $3 ~ /^heap_/ {print $3}' | sort)
diff <(echo "$declared") <(echo "$defined") || { echo "declared in the header (<) and defined (>) differ" && exit 1; }
echo "the header holds in C: $(wc -w <<<"$declared") functions; ${#tried[@]} compilers and standards, 64 and 32 bits:" \
  "$(IFS=,; echo "${tried[*]}")"
