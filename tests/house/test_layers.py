"""Arrows point down only: what a folder may include or import, read from its sources."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What a file of a folder may include, as prefixes; <...> headers are listed apart.
MAY_INCLUDE = {
    "core": ("slabheap/core/",),
    "capi": (
        "slabheap/core/",
        "slabheap/slabheap.h",
        *("invalid_free.hpp", "memory_source.hpp", "os.hpp", "status_text.hpp", "tool.hpp", "translation.hpp", "watched.hpp"),
    ),
    "python/native": ("slabheap/slabheap.h", "classes/", "clock/", "module/", "record/", "replay/", "trace/", "pybind11/"),
}

# What a freestanding implementation of C++20 has, as far as the core may need it.
FREESTANDING = {"bit", "compare", "concepts", "cstddef", "cstdint", "limits", "new", "type_traits"}

# The core's headers bottom-up: each includes only what stands before it.
CORE_ORDER = [
    *("units", "status", "limits", "memory", "reciprocal", "page", "regions", "page_layer", "free_tree", "buddy", "best_fit"),
    *("run_cache", "page_allocator", "slab", "large_blocks", "options", "heap"),
]

# Of the packages of Python, what each module may import from the package.
PYTHON_ORDER = [
    "_core",
    "errors",
    "interrupts",
    "options",
    "events",
    "texts",
    "pages",
    "markup",
    "stats",
    "heap",
    "files",
    "information",
    "tracefile",
    "formats",
    "summary",
    "trace",
    "preloading",
    "recording",
    "costs",
    "results",
    "hosting",
    "replaying",
    "workloads",
    "classes",
    "grids",
    "sweeping",
    "plot",
    "reporting",
    "__init__",
    "cli",
]


def sources(folder: str) -> list[Path]:
    """The C++ sources below a folder of the tree."""
    return [path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in {".hpp", ".cpp", ".h"}]


def includes(path: Path) -> list[str]:
    """What a source includes, with its quotes or brackets."""
    return re.findall(r'^\s*#\s*include\s+([<"][^>"]+[>"])', path.read_text(), re.MULTILINE)


@pytest.mark.parametrize("folder", MAY_INCLUDE)
def test_a_folder_includes_only_its_own_and_what_lies_below(folder: str) -> None:
    files = sources(folder)
    assert files
    wrong = [
        (str(path.relative_to(ROOT)), include)
        for path in files
        for include in includes(path)
        if include[0] == '"' and not include[1:-1].startswith(MAY_INCLUDE[folder])
    ]
    assert wrong == []


def test_the_core_includes_what_a_freestanding_implementation_has() -> None:
    included = {include[1:-1] for path in sources("core") for include in includes(path) if include[0] == "<"}
    assert included <= FREESTANDING
    assert "cstdint" in included


def test_the_headers_of_the_core_include_only_lower_ones() -> None:
    folder = ROOT / "core/include/slabheap/core"
    assert {path.stem for path in folder.iterdir()} == set(CORE_ORDER)
    for path in folder.iterdir():
        included = {Path(include[1:-1]).stem for include in includes(path) if include[0] == '"'}
        assert included <= set(CORE_ORDER[: CORE_ORDER.index(path.stem)]), path.name


def test_only_the_part_for_an_operating_system_calls_one() -> None:
    system = re.compile(r"^<(sys/|unistd|fcntl|stdlib|cstdlib|stdio|cstdio|signal|pthread|time)")
    calling = {path.name for path in sources("capi") for include in includes(path) if system.match(include)}
    assert calling == {"os_posix.cpp"}


def test_modules_of_the_package_import_only_lower_ones() -> None:
    package = ROOT / "python/slabheap"
    modules = {path.relative_to(package).parts[0].removesuffix(".py") for path in package.rglob("*.py")}
    assert modules <= set(PYTHON_ORDER)
    for path in package.rglob("*.py"):
        name = path.relative_to(package).parts[0].removesuffix(".py")
        imported = set(re.findall(r"^\s*from slabheap\.(\w+)", path.read_text(), re.MULTILINE))
        allowed = {*PYTHON_ORDER[: PYTHON_ORDER.index(name)], name}
        assert imported <= allowed, path
