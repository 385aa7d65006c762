"""What the commands that draw share: which files they write, on which paper, and how they say so."""

from __future__ import annotations

import enum
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from slabheap.cli.console import print_note
from slabheap.files import replaced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PICTURES", "ThemeName", "expect_file", "save"]

#: The endings of files that a picture is written to.
PICTURES = (".png", ".svg", ".pdf")


class ThemeName(enum.StrEnum):
    """The paper that a picture is for."""

    LIGHT = "light"
    DARK = "dark"


def expect_file(output: Path | None, endings: Sequence[str]) -> None:
    """Raises before anything long is done if a file could not be written: it has another ending, or there is no such folder."""
    if output is None or str(output) == "-":
        return
    if output.suffix.lower() not in endings:
        raise ValueError(f"{output} must end with {', '.join([*endings[:-2], ' or '.join(endings[-2:])])}")
    if not output.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {output.parent} to write {output.name} into")


def save(figure: Figure, output: Path) -> None:
    """Writes a figure, and says so; "-" is standard output, and a PNG."""
    is_piped = str(output) == "-"
    drawn = io.BytesIO()  # matplotlib does not tell every failure to write as one
    figure.savefig(drawn, format="png" if is_piped else output.suffix[1:].lower())
    with replaced(output) as file:
        file.write(drawn.getvalue())
    if not is_piped:
        print_note(f"wrote {output}")
