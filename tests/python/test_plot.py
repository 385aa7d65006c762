"""Pictures of replays over time and side by side: what stands on them, and that what they show is what there is."""

from __future__ import annotations

import itertools
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from looking import cut_off, saved, texts
from making_traces import ALLOCATE, FREE, random_trace, trace_of
from slabheap import Result, compare, plot, replay
from slabheap.texts import bytes_text, distinct_labels, shortened

TRACE = random_trace(17, 5000)
RESULTS = compare(TRACE, ["classic", "compact", "system"], repeats=3)


def with_peaks(*names: str, results: list[Result] | None = None) -> list[str]:
    """The legend of a timeline of several replays."""
    held = [result.peak_held_bytes for result in results or RESULTS]
    peaks = [RESULTS[0].peak_requested_bytes, *held]
    return [f"{name}\npeak {bytes_text(peak)}" for name, peak in zip(names, peaks, strict=True)]


def test_a_timeline_of_one_replay_shows_what_is_requested_used_and_held(tmp_path: Path) -> None:
    figure = plot.timeline(RESULTS[0])
    title, x, y, legend = texts(figure.axes[0])
    assert title == "Bytes over 5,000 events, classic"
    assert (x, y) == ("events", "bytes")
    peaks = (RESULTS[0].peak_requested_bytes, RESULTS[0].peak_used_bytes, RESULTS[0].peak_held_bytes)
    names = ("requested", "used by live blocks", "held by the heap")
    assert legend == [f"{name}\npeak {bytes_text(peak)}" for name, peak in zip(names, peaks, strict=True)]
    used, held = figure.axes[0].get_lines()
    assert np.array_equal(used.get_xdata(), RESULTS[0].timeline["event"])
    assert np.array_equal(used.get_ydata(), RESULTS[0].timeline["used"])
    assert np.array_equal(held.get_ydata(), RESULTS[0].timeline["held"])
    assert figure.axes[0].get_ylim()[0] == 0
    assert saved(figure, tmp_path) == (1200, 600)


def test_a_timeline_of_several_replays_shows_what_each_holds(tmp_path: Path) -> None:
    figure = plot.timeline(RESULTS)
    title, _, _, legend = texts(figure.axes[0])
    assert title == "Bytes over 5,000 events"
    assert legend == with_peaks("requested", "held by classic", "held by compact", "held by system")
    lines = figure.axes[0].get_lines()
    assert [np.array_equal(line.get_ydata(), r.timeline["held"]) for line, r in zip(lines, RESULTS, strict=True)] == [True] * 3
    assert saved(figure, tmp_path) == (1200, 600)


def test_a_timeline_may_be_over_the_seconds_of_the_program(tmp_path: Path) -> None:
    figure = plot.timeline(RESULTS, clock="seconds")
    assert texts(figure.axes[0])[1] == "time of the recorded program"
    assert np.array_equal(figure.axes[0].get_lines()[0].get_xdata(), RESULTS[0].timeline["time"] / 1e9)
    saved(figure, tmp_path)
    assert figure.axes[0].get_xticklabels()[1].get_text().endswith(" ms")
    with pytest.raises(ValueError, match='clock must be "events" or "seconds"'):
        plot.timeline(RESULTS, clock="hours")  # type: ignore[arg-type]


def test_lines_can_be_told_apart_without_colour() -> None:
    lines = plot.timeline([RESULTS[0]] * 20).axes[0].get_lines()
    looks = {(repr(line.get_linestyle()), repr(getattr(line, "_unscaled_dash_pattern", None)), line.get_marker()) for line in lines}
    assert len(looks) == 20


def test_the_legend_of_many_replays_is_not_cut_off(tmp_path: Path) -> None:
    options: list[dict[str, Any]] = [{"classes": list(range(16, 16 * count + 1, 16))} for count in (1, 3, 4, 100, 128)]
    options += [{"page_bytes": size, "pages": "best_fit", "set_blocks": 3, "preset": "compact"} for size in (512, 1024, 65536)]
    results = [replay(TRACE, repeats=1, **each) for each in options]
    labels = [text.get_text() for text in plot.comparison(results).axes[0].get_yticklabels()]
    assert labels[0] == "classic classes=16"
    assert labels[4].replace("\n", " ") == "classic classes=128 from 16 to 2048"
    assert len(set(labels)) == len(labels)
    for figure in (plot.timeline(results), plot.comparison(results), plot.comparison(results * 2, "A title that is long " * 20)):
        saved(figure, tmp_path)


