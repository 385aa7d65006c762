"""Preloading: how a library comes to stand in front of those of a program."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["preloadable"]

# LD_PRELOAD is split at spaces and colons, and what stands behind a dollar sign is taken for a name that stands for something else.
_SPECIAL = set(" :$")


@contextlib.contextmanager
def preloadable(library: Path) -> Iterator[str]:
    """The path of a library as LD_PRELOAD takes it, for as long as the context lasts: its own, or that of a link to it.

    Raises:
        ValueError: Its path has a space, a colon or a dollar sign, and so has that of the folder for temporary files.

    Examples:
        >>> with preloadable(Path("/opt/my tools/liballoc.so")) as path:
        ...     Path(path).readlink()
        PosixPath('/opt/my tools/liballoc.so')
    """
    if not _SPECIAL & set(str(library)):
        yield str(library)
        return
    with tempfile.TemporaryDirectory(prefix="slabheap-") as folder:
        if _SPECIAL & set(folder):
            raise ValueError(
                f"{str(library)!r} cannot be preloaded: its path has a space, a colon or a dollar sign, and so has that of the folder for "
                f"temporary files, {tempfile.gettempdir()!r}, where a link to it could be; let TMPDIR name another"
            )
        link = Path(folder, "library.so")
        link.symlink_to(library)
        yield str(link)
