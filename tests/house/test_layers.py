"""Arrows point down only: what a folder may include or import, read from its sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
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
    *("units", "status", "limits", "memory", "layouts", "exact_divisor", "page", "regions", "page_layer", "free_tree", "buddy", "best_fit"),
    *("run_cache", "page_allocator", "slab", "large_blocks", "options", "stats", "heap", "heap_walks"),
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
    "machine",
    "preloading",
    "recording",
    "costs",
    "merits",
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


def imports_of(source: str) -> Iterator[str]:
    """The modules of the package that a source in Python imports; `__init__` is the package itself, with all that it has."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the package"
            names = [f"slabheap.{alias.name}" for alias in node.names] if node.module == "slabheap" else [node.module or ""]
        else:
            continue
        for package, _, module in (name.partition(".") for name in names):
            if package == "slabheap":
                first = module.partition(".")[0]
                yield first if first in PYTHON_ORDER else "__init__"


IMPORTS = {
    "import os, json": set(),
    "from slabheap.results import Result": {"results"},
    "from slabheap.plot.style import theme": {"plot"},
    "from slabheap import _core, plot": {"_core", "plot"},
    "from slabheap import Heap": {"__init__"},
    "import slabheap": {"__init__"},
    "import slabheap.cli.app as app": {"cli"},
    "def f():\n  from slabheap import plot": {"plot"},
    "if TYPE_CHECKING:\n  import slabheap.heap": {"heap"},
    "'''\nfrom slabheap import cli\n'''": set(),
    "from slabheap_bench import traces": set(),
}


@pytest.mark.parametrize("source", IMPORTS)
def test_every_form_of_an_import_is_seen(source: str) -> None:
    assert set(imports_of(source)) == IMPORTS[source]


def test_modules_of_the_package_import_only_lower_ones() -> None:
    package = ROOT / "python/slabheap"
    modules = {path.relative_to(package).parts[0].removesuffix(".py") for path in package.rglob("*.py")}
    assert modules <= set(PYTHON_ORDER)
    for path in package.rglob("*.py"):
        name = path.relative_to(package).parts[0].removesuffix(".py")
        allowed = {*PYTHON_ORDER[: PYTHON_ORDER.index(name)], name}
        assert set(imports_of(path.read_text())) <= allowed, path
