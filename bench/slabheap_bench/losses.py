"""Where a peer is better."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from typing import Any

from slabheap_bench import stepped, tables
from slabheap_bench.table import OURS, Cell, Row, Table

#: A ratio that is no difference.
NOISE = 1.1
#: Mispredicts an operation that are none: a twentieth of one is some cycle.
FEW_MISPREDICTS = 0.05

_CAPTION = (
    "Every figure of the tables of times, instructions, mispredicts, single operations, space and traces in which even the better of "
    "slabheap's presets, `ours`, is worse than the best of all peers that have that figure, and `times`, the greater of the two over the "
    f"less, is above {NOISE}. Of mispredicts, the difference is also above {FEW_MISPREDICTS} an operation. The most comes first."
)


def losses(found: dict[str, dict[str, Any]]) -> Table:
    """Both presets and the best peer, wherever that is better than both by more than noise."""
    rows = [row for what, table, sign, least in _races(found) for row in _lost(what, table, sign, least)]
    rows.sort(key=lambda row: -float(row[-1]))  # type: ignore[arg-type]
    shown = tuple((*row[:-1], None if row[-1] == math.inf else row[-1]) for row in rows)
    columns = ("figure", "ours", *(name.removeprefix("slabheap-") for name in OURS), "best peer", "is", "times")
    return Table("losses", _CAPTION, columns, shown, words=2)


def _lost(what: str, table: Table, sign: int, least: float) -> Iterable[Row]:
    """The rows of one table; `sign` is -1 if less is better, and a difference of no more than `least` is none."""
    rows = {str(row[0]): row for row in table.rows}
    rivals = [name for name in rows if name not in OURS and name not in ("none", "requested")]
    for index, column in enumerate(table.columns):
        if index == 0 or " / " in column:  # ratios to a peer are no figures of their own
            continue
        mine = _best([name for name in OURS if name in rows], rows, index, sign)
        theirs = _best(rivals, rows, index, sign)
        if mine is None or theirs is None:
            continue
        (own, ours), (other, peer) = mine, theirs
        worse, better = (own, other) if sign < 0 else (other, own)
        times = worse / better if better else math.inf
        if times > NOISE and abs(own - other) > least:
            both = (rows[name][index] if name in rows else None for name in OURS)
            yield (f"{what}: {column}", ours.removeprefix("slabheap-"), *both, peer, other, times)


def _best(names: Iterable[str], rows: dict[str, tuple[Cell, ...]], index: int, sign: int) -> tuple[float, str] | None:
    """The best figure of a column, and whose it is."""
    figures = [(cell, name) for name in names if isinstance(cell := rows[name][index], float)]
    return max(figures, key=lambda figure: sign * figure[0], default=None)


def _races(found: dict[str, dict[str, Any]]) -> Iterable[tuple[str, Table, int, float]]:
    """What, table, -1 if less is better, and which difference is none."""
    if "speed" in found:
        yield "ns", tables.speed(found["speed"]), -1, 0
    if "hurtful" in found:
        yield "ns, hurtful", tables.speed(found["hurtful"], "hurtful"), -1, 0
    if "instructions" in found:
        counts, _, mispredicts = tables.instructions(found["instructions"])
        yield "instructions", counts, -1, 0
        yield "mispredicts", mispredicts, -1, FEW_MISPREDICTS
    if "worst" in found:
        everyone = stepped.peers(found["worst"])
        for size in dict.fromkeys(row[0] for row in everyone.rows):
            rows = tuple(row[1:] for row in everyone.rows if row[0] == size)
            yield f"worst call, {size}", Table("", "", everyone.columns[1:], rows), -1, 0
    if "space" in found:
        yield "fill, %", tables.space(found["space"]), 1, 0
    if "traces" in found:
        fresh, warm, held, huge, huge_warm = tables.traces(found["traces"])
        yield "Mops/s", fresh, 1, 0
        yield "warm Mops/s", warm, 1, 0
        yield "Mops/s, huge pages", huge, 1, 0
        yield "warm Mops/s, huge pages", huge_warm, 1, 0
        yield "held, MiB", _with_count(held, ""), -1, 0
        yield "resident, MiB", _with_count(held, tables.RESIDENT), -1, 0
    if "peer-traces" in found:
        rates, touched = tables.peer_traces(found["peer-traces"])
        yield "warm Mops/s, the program's peers", rates, 1, 0
        yield "touched, MiB, the program's peers", touched, -1, 0


def _with_count(table: Table, count: str) -> Table:
    """The rows of peers, and those of ours with this count of theirs behind the name."""
    ours = tuple((name, *row[1:]) for name in OURS for row in table.rows if row[0] == name + count)
    peers = tuple(row for row in table.rows if not str(row[0]).startswith("slabheap") and tables.RESIDENT not in str(row[0]))
    return dataclasses.replace(table, rows=(*ours, *peers))
