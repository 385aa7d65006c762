"""docs/reliability.md says what the long tests came to, and names tests that there are."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from test_layers import imports_of
from tested import code_of, folders_of, names_of_tested

ROOT = Path(__file__).parents[2]
RESULTS = json.loads((ROOT / "tests/reliability/results.json").read_text())


def test_the_tables_are_what_their_sources_make_and_every_test_that_they_name_is_there() -> None:
    done = subprocess.run([sys.executable, ROOT / "tools/reliability", "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_part_of_the_soak_has_a_quick_form_or_a_reason_for_none() -> None:
    rows = re.findall(r"^\| ([\w, -]+) \| ([^|]+) \| ([^|]+) \|$", (ROOT / "docs/reliability.md").read_text(), re.MULTILINE)
    told = {part: quick for parts, quick, _ in rows for part in parts.split(", ")}
    assert {path.name for path in (ROOT / "tools/soak.d").iterdir()} <= set(told)


@pytest.mark.parametrize("part", list(RESULTS))
def test_a_result_is_of_a_commit_of_this_tree_and_of_what_was_tested_there(part: str) -> None:
    result = RESULTS[part]
    assert result["command"] == f"make soak PARTS={part}"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", result["date"])
    shallow = subprocess.run(["git", "rev-parse", "--is-shallow-repository"], cwd=ROOT, capture_output=True, text=True, check=True)
    if shallow.stdout.strip() == "true":
        pytest.skip("a shallow clone does not have the commit")
    subprocess.run(["git", "merge-base", "--is-ancestor", result["commit"], "HEAD"], cwd=ROOT, check=True)
    assert names_of_tested(part, result["commit"]) == result["tested"]


@pytest.mark.parametrize(("part", "spared"), [("fuzz-traces", set()), ("python", {"markup", "texts"})])
def test_what_a_part_tests_of_the_package_is_all_that_it_imports(part: str, spared: set[str]) -> None:
    package = ROOT / "python/slabheap"
    listed = [ROOT / name for name in folders_of(part)]
    sources = [path for place in listed for path in (sorted(place.rglob("*.py")) if place.is_dir() else [place]) if path.suffix == ".py"]
    assert sources
    for path in sources:
        others = {name for name in imports_of(path.read_text()) if not {package / name, package / f"{name}.py"} & set(listed)}
        assert others <= {"_core", *spared}, path


@pytest.mark.parametrize(
    ("name", "before", "after", "same"),
    [
        ("a.hpp", "// One.\nint a;  // One.\n", "int a;  // One.\n", True),
        ("a.hpp", "/** One\n * and\n */\nint a;\n", "/** Two. */\n\nint a;\n", True),
        ("a.hpp", "int a;  // One.\n", "int a;  // Two.\n", True),
        ("a.hpp", 'char* a = "http://one";\n', 'char* a = "http://two";\n', False),
        ("a.hpp", "int a;\n", "int b;\n", False),
        ("a.rs", "//! One.\n    /// One.\nfn a() {}\n", "fn a() {}\n", True),
        ("a.rs", '#[doc = "One"]\nfn a() {}\n', '#[doc = "Two"]\nfn a() {}\n', False),
        ("a.py", '"""One."""\ndef a() -> int:\n    """One."""\n    return 1\n', "def a() -> int:\n    # Two.\n    return 1\n", True),
        ("a.py", "def a() -> int:\n    return 1\n", "def a() -> int:\n    return 2\n", False),
        ("a.py", "a = 1  # One.\n", "a = 1\n", True),
        ("a.py", 'A = """One."""\n', 'A = """Two."""\n', False),
        ("a.md", "One.\n", "Two.\n", True),
        ("a.toml", "# One.\n", "# Two.\n", False),
    ],
)
def test_what_is_tested_is_the_same_as_long_as_comments_differ(name: str, before: str, after: str, same: bool) -> None:
    assert (code_of(name, before.encode()) == code_of(name, after.encode())) == same


def test_every_survivor_has_a_reason() -> None:
    content = tomllib.loads((ROOT / "tests/mutation/survivors.toml").read_text())
    assert set(content) <= {"survivor", "line"}
    for kind, entries in content.items():
        for entry in entries:
            assert set(entry) - ({"which"} if kind == "survivor" else set()) == {"file", "source", "why"}
            line, *change = entry["source"].split(" ==> ")
            assert len(change) == (kind == "survivor")
            assert line in re.sub(r"\s*\n\s*", " ", (ROOT / entry["file"]).read_text())
            assert len(entry["why"]) > 20
