"""Grids: the points of a sweep, each an allocator with its options."""

from __future__ import annotations

import dataclasses
import itertools
import json
import operator
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsIndex

from slabheap.options import choice_of, count
from slabheap.replaying import PRESETS, REPLAY_OPTIONS, expect_huge_pages, region_count
from slabheap.results import allocator_label
from slabheap.texts import bytes_text

__all__ = ["AXES", "Point", "axis_text", "points_of"]

#: What a grid may vary.
AXES = ("allocator", *REPLAY_OPTIONS)

_ANY_BYTES = 1 << 24  # for checking the other options


@dataclasses.dataclass(frozen=True)
class Point:
    """A point of a grid.

    Attributes:
        allocator: "slabheap", "system", or the path of a library.
        options: As for `replay`, without those that are None; for others than slabheap, `huge_pages` alone.
    """

    allocator: str
    options: dict[str, Any]

    @property
    def label(self) -> str:
        """The point in a few words."""
        return allocator_label(self.allocator, self.options)

    @property
    def key(self) -> str:
        """A text that only equal points share."""
        return json.dumps([self.allocator, self.options], sort_keys=True)


def _values(axis: str, values: Any) -> list[Any]:
    if axis not in AXES:
        raise ValueError(f"a grid cannot vary {axis!r}, but {', '.join(AXES)}")
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"the grid's values for {axis} must be a sequence, such as [{values!r}]")
    listed = list(values)
    if not listed:
        raise ValueError(f"the grid has no value for {axis}")
    if axis == "classes":
        for value in listed:
            if value is not None and (isinstance(value, str) or not isinstance(value, Sequence)):
                raise TypeError(f"each of the grid's values for classes must be a sequence of block sizes or None, not {value!r}")
        return [None if value is None else [count("a size class", size) for size in value] for value in listed]
    return [operator.index(value) if isinstance(value, SupportsIndex) else value for value in listed]  # NumPy's integers, too


def _check(regions: int = 1, **options: Any) -> None:
    """Raises what a replay would, for all that does not depend on the trace."""
    region_count(regions)
    choice_of(**{"bytes": _ANY_BYTES, **options})


def _point(chosen: dict[str, Any]) -> Point:
    allocator = str(chosen.pop("allocator", "slabheap"))
    options = {name: value for name, value in chosen.items() if value is not None}
    if allocator in PRESETS:
        allocator, options = "slabheap", {**options, "preset": allocator}
    if allocator == "slabheap":
        _check(**options)
        return Point(allocator, options)
    options = {name: value for name, value in options.items() if name == "huge_pages"}
    expect_huge_pages(allocator, **options)
    return Point(allocator if allocator == "system" else str(Path(allocator).resolve()), options)


def axis_text(axis: str, value: Any) -> str:
    """A value of an axis as a sweep's frame has it, for people.

    Examples:
        >>> axis_text("page_bytes", 4096), axis_text("allocator", "/usr/lib/libjemalloc.so.2"), axis_text("regions", None)
        ('4 KiB', 'libjemalloc', 'not given')
        >>> axis_text("classes", "16,32,64,128")
        '4 from 16 to 128'
    """
    if value is None:
        return "not given"
    if axis == "classes":
        sizes = str(value).split(",")
        return f"{value}" if len(sizes) <= 3 else f"{len(sizes)} from {sizes[0]} to {sizes[-1]}"
    if axis == "allocator" and value != "slabheap":
        return allocator_label(value, {})
    return bytes_text(float(value)) if axis in ("bytes", "page_bytes") else str(value)


def points_of(grid: Mapping[str, Iterable[Any]]) -> list[Point]:
    """Every combination of the grid's values, the last axis changing fastest; those that come to the same only once.

    Args:
        grid: From an axis ("allocator", "bytes", "regions", "preset", "classes", "set_blocks", "page_bytes", "pages", "freed_runs",
            "huge_pages") to its values. The value None is what there is without the option. The allocators are those of `compare`; options
            count for slabheap alone, but for "huge_pages".

    Returns:
        The points, in order.

    Raises:
        ValueError: There is no such axis, an axis has no value, or an option is out of range.
        TypeError: The values are no sequence.

    Examples:
        >>> [point.label for point in points_of({"allocator": ["slabheap", "system"], "page_bytes": [1024, 4096]})]
        ['classic page_bytes=1024', 'classic page_bytes=4096', 'system']
    """
    axes = {axis: _values(axis, values) for axis, values in grid.items()}
    if "preset" in axes and any(value in PRESETS for value in axes.get("allocator", [])):
        raise ValueError("the grid names presets twice: as allocators and as presets")
    points = (_point(dict(zip(axes, chosen, strict=True))) for chosen in itertools.product(*axes.values()))
    return list({point.key: point for point in points}.values())
