#!/usr/bin/env bash
# Installs, moves what was installed to another place, and uses it from there by find_package and by pkg-config, from C.
# Usage: check.sh BUILD_FOLDER PROGRAM.c
set -euo pipefail
build=$1 program=$2
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cmake --install "$build" --prefix "$folder/first" >/dev/null
mv "$folder/first" "$folder/second"
prefix=$folder/second
if grep -rIl -e "$folder/first" -e "$build" "$prefix"; then echo "an installed file names the place it was built or installed in" && exit 1; fi

cmake -S "$here/consumer" -B "$folder/consumer" -DCMAKE_PREFIX_PATH="$prefix" -DPROGRAM="$program" >/dev/null
cmake --build "$folder/consumer" >/dev/null
for library in slabheap shared; do "$folder/consumer/consumer_$library"; done

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name slabheap.pc)")
export PKG_CONFIG_PATH
read -ra flags <<<"$(pkg-config --cflags --libs slabheap)"
libdir=$(pkg-config --variable=libdir slabheap)
cc "$program" "${flags[@]}" -o "$folder/by_pkg_config"
LD_LIBRARY_PATH=$libdir "$folder/by_pkg_config"
cc "$program" "${flags[@]}" -static -o "$folder/static_by_pkg_config"
"$folder/static_by_pkg_config"
