"""What holds for the tree as a whole: one version, no strangers' paths, links that lead somewhere."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import slabheap

ROOT = Path(__file__).parents[2]


def tracked(*patterns: str) -> list[Path]:
    """Files that belong to the tree. Outside a clone, nobody knows which those are, and the test is skipped."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone")
    listed = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=ROOT, check=False, capture_output=True, text=True)
    names = [name for name in listed.stdout.split("\0") if name]
    assert names, f"git lists no file of {patterns}: {listed.stderr}"
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def test_outside_a_clone_nothing_is_said_of_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    with pytest.raises(pytest.skip.Exception, match="no clone"):
        tracked()


def project_version() -> str:
    """The version's one place: CMakeLists.txt."""
    found = re.search(r"^\s*VERSION (\d+\.\d+\.\d+)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE)
    assert found
    return found[1]


def test_every_language_has_the_version_of_the_project() -> None:
    version = project_version()
    assert slabheap.__version__ == version
    shared = tomllib.loads((ROOT / "rust/Cargo.toml").read_text()).get("workspace", {}).get("package", {})
    crates = [tomllib.loads(manifest.read_text())["package"]["version"] for manifest in ROOT.glob("rust/*/Cargo.toml")]
    assert crates
    for crate in crates:
        assert (shared["version"] if crate == {"workspace": True} else crate) == version
    assert re.search(rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_no_file_names_a_path_of_a_machine() -> None:
    strange = re.compile(rb"/(?:home|root|Users)/\w|/work/[a-z]")
    own = Path(__file__)
    named = [str(path.relative_to(ROOT)) for path in tracked() if path != own and strange.search(path.read_bytes())]
    assert named == []


def test_nothing_that_was_compiled_belongs_to_the_tree() -> None:
    compiled = (b"!<arch>", b"\x7fELF")  # archives of objects; objects, libraries and programs
    assert [str(path.relative_to(ROOT)) for path in tracked() if path.read_bytes().startswith(compiled)] == []


def test_sources_fit_in_the_head() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked("*.hpp", "*.cpp", "*.c", "*.py", "*.pyi", "*.rs", "*.sh")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    # The declarations of the C interface are one file, since cbindgen prints one header from them.
    assert set(long) <= {"rust/slabheap-sys/src/lib.rs"}


def anchors(document: Path) -> set[str]:
    """What a link may name behind a #: the headings, in small letters, without punctuation, with dashes for spaces."""
    prose = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_every_link_in_the_documents_leads_to_a_file_and_a_heading() -> None:
    dead = []
    for document in tracked("*.md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
            path, _, anchor = target.partition("#")
            leads_to = document.parent / path if path else document
            if "://" not in target and (not leads_to.exists() or (anchor and anchor not in anchors(leads_to))):
                dead.append((str(document.relative_to(ROOT)), target))
    assert dead == []


def test_scripts_can_be_run() -> None:
    first_lines = {path: path.read_bytes()[:2] for path in tracked("tools/*", "*.sh", ".ci/run") if path.suffix != ".py"}
    assert all(first == b"#!" for first in first_lines.values()), first_lines
    assert [path for path in first_lines if not path.stat().st_mode & 0o100] == []


def test_the_example_in_rust_is_one_that_is_tested() -> None:
    def examples(path: str) -> list[str]:
        return re.findall(r"```rust\n(.*?)```", (ROOT / path).read_text(), re.DOTALL)

    shown = examples("README.md")
    assert shown
    assert set(shown) <= set(examples("rust/slabheap/README.md"))  # which the crate has as its documentation, so cargo tests it
