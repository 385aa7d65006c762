"""A table, as Markdown for people and CSV for programs."""

from __future__ import annotations

import csv
import dataclasses
import io
from typing import Any

#: A figure, or None where a peer has none.
Cell = str | float | None
Row = tuple[Cell, ...]

OURS = ("slabheap-classic", "slabheap-compact")


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of figures.

    Attributes:
        name: Of its files, and of its place in a document.
        caption: What its figures are, their unit, and which way is better.
        columns: Their names; those of the first `words` columns hold words.
        rows: As long as `columns` each.
        decimals: How many to show, or None for three digits in all.
        words: How many columns hold words.
    """

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    decimals: int | None = None
    words: int = 1

    def markdown(self) -> str:
        """The table in Markdown, the best figures of slabheap's rows not marked: let them speak."""
        lines = [
            "| " + " | ".join(self.columns) + " |",
            "|" + "|".join(["---"] * self.words + ["--:"] * (len(self.columns) - self.words)) + "|",
            *("| " + " | ".join(self._text(cell) for cell in row) + " |" for row in self.rows),
        ]
        return "\n".join(lines)

    def csv(self) -> str:
        """The table with every digit; empty where there is no figure."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return text.getvalue()

    def _text(self, cell: Cell) -> str:
        if cell is None:
            return "-"
        if isinstance(cell, str):
            return cell
        return f"{cell:,.{self.decimals}f}" if self.decimals is not None else three_digits(cell)


def three_digits(figure: float) -> str:
    """Two decimals below ten, one below a hundred, none above: more would be noise."""
    decimals = 2 if figure < 9.995 else 1 if figure < 99.95 else 0
    return f"{figure:,.{decimals}f}"


def label(row: dict[str, Any]) -> str:
    """The name of a row, with the version of what is not slabheap."""
    return f"{row['peer']} {row['version']}".strip() if row["peer"] not in OURS else row["peer"]


def size_text(count: int) -> str:
    """Bytes as people say them; a multiple of 1 MiB."""
    return f"{count >> 30} GiB" if count >= 1 << 30 else f"{count >> 20} MiB"
