"""Pictures of figures over time and of what calls cost: what stands on them, and that what they show is what there is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from looking import saved, texts
from making_traces import ALLOCATE, random_trace, trace_of
from slabheap import compare, plot, replay
from slabheap.costs import PERCENTILES
from slabheap.merits import SERIES

TRACE = random_trace(17, 5000)
RESULTS = compare(TRACE, ["classic", "compact", "system"], repeats=2)


def test_each_figure_has_a_panel_with_a_line_for_each_replay(tmp_path: Path) -> None:
    figure = plot.figures(RESULTS)
    titles = [texts(axes)[0] for axes in figure.axes]
    assert titles == ["internal fragmentation", "external fragmentation", "live pages"]
    assert [texts(axes)[1] for axes in figure.axes] == ["", "", "events"]
    assert texts(figure.axes[0])[3] == ["classic", "compact", "system"]
    for axes, name in zip(figure.axes, ("internal_fragmentation", "external_fragmentation", "live_pages"), strict=True):
        for line, result in zip(axes.get_lines(), RESULTS, strict=True):
            assert np.array_equal(line.get_xdata(), result.timeline["event"])
            assert np.array_equal(np.asarray(line.get_ydata(), np.float64), result.series(name).astype(np.float64))
    assert figure.get_suptitle() == "Figures over 5,000 events"
    assert saved(figure, tmp_path)[0] == 1200


@pytest.mark.parametrize("name", list(SERIES)[2:])
def test_every_figure_over_time_can_be_drawn(name: str, tmp_path: Path) -> None:
    if np.isnan(RESULTS[0].series(name).astype(np.float64)).all():
        with pytest.raises(ValueError, match=f"none of the results has {name}"):
            plot.figures(RESULTS[0], [name])
        return
    figure = plot.figures(RESULTS, [name], clock="seconds")
    assert np.array_equal(figure.axes[0].get_lines()[1].get_xdata(), RESULTS[1].timeline["time"] / 1e9)
    saved(figure, tmp_path)
    ticks = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert len(set(ticks)) == len(ticks) >= 2


def test_a_line_may_have_a_single_point_and_a_trace_no_event(tmp_path: Path) -> None:
    one = plot.figures(replay(trace_of((ALLOCATE, 0, 100))), ["requested"])
    assert one.axes[0].get_lines()[0].get_ydata().tolist() == [100, 100]  # type: ignore[union-attr]
    saved(one, tmp_path)
    saved(plot.figures(replay(trace_of())), tmp_path)


def test_figures_that_there_are_not_are_named() -> None:
    with pytest.raises(ValueError, match="there is no figure 'speed' over time; there are requested, used, held"):
        plot.figures(RESULTS, ["held", "speed"])
    with pytest.raises(ValueError, match="none of the results has occupancy"):
        plot.figures(RESULTS[2], ["occupancy"])
    with pytest.raises(ValueError, match="there is no figure to draw"):
        plot.figures(RESULTS, [])
    with pytest.raises(ValueError, match="there is no result to draw"):
        plot.figures([])
    with pytest.raises(ValueError, match='clock must be "events" or "seconds"'):
        plot.figures(RESULTS, clock="hours")  # type: ignore[arg-type]


def test_what_calls_cost_is_marked_for_each_operation_and_allocator(tmp_path: Path) -> None:
    figure = plot.call_costs(RESULTS)
    called = [operation for operation in ("allocate", "allocate_zeroed", "reallocate", "free") if RESULTS[0].costs.count(operation)]  # type: ignore[union-attr]
    assert [texts(axes)[0] for axes in figure.axes] == [operation.replace("_", " ") for operation in called]
    for axes, operation in zip(figure.axes, called, strict=True):
        assert [label.get_text() for label in axes.get_yticklabels()] == ["classic", "compact", "system"]
        marks = [float(np.asarray(line.get_xdata())[0]) for line in axes.get_lines() if len(np.asarray(line.get_xdata())) == 1]
        expected = [
            max(1.0, result.costs.percentile(operation, percent))  # type: ignore[union-attr]
            for result in RESULTS
            for percent in PERCENTILES.values()
        ]
        assert marks == expected
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["median", "90 %", "99 %", "99.9 %", "the dearest"]
    assert saved(figure, tmp_path)[0] == 1200


def test_percentiles_can_be_told_apart_without_colour() -> None:
    [legend] = plot.call_costs(RESULTS).legends
    marks = [line.get_marker() for line in legend.get_lines()]
    assert len(set(marks)) == len(marks) == len(PERCENTILES)


def test_an_operation_that_one_never_called_says_so(tmp_path: Path) -> None:
    never_freed = trace_of((ALLOCATE, 0, 100))
    assert [texts(axes)[0] for axes in plot.call_costs(replay(never_freed)).axes] == ["allocate"]
    mixed = plot.call_costs([replay(never_freed), replay(random_trace(1, 500))])
    words = {text.get_text() for axes in mixed.axes for text in axes.texts}
    assert words == {"no such call"}
    saved(mixed, tmp_path)


def test_costs_that_were_not_measured_are_not_drawn() -> None:
    with pytest.raises(ValueError, match="what calls cost on compact was not measured"):
        plot.call_costs([RESULTS[0], replay(TRACE, preset="compact", repeats=0)])
    with pytest.raises(ValueError, match="there are no calls to draw the costs of"):
        plot.call_costs(replay(trace_of()))
    with pytest.raises(ValueError, match="there is no result to draw"):
        plot.call_costs([])
