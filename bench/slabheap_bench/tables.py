"""Tables of what was measured."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from typing import Any

from slabheap_bench import runs, stepped
from slabheap_bench.table import OURS, Row, Table, label, size_text

MIB = 1 << 20
#: Behind the name of a peer, in rows of what the kernel counts, if there are rows of the peer's own count, too.
RESIDENT = ", resident"
_TWO_COUNTS = (
    "What slabheap holds is its own count: pages in sets and large blocks, and the metadata for them. What is resident is the kernel's: "
    "freed runs that were touched are part of it. Of everyone else, the kernel's count is what is held. "
)


def speed(result: dict[str, Any], name: str = "speed") -> Table:
    """Nanoseconds of an operation, by peer and workload."""
    workloads = [cell["workload"] for cell in result["peers"][0]["workloads"]]
    rows = [(label(peer), *(cell.get("median") for cell in peer["workloads"]), peer["geometric_mean"]) for peer in result["peers"]]
    caption = f"Nanoseconds an operation, the harness's cost included: {_medians(result)}{_spread(result)}. Less is better."
    return Table(name, caption, ("", *workloads, "mean"), tuple(rows))


def _medians(result: dict[str, Any]) -> str:
    rounds = f"medians of {result['rounds']} rounds"
    return f"the median over {result['runs']} runs of {rounds}" if result["runs"] > 1 else rounds


def _spread(result: dict[str, Any]) -> str:
    """How far samples scatter, for a caption: what the middle half of them spans, over the median, in the median of all figures."""
    cells = [cell for peer in result["peers"] for cell in peer["workloads"] if "median" in cell]
    spans = [(cell["upper"] - cell["lower"]) / cell["median"] for cell in cells]
    return f", of whose samples the middle half spans {100 * statistics.median(spans):.0f} % of the figure, typically"


def space(result: dict[str, Any]) -> Table:
    """How full arenas are when a request fails."""
    tests = [cell["test"].replace("<=", "≤ ") for cell in result["peers"][0]["tests"]]
    rows = [(label(peer), *(100 * cell["mean"] for cell in peer["tests"])) for peer in result["peers"]]
    caption = (
        "Live requested bytes over the bytes of the arena when the first request fails, in per cent: "
        f"the mean of {result['seeds']} seeds. More is better."
    )
    return Table("space", caption, ("", *tests), tuple(rows), decimals=1)


def metadata(result: dict[str, Any]) -> Table:
    """What part of a heap of slabheap it needs for itself."""
    cells = ((row["heap"], size_text(row["bytes"]), 100 * row["metadata_bytes"] / row["bytes"]) for row in result["metadata"])
    caption = "What slabheap needs for itself, in per cent of the heap, mapped as one region. Less is better."
    return _grid("metadata", caption, cells, 3)


def _grid(name: str, caption: str, cells: Iterable[tuple[str, str, float]], decimals: int) -> Table:
    """A table of figures that come with the names of their rows and columns, in the order of their appearance."""
    rows: dict[str, dict[str, float]] = {}
    for row, column, figure in cells:
        rows.setdefault(row, {})[column] = figure
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    made: list[Row] = [(row, *(figures.get(column) for column in columns)) for row, figures in rows.items()]
    return Table(name, caption, ("", *columns), tuple(made), decimals)


def instructions(result: dict[str, Any]) -> list[Table]:
    """Instructions and mispredicts, by peer and workload; and those of allocation and free apart."""
    rows = result["rows"]
    unable = "".join(f" {peer} {reason}." for peer, reason in result["unable"].items())
    counted = "an operation, counted by callgrind in a replay after one that is not counted, without the loop around it. Less is better."
    model = " The model is callgrind's, not the processor's."
    parts = [(row, part) for row in rows if row["peer"] in OURS for part in ("allocation", "free")]
    return [
        _grid(
            "instructions",
            f"Instructions {counted}{unable}",
            ((row["peer"], row["workload"], row["operation"]["instructions"]) for row in rows),
            1,
        ),
        _grid(
            "calls",
            "Instructions of an allocation and of a checked free, counted likewise. Less is better.",
            ((f"{row['peer']}, {part}", row["workload"], row[part]["instructions"]) for row, part in parts),
            1,
        ),
        _grid(
            "mispredicts",
            f"Mispredicted branches {counted}{model}",
            ((row["peer"], row["workload"], row["operation"]["mispredicts"]) for row in rows),
            3,
        ),
    ]


def traces(result: dict[str, Any]) -> list[Table]:
    """Operations a second and peak held bytes, by peer and trace."""
    rows = result["rows"]
    best: dict[str, float] = {}
    for row in rows:
        if row["peer"] not in OURS:
            best[row["trace"]] = min(row["peak_held_bytes"], best.get(row["trace"], float("inf")))

    def speeds(key: str, over: str) -> Iterable[tuple[str, str, float]]:
        system = {row["trace"]: row[over] for row in rows if row["peer"] == "system"}
        for row in rows:
            if key in row:
                yield _trace_label(row), row["trace"], row[key] / 1e6
                yield _trace_label(row), f"{row['trace']} / glibc's", row[key] / system[row["trace"]]

    def sizes(key: str, named: Callable[[dict[str, Any]], str], chosen: Iterable[dict[str, Any]]) -> Iterable[tuple[str, str, float]]:
        for row in chosen:
            if key in row:
                yield named(row), row["trace"], row[key] / MIB
                yield named(row), f"{row['trace']} / best", row[key] / best[row["trace"]]

    medians = f"medians of {result['rounds']} rounds, and over glibc's. More is better."
    fast = f"Million operations a second in a fresh heap, {medians}"
    warm = f"Million operations a second where the trace was replayed before, and every block freed: {medians}"
    ours, others = ([row for row in rows if (row["peer"] in OURS) == own] for own in (True, False))
    held = (
        *sizes("peak_requested_bytes", lambda _: "requested", rows),
        *sizes("peak_held_bytes", _trace_label, ours),
        *sizes("peak_resident_bytes", lambda row: f"{_trace_label(row)}{RESIDENT}", ours),
        *sizes("peak_held_bytes", _trace_label, others),
        *sizes("huge_peak_resident_bytes", lambda row: f"{_trace_label(row)}{RESIDENT} in huge pages", rows),
    )
    both = any("peak_resident_bytes" in row for row in ours)
    small = f"Peak of the bytes held, in MiB, and over that of the best peer. {_TWO_COUNTS if both else ''}Less is better."
    fresh_rate, warm_rate = "operations_per_second", "warm_operations_per_second"
    without = "and over glibc's without them. More is better."
    huge_fast = f"Million operations a second in a fresh heap with huge pages, medians of {result['rounds']} rounds, {without}"
    if mode := result.get("huge_page_mode"):
        huge_fast += f" The kernel's mode is `{mode}`, and each allocator is told to ask."
    huge_warm = f"The same where the trace was replayed before, {without}"
    return [
        _grid("traces-speed", fast, speeds(fresh_rate, fresh_rate), 2),
        _grid("traces-warm", warm, speeds(warm_rate, warm_rate), 2),
        _grid("traces-held", small, held, 2),
        _grid("traces-huge", huge_fast, speeds(f"huge_{fresh_rate}", fresh_rate), 2),
        _grid("traces-huge-warm", huge_warm, speeds(f"huge_{warm_rate}", warm_rate), 2),
    ]


def _trace_label(row: dict[str, Any]) -> str:
    if row["peer"] in OURS:
        return str(row["peer"])
    return str(row["version"]) if row["peer"] == "system" else f"{row['peer']} {row['version']}"


def peer_traces(result: dict[str, Any]) -> list[Table]:
    """Operations a second, and what is touched of an arena, by peer of the Rust program and trace."""
    rows = result["rows"]
    fast = (
        "Million operations a second with the Rust program's peers, where the trace was replayed before, and every block freed: medians "
        f"of {result['rounds']} rounds. More is better."
    )
    small = (
        "What is resident of an arena, in MiB, behind a first replay, which writes to every page of every block. Of an arena that the "
        "caller gives, slabheap writes all of the metadata; of memory that it maps, what it uses. Less is better."
    )
    rates = ((label(row), row["trace"], 1e3 / row["quartiles"]["median"]) for row in rows if row["quartiles"])
    touched = ((label(row), row["trace"], row["touched_bytes"] / MIB) for row in rows if row["touched_bytes"])
    return [_grid("peer-traces", fast, rates, 2), _grid("peer-touched", small, touched, 2)]


def summary(found: dict[str, dict[str, Any]]) -> Table | None:
    """Speed and space of everyone in a few columns; None unless both were measured."""
    if "speed" not in found or "space" not in found:
        return None
    columns = ("W1", "W3", "W4", "W5")
    fast, full = speed(found["speed"]), space(found["space"])
    filled = {row[0]: (row[1], row[-1]) for row in full.rows}
    rows = [
        (row[0], row[-1], *(row[fast.columns.index(column)] for column in columns), *filled.get(row[0], (None, None)))
        for row in sorted(fast.rows, key=lambda row: (row[0] != "none", row[-1] or 0))
    ]
    caption = (
        "Nanoseconds an operation, all checks on, the harness's cost (the row `none`) included: the geometric mean over W1 to W5, and "
        "some of them; and how full an arena is when the first request fails, in per cent."
        + (f" Times are medians of {found['speed']['runs']} runs." if found["speed"]["runs"] > 1 else "")
    )
    names = ("", "mean", *columns, *(f"full, {test}" for test in (full.columns[1], full.columns[-1])))
    return Table("summary", caption, names, tuple(rows))


#: What is made of the figures of each step.
MAKERS: dict[str, Callable[[dict[str, Any]], list[Table]]] = {
    "speed": lambda result: [speed(result), runs.ratios(result, "speed-ratios")],
    "hurtful": lambda result: [speed(result, "hurtful"), runs.ratios(result, "hurtful-ratios")],
    "instructions": instructions,
    "worst": stepped.tables,
    "space": lambda result: [space(result), metadata(result)],
    "traces": traces,
    "peer-traces": peer_traces,
}
