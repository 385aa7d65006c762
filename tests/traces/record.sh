#!/usr/bin/env bash
# Records the kept traces anew, from three programs of the system. Usage, from the top of the tree: tests/traces/record.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
slabheap=build/venv/bin/slabheap
traces=tests/traces

# Threads that parse JSON and fill databases; Python's small objects included.
PYTHONMALLOC=malloc "$slabheap" record --no-follow -o $traces/python-json.trace -- \
  /usr/bin/python3 examples/programs/index_json.py 48 4 >/dev/null

# A compiler: the driver's trace is not kept, that of the compiler proper is.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$slabheap" record -o "$folder/driver.trace" -- g++ -std=c++20 -O2 -S -Icore/include core/src/slab.cpp -o /dev/null
mv "$folder"/driver.*.trace $traces/cc1plus.trace

# A script in Perl that formats documentation.
"$slabheap" record --no-follow -o $traces/perl-pod.trace -- \
  perl -MPod::Text -e 'Pod::Text->new->parse_file($INC{"Pod/Text.pm"})' >/dev/null
