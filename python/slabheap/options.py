"""The options that a heap is made with, by name: one place for `Heap`, replay and sweep."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Literal, SupportsIndex, TypeAlias

from slabheap._core import HeapChoice

__all__ = ["OPTIONS", "FreedRuns", "HugePages", "PageLayer", "Preset", "alignment", "choice_of", "count"]

Preset: TypeAlias = Literal["classic", "compact"]
PageLayer: TypeAlias = Literal["buddy", "best_fit"]
FreedRuns: TypeAlias = Literal["kept", "merged"]
HugePages: TypeAlias = Literal["system", "wanted", "unwanted"]

#: The names of the options, besides the bytes.
OPTIONS = ("preset", "classes", "set_blocks", "page_bytes", "pages", "freed_runs", "huge_pages")

# The numbers of HeapPreset, HeapPageLayer, HeapFreedRuns and HeapHugePages; 0 leaves the page layer to the preset.
_PRESETS: dict[str, int] = {"classic": 0, "compact": 1}
_PAGE_LAYERS: dict[str, int] = {"buddy": 1, "best_fit": 2}
_FREED_RUNS: dict[str, int] = {"kept": 0, "merged": 1}
_HUGE_PAGES: dict[str, int] = {"system": 0, "wanted": 1, "unwanted": 2}


def count(name: str, value: SupportsIndex) -> int:
    """The value as a number that the C interface can take.

    Raises:
        TypeError: It is no integer.
        ValueError: It is negative, or has more than 64 bits.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, not of the type {type(value).__name__}") from None
    if not 0 <= number < 1 << 64:
        raise ValueError(f"{name} must be from 0 to 2^64 - 1, but is {number}")
    return number


def alignment(value: SupportsIndex) -> int:
    """The value as an alignment; raises what `count` raises, and ValueError if it is no power of two."""
    align = count("align", value)
    if align.bit_count() != 1:
        raise ValueError(f"align must be a power of two, not {align}")
    return align


def _classes(sizes: Sequence[int]) -> list[int]:
    try:
        each = list(sizes)
    except TypeError:
        raise TypeError(f"classes must be a sequence of block sizes, not of the type {type(sizes).__name__}") from None
    return [count("a size class", size) for size in each]


def _number_of(name: str, value: str, numbers: dict[str, int]) -> int:
    if not isinstance(value, str) or value not in numbers:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, numbers))}, not {value!r}")
    return numbers[value]


def choice_of(
    bytes: int,  # noqa: A002  (the field's word, and the C interface's)
    preset: Preset = "classic",
    classes: Sequence[int] | None = None,
    set_blocks: int | None = None,
    page_bytes: int | None = None,
    pages: PageLayer | None = None,
    freed_runs: FreedRuns = "kept",
    huge_pages: HugePages = "system",
) -> HeapChoice:
    """The options in the form that native code takes; see `Heap` for what they mean.

    Raises:
        ValueError: One is out of range; the message says which.
    """
    return HeapChoice(
        bytes=count("bytes", bytes),
        preset=_number_of("preset", preset, _PRESETS),
        classes=None if classes is None else _classes(classes),
        set_blocks=0 if set_blocks is None else count("set_blocks", set_blocks),
        page_bytes=0 if page_bytes is None else count("page_bytes", page_bytes),
        pages=0 if pages is None else _number_of("pages", pages, _PAGE_LAYERS),
        freed_runs=_number_of("freed_runs", freed_runs, _FREED_RUNS),
        huge_pages=_number_of("huge_pages", huge_pages, _HUGE_PAGES),
    )
