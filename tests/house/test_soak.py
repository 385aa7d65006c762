"""A result of the soak is of the commit that is named, and a row of the table says when what was tested has changed since."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PART = """#!/bin/sh
echo "things +7" >>"$SLABHEAP_FIGURES"
[ ! -e build/spoil ] || echo more >>core/a.cpp
"""
PROMISES = """[[promise]]
promise = "It holds"
tests = ["core/a.cpp"]
part = "attack"
figure = "{things} things"

[[defect]]
defect = "It did not"
found_by = "use"
test = "core/a.cpp"
"""
DOCUMENT = "".join(f"<!-- {name}: made -->\n<!-- end of {name} -->\n" for name in ("promises", "defects"))


class Tree:
    """A small tree with the tools, a part of the soak and a promise."""

    def __init__(self, path: Path) -> None:
        self.path = path
        files = {
            ".gitignore": "build\n",
            "core/a.cpp": "a\n",
            "capi/b.cpp": "b\n",
            "tests/some.cpp": "t\n",
            "tools/soak.d/attack": PART,
            "tests/reliability/promises.toml": PROMISES,
            "docs/reliability.md": DOCUMENT,
        }
        for name, content in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(content)
        (path / "tools/soak.d/attack").chmod(0o755)
        (path / "build").mkdir()
        for tool in ("soak", "reliability", "tested.py"):
            shutil.copy(ROOT / "tools" / tool, path / "tools" / tool)
        self.git("init", "--quiet")
        self.commit()

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
        return subprocess.run(["git", *who, *arguments], cwd=self.path, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, *options: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Change", *options)
        return self.git("rev-parse", "HEAD")

    def write(self, name: str, content: str = "other\n") -> None:
        (self.path / name).write_text(content)

    def run(self, tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, self.path / "tools" / tool, *arguments], cwd=self.path, check=False, capture_output=True, text=True
        )

    def soak(self, *options: str) -> dict[str, object]:
        done = self.run("soak", *options, "attack")
        assert done.returncode == 0, done.stderr
        result: dict[str, object] = json.loads((self.path / "build/soak/attack.json").read_text())
        return result

    def row(self) -> list[str]:
        (row,) = [line for line in (self.path / "docs/reliability.md").read_text().splitlines() if line.startswith("| It holds ")]
        return [cell.strip() for cell in row.strip("|").split("|")]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_a_result_names_the_commit_at_which_it_ran(tree: Tree) -> None:
    tree.write("tests/some.cpp")
    commit = tree.commit()  # of tests alone
    assert tree.soak()["commit"] == commit
    assert tree.run("reliability").stderr == ""
    *_, figure, made = tree.row()
    assert figure == "7 things"
    assert f", {commit[:7]}, " in made
    assert made.endswith(" s")


def test_a_row_says_what_has_changed_since_and_that_is_asked_for_once(tree: Tree) -> None:
    tree.soak()
    tree.run("reliability")
    tree.commit()
    tree.write("tests/some.cpp")
    assert tree.run("reliability", "--check").returncode == 0
    tree.write("core/a.cpp")
    assert "please run it" in tree.run("reliability", "--check").stderr
    assert tree.run("reliability").returncode == 0
    assert tree.row()[-1].endswith(" s; the heap changed since")
    tree.commit()
    tree.write("capi/b.cpp")
    assert tree.run("reliability", "--check").returncode == 0
    tree.commit()
    assert tree.run("reliability", "--check").returncode == 0
    tree.soak()
    tree.run("reliability")
    assert tree.row()[-1].endswith(" s")


@pytest.mark.parametrize("changed", ["core/a.cpp", "tests/some.cpp", "tools/soak.d/attack"])
def test_a_run_with_changed_files_is_of_no_commit(tree: Tree, changed: str) -> None:
    tree.write(changed, PART + "true\n")
    assert str(tree.soak()["commit"]).endswith("+")
    assert "attack.json is left out: it is of no commit" in tree.run("reliability").stderr
    assert tree.row()[3] == "not run yet"


def test_so_is_one_during_which_a_file_changes(tree: Tree) -> None:
    tree.write("build/spoil")
    assert str(tree.soak()["commit"]) == tree.git("rev-parse", "HEAD") + "+"


def test_what_the_results_are_put_into_may_change(tree: Tree) -> None:
    tree.write("docs/reliability.md", DOCUMENT + "More.\n")
    assert tree.soak()["commit"] == tree.git("rev-parse", "HEAD")


def test_a_result_of_a_commit_that_is_none_of_this_tree_is_left_out(tree: Tree) -> None:
    tree.soak()
    tree.write("tests/some.cpp")
    tree.commit("--amend")
    assert "which HEAD does not come from" in tree.run("reliability").stderr
    assert tree.row()[3] == "not run yet"


def test_results_add_up_at_the_same_commit_alone(tree: Tree) -> None:
    tree.soak("--continue")
    assert tree.soak("--continue")["figures"] == {"things": 14}
    tree.write("tests/some.cpp")
    tree.commit()
    assert tree.soak("--continue")["figures"] == {"things": 7}
