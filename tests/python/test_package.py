"""The package as a whole: what it offers, what its documentation says, and that its types are true."""

from __future__ import annotations

import doctest
import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import slabheap
from places import ROOT

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(slabheap.__path__, "slabheap.")
    if not module.name.endswith(("_core", "__main__")) and module.name.replace(".", "").isidentifier()
)


@pytest.fixture(params=["slabheap", *MODULES])
def module(request: pytest.FixtureRequest) -> ModuleType:
    """Each module that is written in Python."""
    return importlib.import_module(request.param)


def checker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A type checker over the package, as it is installed."""
    cache = str(ROOT / "build/mypy")
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, "MYPY_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_a_module_offers_is_there_and_sorted(module: ModuleType) -> None:
    offered = module.__all__
    assert set(offered) <= set(dir(module)) | {"plot", "report", "sweep", "workloads"}
    assert all(hasattr(module, name) for name in offered)
    assert len(set(offered)) == len(offered)


def test_a_star_brings_all_that_the_package_offers() -> None:
    names: dict[str, object] = {}
    exec("from slabheap import *", names)
    assert set(slabheap.__all__) <= set(names)


def test_a_name_that_is_not_offered_is_named() -> None:
    with pytest.raises(AttributeError, match="no attribute 'malloc'"):
        getattr(slabheap, "malloc")  # noqa: B009  (so that type checkers do not know)


def test_importing_the_package_loads_neither_matplotlib_nor_pandas() -> None:
    subprocess.run([sys.executable, "-c", "import slabheap, sys; assert not {'matplotlib', 'pandas'} & set(sys.modules)"], check=True)


def test_every_public_thing_says_what_it_does(module: ModuleType) -> None:
    assert module.__doc__
    silent = []
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            silent += [] if inspect.getdoc(thing) else [name]
        if inspect.isclass(thing) and thing.__module__.startswith("slabheap"):
            members = [(member, value) for member, value in vars(thing).items() if not member.startswith("_")]
            documented = (inspect.isfunction, lambda value: isinstance(value, property | classmethod | staticmethod))
            silent += [
                f"{name}.{member}"
                for member, value in members
                if any(is_kind(value) for is_kind in documented) and not inspect.getdoc(value)
            ]
    assert silent == []


def test_the_examples_in_the_documentation_are_true(module: ModuleType) -> None:
    failed, _ = doctest.testmod(module)
    assert failed == 0


@pytest.mark.parametrize("name", ["classes", "costs", "grids", "recording", "replaying", "results", "sweeping", "workloads"])
def test_what_experiments_are_made_with_has_an_example_each(name: str) -> None:
    module = importlib.import_module(f"slabheap.{name}")
    offered = [getattr(module, one) for one in module.__all__]
    without = [one.__name__ for one in offered if inspect.isfunction(one) and ">>>" not in (inspect.getdoc(one) or "")]
    assert without == []


def offered(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Every function that a module offers, and every method of a class that it offers, by name."""
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isfunction(thing):
            yield name, thing
        if inspect.isclass(thing) and thing.__module__.startswith("slabheap."):
            for member, value in vars(thing).items():
                function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
                if inspect.isfunction(function) and not member.startswith("_"):
                    yield f"{name}.{member}", function


def test_every_function_for_users_has_an_example_that_is_run() -> None:
    found = [(name, thing) for module in (slabheap, slabheap.plot) for name, thing in offered(module)]
    assert len(found) > 30
    run = {test.name for module in MODULES for test in doctest.DocTestFinder().find(importlib.import_module(module)) if test.examples}
    without = [name for name, thing in found if f"{inspect.unwrap(thing).__module__}.{inspect.unwrap(thing).__qualname__}" not in run]  # type: ignore[arg-type]
    assert without == []


def test_every_function_for_users_has_types() -> None:
    for module in (slabheap, slabheap.plot):
        for name, function in offered(module):
            signature = inspect.signature(function)  # type: ignore[arg-type]
            parameters = [parameter for parameter in signature.parameters.values() if parameter.name not in ("self", "cls")]
            assert all(parameter.annotation is not inspect.Parameter.empty for parameter in parameters), name
            assert signature.return_annotation is not inspect.Signature.empty, name


def test_the_stubs_say_what_the_native_module_has() -> None:
    # No line of the list may be idle: stubtest says so, too.
    ended = checker("mypy.stubtest", "slabheap._core", "--allowlist", "tests/python/stubtest-allowlist.txt")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_types_are_strict() -> None:
    ended = checker("mypy")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(slabheap.__file__).parent / "py.typed").exists()
