"""Several runs of one comparison, each a process of its own, as one: what differs between them is noise that no round of one shows."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from slabheap_bench.table import OURS, Row, Table, label


def merged(reports: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What `bench speed` wrote, some times, as if it were one report.

    Returns:
        The first report, with the number of `runs`; in each cell the median over the runs of `median`, `lower` and `upper`, all
        `medians`, and the `samples` of each run; for each peer the median of `geometric_mean`, and all `geometric_means`.
    """
    peers = [_merged_peers(peers) for peers in zip(*(report["peers"] for report in reports), strict=True)]
    return {**reports[0], "runs": len(reports), "peers": peers}


def _merged_peers(rows: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    means = [row["geometric_mean"] for row in rows]
    can = None not in means
    workloads = [_merged_cells(cells) for cells in zip(*(row["workloads"] for row in rows), strict=True)]
    mean = {"geometric_mean": statistics.median(means) if can else None, "geometric_means": means if can else []}
    return {**rows[0], **mean, "workloads": workloads}


def _merged_cells(cells: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    shared = {"workload": cells[0]["workload"], "samples": [cell["samples"] for cell in cells]}
    if not all("median" in cell for cell in cells):  # too slow in one run is too slow
        return shared
    figures = {key: statistics.median(cell[key] for cell in cells) for key in ("lower", "median", "upper")}
    return {**shared, **figures, "medians": [cell["median"] for cell in cells]}


def ratios(result: dict[str, Any], name: str) -> Table:
    """Times of slabheap over those of ax_slab_allocator and of the best peer of each column, by run."""
    columns = [cell["workload"] for cell in result["peers"][0]["workloads"]]
    figures = {label(peer): _figures(peer) for peer in result["peers"]}
    peers = [peer for peer in result["peers"] if peer["peer"] not in (*OURS, "none")]
    names = [label(peer) for peer in peers]
    indices = range(len(columns) + 1)
    best = [
        min((each for each in names if figures[each][index]), key=lambda each: statistics.median(figures[each][index])) for index in indices
    ]
    rows: list[Row] = []
    for ours in OURS:
        for peer in peers:
            if peer["peer"] == "ax_slab_allocator":
                cells = (_ratio(figures[ours][index], figures[label(peer)][index]) for index in indices)
                rows.append((f"{ours} / {label(peer)}", *cells))
        rows.append((f"{ours} / best peer", *(_ratio(figures[ours][index], figures[best[index]][index]) for index in indices)))
    rows.append(("best peer", *best))
    caption = (
        f"Time over that of ax_slab_allocator, and of the peer whose time is least in that column: {of_runs(result)}. Less is better; "
        "between 0.9 and 1.1 is no difference."
    )
    return Table(name, caption, ("", *columns, "mean"), tuple(rows), 2)


def of_runs(result: dict[str, Any]) -> str:
    """For a caption: what a ratio is."""
    return f"medians over {result['runs']} runs, and the least and the most" if result["runs"] > 1 else "one run, which decides nothing"


def _figures(peer: dict[str, Any]) -> list[list[float]]:
    """Of each column, the mean last, the medians of each run; none if it cannot be done."""
    return [*(cell.get("medians", []) for cell in peer["workloads"]), peer["geometric_means"]]


def _ratio(ours: list[float], theirs: list[float]) -> str | None:
    each = [own / other for own, other in zip(ours, theirs, strict=False)]
    if not each:
        return None
    around = f" ({min(each):.2f}-{max(each):.2f})" if len(each) > 1 else ""
    return f"{statistics.median(each):.2f}{around}"
