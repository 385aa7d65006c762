"""What each part of the soak tests, and names of that: the same as long as nothing but comments differs."""

from __future__ import annotations

import ast
import hashlib
import io
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: What the reader of trace files, of any kind, consists of.
_READER = (
    "events.py",
    "files.py",
    "formats",
    "information.py",
    "markup.py",
    "pages.py",
    "summary.py",
    "texts.py",
    "trace.py",
    "tracefile.py",
)
#: What a `Heap` of Python consists of, beside the library, and beside `markup` and `texts`, which say how it looks.
_PYTHON_HEAP = (
    *(f"python/native/module/{name}.{end}" for name in ("heap_binding", "heap_choice", "heap_state", "rows") for end in ("cpp", "hpp")),
    *(f"python/slabheap/{name}.py" for name in ("errors", "heap", "options", "pages", "stats")),
)
#: What a part tests, if it is not the heap and the C interface alone.
_TESTED = {
    "fuzz-traces": tuple(f"python/slabheap/{name}" for name in _READER),
    "miri": ("rust",),
    "python": ("core", "capi", *_PYTHON_HEAP),
    "rust": ("core", "capi", "rust"),
}
#: Comments that have lines of their own, empty lines, and comments that are two spaces behind the code: of C, C++ and Rust, and of Python.
_COMMENTS = re.compile(r"^[ \t]*(?://[^\n]*|/\*.*?\*/[ \t]*)?\n|  //[^\n]*$", re.MULTILINE | re.DOTALL)
_PYTHON_COMMENTS = re.compile(r"^[ \t]*(?:#[^\n]*)?\n|  #[^\n]*$", re.MULTILINE)
_COMMENTED = {".c", ".cpp", ".h", ".hpp", ".rs"}


def git(*arguments: str) -> str:
    """What git prints."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def folders_of(part: str) -> tuple[str, ...]:
    """The folders and files that a part tests."""
    return _TESTED.get(part, ("core", "capi"))


def _without_docstrings(text: str) -> str:
    """A Python source without the lines of its docstrings."""
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(node) is not None:
            docstring = node.body[0]
            lines[docstring.lineno - 1 : docstring.end_lineno] = [""] * len(lines[docstring.lineno - 1 : docstring.end_lineno])
    return "".join(lines)


def code_of(name: str, content: bytes) -> bytes:
    """What a file has besides comments and docstrings; nothing, if it is prose."""
    suffix = Path(name).suffix
    if suffix == ".md":
        return b""
    if suffix == ".py":
        return _PYTHON_COMMENTS.sub("", _without_docstrings(content.decode())).encode()
    if suffix in _COMMENTED:
        return _COMMENTS.sub("", content.decode()).encode()
    return content


def _files_at(commit: str, folders: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """The files in these folders as a commit has them."""
    archive = subprocess.run(["git", "archive", commit, "--", *folders], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in files:
            if member.isfile() and (file := files.extractfile(member)) is not None:
                yield member.name, file.read()


def _files_here(folders: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """The files in these folders as they stand in the tree."""
    for name in git("ls-files", "--", *folders).splitlines():
        if (ROOT / name).is_file() and not (ROOT / name).is_symlink():
            yield name, (ROOT / name).read_bytes()


def names_of_tested(part: str, commit: str | None = None) -> dict[str, str]:
    """A name of the code that a part tests in each folder of the tree, at a commit or, unless one is given, as it stands in the tree."""
    folders = folders_of(part)
    names = {folder.split("/")[0]: hashlib.sha256() for folder in folders}
    for path, content in sorted(_files_here(folders) if commit is None else _files_at(commit, folders)):
        names[path.split("/")[0]].update(f"{path}\n".encode() + code_of(path, content))
    return {folder: name.hexdigest()[:16] for folder, name in names.items()}
