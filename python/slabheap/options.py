"""The options that a heap is made with, by name: one place for `Heap`, replay and sweep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from slabheap._core import HeapChoice

__all__ = ["PageLayer", "Preset", "choice_of", "count"]

Preset: TypeAlias = Literal["classic", "compact"]
PageLayer: TypeAlias = Literal["buddy", "best_fit"]

# The numbers of HeapPreset and HeapPageLayer; 0 leaves the page layer to the preset.
_PRESETS: dict[str, int] = {"classic": 0, "compact": 1}
_PAGE_LAYERS: dict[str, int] = {"buddy": 1, "best_fit": 2}


def count(name: str, value: int) -> int:
    """The value, if it is a number that the C interface can take; ValueError otherwise."""
    if not 0 <= value < 1 << 64:
        raise ValueError(f"{name} must be from 0 to 2^64 - 1, but is {value}")
    return value


def _number_of(name: str, value: str, numbers: dict[str, int]) -> int:
    if value not in numbers:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, numbers))}, not {value!r}")
    return numbers[value]


def choice_of(
    bytes: int,  # noqa: A002  (the field's word, and the C interface's)
    *,
    preset: Preset = "classic",
    classes: Sequence[int] | None = None,
    set_blocks: int | None = None,
    page_bytes: int | None = None,
    pages: PageLayer | None = None,
) -> HeapChoice:
    """The options in the form that native code takes; see `Heap` for what they mean.

    Raises:
        ValueError: One is out of range; the message says which.
    """
    return HeapChoice(
        bytes=count("bytes", bytes),
        preset=_number_of("preset", preset, _PRESETS),
        classes=None if classes is None else [count("a size class", int(size)) for size in classes],
        set_blocks=0 if set_blocks is None else count("set_blocks", set_blocks),
        page_bytes=0 if page_bytes is None else count("page_bytes", page_bytes),
        pages=0 if pages is None else _number_of("pages", pages, _PAGE_LAYERS),
    )