def test_bytes_have_units() -> None:
    values = (0, 1023, 1024, 1536, 1023 << 10, 1 << 20, 5 << 30, 3 << 40, 5000 << 40)
    assert [bytes_text(value) for value in values] == [
        *("0 B", "1023 B", "1 KiB", "1.5 KiB", "1,023 KiB", "1 MiB", "5 GiB", "3 TiB", "5,000 TiB"),
    ]
    figure = plot.timeline(RESULTS[0])
    figure.canvas.draw()
    axes = figure.axes[0]
    shown = [
        tick.get_text() for place, tick in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True) if 0 <= place <= axes.get_ylim()[1]
    ]
    assert shown[0] == "0 B"
    assert all(text.endswith("KiB") for text in shown[1:])
    assert 4 <= len(shown) <= 10


def test_labels_are_short_and_distinct() -> None:
    long = [f"libmalloc-{'x' * 80}-{end}" for end in ("a", "a", "b")]
    labels = distinct_labels(long, 40)
    assert len(set(labels)) == 3
    assert max(map(len, labels)) <= 40
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdefg", 6) == "abc…fg"


def test_titles_may_be_given() -> None:
    assert texts(plot.timeline(RESULTS, "Time").axes[0])[0] == "Time"
    assert plot.comparison(RESULTS, "Both").get_suptitle() == "Both"
    assert texts(plot.class_occupancy(RESULTS[0], "Classes").axes[0])[0] == "Classes"


def test_a_comparison_shows_speed_and_space_of_each(tmp_path: Path) -> None:
    figure = plot.comparison(RESULTS)
    speed, space = figure.axes
    assert texts(speed)[1] == "million operations a second; more is better\nmedian of 3 replays, and their range"
    requested = bytes_text(RESULTS[0].peak_requested_bytes)
    assert texts(space)[1] == f"peak held / peak requested ({requested}); less is better"
    assert figure.get_suptitle() == "5,000 events"
    assert [label.get_text() for label in speed.get_yticklabels()] == ["classic", "compact", "system"]
    rates = [patch.get_width() for patch in speed.patches]  # type: ignore[attr-defined]
    assert rates == pytest.approx([result.operations_per_second / 1e6 for result in RESULTS])
    assert [text.get_text() for text in speed.texts] == [f" {rate:.1f}" for rate in rates]
    ratios = [patch.get_width() for patch in space.patches]  # type: ignore[attr-defined]
    assert ratios == pytest.approx([result.peak_held_bytes / RESULTS[0].peak_requested_bytes for result in RESULTS])
    written = [text.get_text() for text in space.texts]
    assert written == [f" {ratio:.2f} ({bytes_text(result.peak_held_bytes)})" for ratio, result in zip(ratios, RESULTS, strict=True)]
    width, height = saved(figure, tmp_path)
    assert width == 1350
    assert height < saved(plot.comparison(RESULTS * 3), tmp_path)[1]


def test_what_was_not_timed_says_so() -> None:
    figure = plot.comparison([replay(TRACE, repeats=0), RESULTS[0]])
    assert figure.axes[0].texts[0].get_text() == " not timed"


def test_a_comparison_of_nothing_requested_is_in_bytes(tmp_path: Path) -> None:
    results = compare(trace_of(), ["classic", "system"], repeats=0)
    figure = plot.comparison(results)
    assert texts(figure.axes[1])[1] == "peak held; less is better"
    assert [text.get_text() for text in figure.axes[1].texts] == [f" {bytes_text(result.peak_held_bytes)}" for result in results]
    saved(figure, tmp_path)


SMALL = [trace_of(), trace_of((ALLOCATE, 0, 0)), trace_of((ALLOCATE, 0, 1), (FREE, 0)), trace_of((ALLOCATE, 0, 1 << 40))]


@pytest.mark.parametrize("trace", SMALL, ids=["nothing", "no bytes", "one byte", "failure"])
def test_small_replays_are_drawn(trace: object, tmp_path: Path) -> None:
    results = compare(trace, ["classic", "system"], repeats=2, bytes=1 << 20)  # type: ignore[arg-type]
    for figure in (
        plot.timeline(results),
        plot.timeline(results[0]),
        plot.timeline(results, clock="seconds"),
        plot.comparison(results),
        plot.class_occupancy(results[0]),
    ):
        assert saved(figure, tmp_path)[0] >= 1200
    for runs in results[0].snapshots.values():
        assert saved(plot.page_map(runs), tmp_path)[0] == 1350
        assert saved(plot.page_strip(results[0]), tmp_path)[0] == 1350


