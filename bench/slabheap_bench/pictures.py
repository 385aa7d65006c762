"""Pictures of what was measured, in the style of `slabheap.plot`."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from slabheap.plot.style import figure_of, styled
from slabheap_bench import stepped, tables
from slabheap_bench.table import Table, three_digits

_OURS, _OTHERS = "#1b6ca8", "#c9c9c9"


def _bars(axes: Any, names: list[str], values: list[float], label: str) -> None:
    """Horizontal bars with their figures, slabheap's darker and hatched."""
    places = np.arange(len(names))[::-1]
    ours = [name.startswith("slabheap") for name in names]
    bars = axes.barh(places, values, color=[_OURS if own else _OTHERS for own in ours], edgecolor="black", linewidth=0.6)
    for bar, own, place, value in zip(bars, ours, places, values, strict=True):
        bar.set_hatch("//" if own else "")
        axes.annotate(f" {three_digits(value)}", (value, place), va="center", fontsize=7)
    axes.set_yticks(places, names)
    axes.set_xlim(0, 1.15 * max(values))
    axes.set_xlabel(label)


def speed(result: dict[str, Any]) -> Figure:
    """The geometric mean over the workloads, by peer, fastest first."""
    rows = sorted((peer["geometric_mean"], peer["peer"]) for peer in result["peers"] if peer["geometric_mean"] is not None)
    with styled():
        figure = figure_of(8, 1 + 0.27 * len(rows))
        axes = figure.add_subplot()
        _bars(
            axes,
            [name for _, name in rows],
            [mean for mean, _ in rows],
            "nanoseconds an operation, geometric mean of W1 to W5; less is better",
        )
        axes.grid(axis="y", visible=False)
        return figure


def heat(table: Table, base: str, title: str) -> Figure:
    """A table's figures over those of one row, darker the more they are."""
    rows = {str(row[0]): row[1:] for row in table.rows if row[0] != "none"}
    columns = table.columns[1:]
    figures = np.array([[np.nan if cell is None else float(cell) for cell in row] for row in rows.values()])
    ratios = figures / figures[list(rows).index(base)]
    with styled():
        figure = figure_of(2.4 + 0.78 * len(columns), 1.1 + 0.3 * len(rows))
        axes = figure.add_subplot()
        axes.grid(visible=False)
        axes.imshow(np.clip(np.log2(ratios), -2, 4), cmap="Greys", vmin=-3, vmax=7, aspect="auto")
        for (row, column), ratio in np.ndenumerate(ratios):
            text = "-" if np.isnan(ratio) else three_digits(ratio)
            axes.text(column, row, text, ha="center", va="center", fontsize=7, fontweight="bold" if ratio < 1 / 1.1 else "normal")
        axes.set_xticks(range(len(columns)), columns, rotation=30, ha="right")
        axes.set_yticks(range(len(rows)), list(rows))
        axes.set_title(title, loc="left")
        return figure


def space(result: dict[str, Any]) -> Figure:
    """How full the arenas are, a group of bars for each test."""
    table = tables.space(result)
    tests, peers = table.columns[1:], [str(row[0]) for row in table.rows]
    with styled():
        figure = figure_of(9, 1.2 + 0.27 * len(peers))
        panels = figure.subplots(1, len(tests), sharey=True)
        for index, (axes, test) in enumerate(zip(panels, tests, strict=True)):
            _bars(axes, peers, [float(row[index + 1]) for row in table.rows], "%")  # type: ignore[arg-type]
            axes.set_title(test)
            axes.grid(axis="y", visible=False)
        figure.suptitle("Live requested bytes over the arena when the first request fails; more is better", x=0.01, ha="left", fontsize=10)
        return figure


def traces(result: dict[str, Any]) -> Figure:
    """Operations a second and peak held bytes, a row of panels for each trace."""
    names = list(dict.fromkeys(row["trace"] for row in result["rows"]))
    with styled():
        figure = figure_of(9, 2.1 * len(names))
        panels = figure.subplots(len(names), 2, squeeze=False)
        for (left, right), name in zip(panels, names, strict=True):
            rows = [row for row in result["rows"] if row["trace"] == name]
            peers = [row["peer"] if row["peer"] != "system" else row["version"] for row in rows]
            _bars(left, peers, [row["operations_per_second"] / 1e6 for row in rows], "million operations a second; more is better")
            _bars(right, peers, [row["peak_held_bytes"] / tables.MIB for row in rows], "peak bytes held, MiB; less is better")
            left.set_title(f"{name}, {rows[0]['events']:,} events")
            right.axvline(rows[0]["peak_requested_bytes"] / tables.MIB, color="black", linewidth=0.8, linestyle=":")
        return figure


def worst(result: dict[str, Any]) -> Figure:
    """The worst call by heap: a row of panels for each kind of heap, a column for each way with freed runs."""
    made = stepped.by_heap(result)
    rows = (len(made) + 1) // 2
    with styled():
        figure = figure_of(9, 3 * rows)
        panels = figure.subplots(rows, 2, sharey=True, squeeze=False)
        for axes, table in zip(panels.flat, made, strict=False):
            labels = [f"{row[0]}\n{row[1]} region{'s' if row[1] != '1' else ''}" for row in table.rows]
            for index, (state, marker) in enumerate(zip(stepped.STATES, "os^D", strict=True)):
                worst_of_calls = [max(float(cell) for cell in row[2 + 3 * index : 5 + 3 * index] if cell is not None) for row in table.rows]
                axes.plot(labels, worst_of_calls, marker=marker, linestyle=":", label=state)
            axes.set_yscale("log")
            axes.set_title(", freed runs ".join(table.name.removeprefix("worst-").rsplit("-", 1)))
            axes.tick_params(axis="x", labelsize=6)
        for first, _ in panels:
            first.set_ylabel("instructions of the worst call")
        panels[0, 0].legend()
        return figure


def all_pictures(found: dict[str, dict[str, Any]]) -> dict[str, Figure]:
    """Every picture that there are figures for, by name."""
    pictures: dict[str, Figure] = {}
    if "speed" in found:
        pictures["speed"] = speed(found["speed"])
        pictures["speed-ratios"] = heat(tables.speed(found["speed"]), "slabheap-classic", "Time over slabheap-classic's; bold is faster")
    if "hurtful" in found:
        table = tables.speed(found["hurtful"], "hurtful")
        pictures["hurtful"] = heat(table, "slabheap-classic", "Time over slabheap-classic's; bold is faster")
    if "space" in found:
        pictures["space"] = space(found["space"])
    if "traces" in found:
        pictures["traces"] = traces(found["traces"])
    if "worst" in found:
        pictures["worst"] = worst(found["worst"])
    return pictures
