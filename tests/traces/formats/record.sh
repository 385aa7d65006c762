#!/usr/bin/env bash
# Has the tools of others watch sample.c, and a program in C++, and keeps what they wrote. Wants gcc, heaptrack, ltrace, valgrind and zstd.
# Usage, from the top of the tree: tests/traces/formats/record.sh
set -euo pipefail
cd "$(dirname "$0")"
kept=$PWD
folder=/tmp/slabheap-formats # in the files
rm -rf "$folder"
mkdir "$folder"
trap 'rm -rf "$folder"' EXIT
cp sample.c threads.cpp "$folder"
cd "$folder"
gcc -g -O0 -fno-builtin -fdebug-prefix-map="$folder"=. sample.c -o sample -pthread 2>/dev/null
g++ -g -O0 -std=c++17 threads.cpp -o threads -pthread

# mtrace is in a library of its own since glibc 2.34.
MALLOC_TRACE="$kept/sample.mtrace" LD_PRELOAD=libc_malloc_debug.so.0 ./sample
MALLOC_TRACE="$kept/alone.mtrace" LD_PRELOAD=libc_malloc_debug.so.0 ./sample alone
valgrind --quiet --tool=dhat --dhat-out-file="$kept/alone.dhat.json" ./sample alone
chmod 644 "$kept/alone.dhat.json"

heaptrack --output "$folder/sample" ./sample >/dev/null 2>&1
heaptrack --raw --output "$folder/sample" ./sample >/dev/null 2>&1
cp sample.zst "$kept/sample.heaptrack.zst"
zstd --quiet --decompress --force sample.raw.zst -o "$kept/sample.heaptrack.raw"

family='malloc+calloc+realloc+reallocarray+free+memalign+aligned_alloc+posix_memalign+_Zn*+_Zd*'
ltrace -f -o "$kept/sample.ltrace" -e "$family" ./sample
ltrace -f -ttt -i -o "$kept/timed.ltrace" -e "$family" ./sample
# Calls of the program and of its libraries, one within the other, of two threads at the same time.
ltrace -f -tt -T -C -o "$kept/nested.ltrace" -e 'malloc@*+free@*+realloc@*+_Zn*@*+_Zd*@*' ./threads
