#!/usr/bin/env bash
# The header alone, twice, and in a program, by every standard and every compiler that is installed; the program is linked and run.
# Usage: standards.sh HEADER_FOLDER PROGRAM.c LIBRARY
set -euo pipefail
include=$1 program=$2 library=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
strict=(-Wall -Wextra -Wpedantic -Werror -Wconversion -Wshadow -Wundef -I "$include")

echo '#include <slabheap/slabheap.h>' >"$folder/alone.c"
printf '#include <slabheap/slabheap.h>\n%.0s' 1 2 >"$folder/twice.c"

try() { # compiler language standard
  command -v "$1" >/dev/null || return 0
  for file in alone twice; do "$1" -x "$2" -std="$3" "${strict[@]}" -fsyntax-only "$folder/$file.c"; done
  "$1" -x "$2" -std="$3" "${strict[@]}" -c "$program" -o "$folder/program.o"
  # The linker is C's whatever the language: nothing of a C++ runtime may be wanted.
  cc "$folder/program.o" "$library" -o "$folder/program"
  "$folder/program" >/dev/null
  if readelf -d "$folder/program" | grep -q 'NEEDED.*c++'; then echo "$1 $3 needs a C++ runtime" && exit 1; fi
  echo "$1 $3"
}

for standard in c99 c11 c17 c2x; do
  for compiler in gcc clang clang-14; do try "$compiler" c "$standard"; done
done
for standard in c++11 c++14 c++17 c++20; do
  for compiler in g++ clang++ clang++-14; do try "$compiler" c++ "$standard"; done
done