def test_the_only_sample_of_a_replay_holds_for_all_of_its_timeline() -> None:
    result = replay(trace_of((ALLOCATE, 0, 100)))
    used, held = plot.timeline(result).axes[0].get_lines()
    assert np.asarray(used.get_xdata()).tolist() == [0, 1]
    assert np.asarray(held.get_ydata()).tolist() == [result.timeline["held"][0]] * 2


def test_nothing_to_draw_is_a_value_error() -> None:
    for draw in (plot.timeline, plot.comparison):
        with pytest.raises(ValueError, match="there is no result to draw"):
            draw([])
    with pytest.raises(ValueError, match="only slabheap shows its size classes; system does not"):
        plot.class_occupancy(RESULTS[2])


def pixels_of(figure: Figure) -> np.ndarray:
    """The pixels of a picture, in grey, from 0 to 255."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return np.asarray(pixels[..., :3].mean(axis=2))


def test_classes_over_time_are_as_dark_as_they_are_full(tmp_path: Path) -> None:
    result = compare(random_trace(17, 300), ["compact"], repeats=0)[0]  # which has no use for some of the classes
    figure = plot.class_occupancy(result)
    shares, weights, _ = figure.axes
    title, x, y, _ = texts(shares)
    assert (title, x, y) == ("How full each size class was, compact", "events", "block size")
    assert result.occupancy is not None
    total, used = (result.occupancy[name].astype(np.int64) for name in ("total_blocks", "used_blocks"))
    shown = [index for index in range(total.shape[1]) if total[:, index].max()]
    colours = np.asarray(shares.images[0].get_array())
    assert len(colours) == len(shown) < total.shape[1]
    light = colours[..., :3].mean(axis=2)
    # A column has the samples from the first of its own to the first of the next.
    starts = np.linspace(0, len(total), light.shape[1], endpoint=False).astype(int)
    blocks, live = (np.add.reduceat(counts, starts, axis=0)[:, shown].T for counts in (total, used))
    assert (light[blocks == 0] == 1).all()
    full = (live / np.maximum(blocks, 1))[blocks > 0]
    order = np.argsort(full)
    assert (np.diff(light[blocks > 0][order]) <= 1e-9).all()
    sizes = np.array([stats.block_size for stats in result.class_stats])[shown]
    lengths = [patch.get_width() for patch in weights.patches]  # type: ignore[attr-defined]
    assert lengths[: len(shown)] == (total[:, shown] * sizes).max(axis=0).tolist()
    assert lengths[len(shown) :] == (used[:, shown] * sizes).max(axis=0).tolist()
    saved(figure, tmp_path)


def test_a_hundred_and_twenty_eight_classes_have_names_that_do_not_touch(tmp_path: Path) -> None:
    result = replay(random_trace(5, 20_000, 3000), classes=list(range(16, 2049, 16)), repeats=0)
    figure = plot.class_occupancy(result)
    width, height = saved(figure, tmp_path)
    assert width == 1350
    assert 1400 < height < 1700
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    boxes = sorted((label.get_window_extent(renderer) for label in figure.axes[0].get_yticklabels()), key=lambda box: box.y0)
    assert len(boxes) >= 60
    assert all(below.y1 <= above.y0 for below, above in itertools.pairwise(boxes))


def test_a_theme_is_for_what_is_made_within_it() -> None:
    with plot.theme("dark"):
        figure = plot.timeline(RESULTS)
    assert np.median(pixels_of(figure)) < 40
    assert np.median(pixels_of(plot.timeline(RESULTS))) == 255
    assert cut_off(figure) == []
    with pytest.raises(ValueError, match='theme must be "light" or "dark", not \'pink\''), plot.theme("pink"):  # type: ignore[arg-type]
        pass


def test_jupyter_shows_a_picture_without_being_told_to() -> None:
    shown = plot.timeline(RESULTS)._repr_png_()  # type: ignore[attr-defined]
    assert shown.startswith(b"\x89PNG")
    assert struct.unpack_from(">II", shown, 16) == (800, 400)


def test_pictures_need_no_display_and_leave_the_callers_style_alone() -> None:
    before = dict(mpl.rcParams)
    result: Result = replay(trace_of((ALLOCATE, 0, 1)))
    plot.timeline(result)
    assert dict(mpl.rcParams) == before
    program = "import slabheap, sys; assert 'matplotlib' not in sys.modules; slabheap.plot; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
