#!/usr/bin/env python3
"""Seeds drifts between the Rust declarations and the C header, each in a copy of its own, and lets every check look at it.

text      the header is what cbindgen prints from the declarations
layout    the declarations hold what they assert of their own layout
bindings  the compiler finds the declarations to be what bindgen reads in the header
c         had the header been printed anew, its sizes, offsets, values and functions were still what C and C++ say of them

The text has to catch every drift, and every drift has to be caught by a check besides; once it is, the rest are not asked unless
--all is given. Usage: drifts.py HEADER_TEST [--all], the program that cargo makes of rust/slabheap-sys/tests/header.rs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "rust/target")).resolve()
NEEDED = ("capi", "core", "rust/slabheap-sys", "tests/rust/bindings", "tests/rust/header_in_c.sh", "tests/rust/layout.c")


@dataclass(frozen=True)
class Drift:
    """A change of the declarations: `old` stands there once and becomes `new`."""

    kind: str
    old: str
    new: str


DRIFTS = (
    Drift("a renamed field", "pub used_blocks: usize,", "pub blocks_used: usize,"),
    Drift("a retyped field", "pub region_count: usize,", "pub region_count: u32,"),
    Drift(
        "a reordered field",
        "pub preset: HeapPreset,\n    /// The page layer.\n    pub pages: HeapPageLayer,",
        "pub pages: HeapPageLayer,\n    /// The page layer.\n    pub preset: HeapPreset,",
    ),
    Drift("an added field", "pub sets: usize,", "pub sets: usize,\n    /// Sets without a free block.\n    pub full_sets: usize,"),
    Drift("a missing field", "    /// Frees and reallocations that were refused.\n    pub rejected_frees: u64,\n", ""),
    Drift("an enum's value or width", "NotOwned = 3,", "NotOwned = 13,"),
    Drift(
        "an enum's value or width",
        "#[repr(u32)]\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\npub enum HeapPageLayer",
        "#[repr(u8)]\n#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]\npub enum HeapPageLayer",
    ),
    Drift("an argument's type", "heap_block_size(heap: *const Heap, block: *const", "heap_block_size(heap: *mut Heap, block: *const"),
    Drift(
        "an argument's order",
        "heap_add_memory(heap: *mut Heap, memory: *mut c_void, bytes: usize)",
        "heap_add_memory(heap: *mut Heap, bytes: usize, memory: *mut c_void)",
    ),
    Drift(
        "an argument's count",
        "heap_free(heap: *mut Heap, block: *mut c_void)",
        "heap_free(heap: *mut Heap, block: *mut c_void, size: usize)",
    ),
    Drift("a return type", "heap_trim(heap: *mut Heap) -> usize;", "heap_trim(heap: *mut Heap) -> u32;"),
    Drift("a missing function", "    pub fn heap_reset(heap: *mut Heap) -> HeapStatus;\n", ""),
)


def copy_of_tree(folder: Path) -> Path:
    """What the checks look at, with links as links, and every file newer than what was built of the copy before."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in NEEDED:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, symlinks=True, copy_function=shutil.copy)
        else:
            shutil.copy(ROOT / name, target)
    return folder


def holds(*command: str | Path, at: Path, **variables: str) -> bool:
    """Whether a command, run in a folder, succeeds."""
    return subprocess.run(command, cwd=at, env=os.environ | variables, check=False, capture_output=True).returncode == 0


def checks(header_test: Path) -> dict[str, Callable[[Path], bool]]:
    """Each check by its name: whether a tree passes it. The last two change the tree."""

    def text(tree: Path, **variables: str) -> bool:
        return holds(header_test, at=tree, CARGO_MANIFEST_DIR=str(tree / "rust/slabheap-sys"), **variables)

    def layout(tree: Path) -> bool:
        compiler = ("rustc", "--edition=2024", "--crate-type=lib", "--emit=metadata", "--out-dir", tree)
        return holds(*compiler, "rust/slabheap-sys/src/lib.rs", at=tree)

    def bindings(tree: Path) -> bool:
        # What the layout says does not count here: this check has to find out by itself.
        (tree / "rust/slabheap-sys/src/layout.rs").write_text("")
        # Files of its own: cargo takes two copies of a crate for one.
        return holds("cargo", "check", "--quiet", "--locked", at=tree / "tests/rust/bindings", CARGO_TARGET_DIR=str(TARGET / "drifts"))

    def c(tree: Path) -> bool:
        if not text(tree, SLABHEAP_BLESS="1"):
            sys.exit("the header could not be printed anew")
        return holds(tree / "tests/rust/header_in_c.sh", at=tree)

    return {"text": text, "layout": layout, "bindings": bindings, "c": c}


def seed(drift: Drift, tree: Path) -> None:
    """Applies a drift to a tree."""
    declarations = tree / "rust/slabheap-sys/src/lib.rs"
    old = declarations.read_text()
    if old.count(drift.old) != 1:
        sys.exit(f"{drift.kind}: the declarations have {old.count(drift.old)} times: {drift.old}")
    declarations.write_text(old.replace(drift.old, drift.new))


def caught(every: dict[str, Callable[[Path], bool]], tree: Path, asks_all: bool) -> list[str]:
    """The checks that fail."""
    failing: list[str] = []
    for name, check in every.items():
        if len(failing) == 2 and not asks_all:
            break
        if not check(tree):
            failing.append(name)
    return failing


def main(header_test: Path, asks_all: bool) -> None:
    """Tries the tree as it is, which must pass, and every drift, which must not."""
    every = checks(header_test.resolve())
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_of_tree(Path(folder) / "copy")
        if failing := caught(every, tree, asks_all):
            sys.exit(f"without a drift, these checks fail: {', '.join(failing)}")

        missed = set()
        caught_by = dict.fromkeys(every, 0)
        for drift in DRIFTS:
            seed(drift, copy_of_tree(tree))
            failing = caught(every, tree, asks_all)
            for name in failing:
                caught_by[name] += 1
            if "text" not in failing or failing == ["text"]:
                missed.add(drift.kind)
            print(f"{drift.kind:25}  {', '.join(failing)}", flush=True)

    kinds = {drift.kind for drift in DRIFTS}
    if asks_all:
        print(f"of {len(DRIFTS)} drifts: " + ", ".join(f"{name} {count}" for name, count in caught_by.items()))
    print(f"{len(kinds - missed)} of {len(kinds)} kinds of drift are caught")
    if missed:
        sys.exit(f"missed: {', '.join(sorted(missed))}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), asks_all=sys.argv[2:] == ["--all"])
