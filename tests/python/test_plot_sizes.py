"""The heat map of sizes and lifetimes, compared with lives that are counted one by one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from looking import drawn_values, saved
from making_traces import ALLOCATE, FREE, REALLOCATE, random_trace, trace_of
from slabheap import Operation, Trace, plot

TRACE = random_trace(3, 3000, 70_000)


def lives(trace: Trace) -> tuple[list[tuple[int, int]], list[int]]:
    """The size and the lifetime in events of each request that ended, and the sizes of those that did not."""
    begun: dict[int, tuple[int, int]] = {}
    ended = []
    for index, event in enumerate(trace.events):
        block, size = int(event["block"]), int(event["size"])
        if block in begun:
            ended.append((begun[block][1], index - begun.pop(block)[0]))
        if event["operation"] != Operation.FREE:
            begun[block] = (index, size)
    return ended, [size for _, size in begun.values()]


def bin_of(value: float) -> int:
    """Bins are two a doubling; that of a whole number begins behind its lower edge and ends with its upper."""
    edges = sorted({round(2 ** (step / 2)) for step in range(100)})
    return next(index for index, edge in enumerate(edges) if value <= edge)


def drawn(trace: Trace, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """The numbers behind the heat map and the strip above it, 0 where there is no colour."""
    heat, strip = plot.lifetimes(trace, **options).axes[:2]
    return drawn_values(heat.collections[0], 0), drawn_values(strip.collections[0], 0)[0]


@pytest.mark.parametrize("weight", ["requests", "bytes"])
def test_every_request_is_in_the_cell_of_its_size_and_lifetime(weight: Literal["requests", "bytes"]) -> None:
    ended, never = lives(TRACE)
    assert len(ended) > 1000
    assert len(never) > 100
    heat, strip = drawn(TRACE, weight=weight)
    counted: Counter[tuple[int, int]] = Counter()
    for size, span in ended:
        counted[bin_of(span), bin_of(size)] += 1 if weight == "requests" else size
    cells = {(int(i), int(j)): int(heat[i, j]) for i, j in zip(*np.nonzero(heat), strict=True)}
    assert cells == {cell: count for cell, count in counted.items() if count}
    left: Counter[int] = Counter()
    for size in never:
        left[bin_of(size)] += 1 if weight == "requests" else size
    assert {index: int(count) for index, count in enumerate(strip) if count} == {index: count for index, count in left.items() if count}


def test_lifetimes_in_seconds_are_those_of_the_program() -> None:
    trace = trace_of((ALLOCATE, 0, 64), (ALLOCATE, 1, 64), (FREE, 1), (FREE, 0))
    trace.events["time"] = 0, 10, 1_500_010, 2_000_000_000
    figure = plot.lifetimes(trace, clock="seconds")
    heat = figure.axes[0]
    values = drawn_values(heat.collections[0], 0)
    edges = np.asarray(heat.collections[0].get_coordinates())[:, 0, 1]  # type: ignore[attr-defined]
    filled = [(edges[row], edges[row + 1]) for row in np.flatnonzero(values.sum(axis=1))]
    assert len(filled) == 2
    assert all(low < span <= high for (low, high), span in zip(filled, (1.5e-3, 2.0), strict=True))
    assert heat.get_ylabel() == "lifetime, seconds"


def test_a_reallocation_ends_one_life_and_begins_another() -> None:
    trace = trace_of((ALLOCATE, 0, 100), (REALLOCATE, 0, 3000), (ALLOCATE, 1, 8), (FREE, 0))
    assert lives(trace) == ([(100, 1), (3000, 2)], [8])
    heat, strip = drawn(trace)
    assert heat.sum() == 2
    assert heat[bin_of(1), bin_of(100)] == heat[bin_of(2), bin_of(3000)] == 1
    assert np.flatnonzero(strip).tolist() == [bin_of(8)]


def test_the_picture_says_what_it_shows(tmp_path: Path) -> None:
    figure = plot.lifetimes(TRACE, classes=[64, 4096])
    heat, scale = figure.axes[0], figure.axes[4]
    ended, never = lives(TRACE)
    assert figure.get_suptitle() == f"Size and lifetime of {len(ended) + len(never):,} requests, {len(never):,} not freed: a trace"
    assert (heat.get_xlabel(), heat.get_ylabel()) == ("size of the request", "lifetime, events")
    assert scale.get_title() == "requests in a cell"
    assert [line.get_xdata()[0] for line in heat.get_lines()] == [64, 4096]  # type: ignore[index]
    assert saved(figure, tmp_path) == (1350, 900)


def test_long_commands_are_shortened_in_the_title(tmp_path: Path) -> None:
    trace = random_trace(1, 50)
    trace.information.command = ["/opt/tool", *["--an-option"] * 50]
    figure = plot.lifetimes(trace)
    assert "…" in figure.get_suptitle()
    saved(figure, tmp_path)


@pytest.mark.parametrize("trace", [trace_of(), trace_of((ALLOCATE, 0, 0)), trace_of((ALLOCATE, 0, 1 << 40), (FREE, 0))])
@pytest.mark.parametrize("clock", ["events", "seconds"])
@pytest.mark.parametrize("weight", ["requests", "bytes"])
def test_small_traces_are_drawn(trace: Trace, clock: Any, weight: Any, tmp_path: Path) -> None:
    assert saved(plot.lifetimes(trace, clock=clock, weight=weight), tmp_path) == (1350, 900)


def test_what_cannot_be_counted_is_a_value_error() -> None:
    with pytest.raises(ValueError, match='weight must be "requests" or "bytes", not \'blocks\''):
        plot.lifetimes(TRACE, weight="blocks")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match='clock must be "events" or "seconds"'):
        plot.lifetimes(TRACE, clock="days")  # type: ignore[arg-type]
