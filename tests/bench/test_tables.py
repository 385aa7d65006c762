"""Tables of figures, and their places in documents."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from slabheap_bench import documents, losses, runs, steps, tables
from slabheap_bench.table import OURS


def _quartiles(median: float) -> dict[str, float]:
    return {"lower": 0.9 * median, "median": median, "upper": 1.2 * median}


def speed_result() -> dict[str, Any]:
    """Of two workloads, the second of which one peer cannot do."""

    def peer(name: str, version: str, *medians: float | None) -> dict[str, Any]:
        cells = [
            {"workload": f"W{index}", "samples": []} | ({} if median is None else _quartiles(median))
            for index, median in enumerate(medians, 1)
        ]
        return {"peer": name, "version": version, "geometric_mean": None if None in medians else 3.0, "workloads": cells}

    rows = [peer("none", "", 1.0, 2.0), peer("slabheap-classic", "0.1.0", 3.0, 120.25), peer("x", "4.5", 2.0, None)]
    return runs.merged([{"rounds": 5, "peers": rows}])


def test_a_table_shows_three_digits_and_a_dash_for_what_cannot_be_done() -> None:
    assert tables.speed(speed_result()).markdown() == (
        "|  | W1 | W2 | mean |\n"
        "|---|--:|--:|--:|\n"
        "| none | 1.00 | 2.00 | 3.00 |\n"
        "| slabheap-classic | 3.00 | 120 | 3.00 |\n"
        "| x 4.5 | 2.00 | - | - |"
    )


def test_a_table_of_times_says_how_far_they_scatter() -> None:
    assert "the middle half spans 30 % of the figure" in tables.speed(speed_result()).caption


def test_a_table_as_csv_has_every_digit() -> None:
    assert tables.speed(speed_result()).csv().splitlines()[2:] == ["slabheap-classic,3.0,120.25,3.0", "x 4.5,2.0,,"]


def test_metadata_is_a_part_of_the_heap() -> None:
    rows = [{"heap": "classic", "bytes": size, "metadata_bytes": size // 200} for size in (16 << 20, 2 << 30)]
    table = tables.metadata({"metadata": rows})
    assert table.columns == ("", "16 MiB", "2 GiB")
    assert table.markdown().splitlines()[-1] == "| classic | 0.500 | 0.500 |"


def trace_rows() -> list[dict[str, Any]]:
    """One trace, replayed on slabheap and on two others."""
    sizes = {"slabheap-compact": (60e6, 6 << 20), "system": (20e6, 4 << 20), "libx": (30e6, 5 << 20)}
    shared = {"trace": "t", "version": "9", "peak_requested_bytes": 3 << 20}
    return [
        {**shared, "peer": peer, "operations_per_second": speed, "warm_operations_per_second": 2 * speed, "peak_held_bytes": held}
        for peer, (speed, held) in sizes.items()
    ]


def test_traces_are_compared_with_glibc_in_speed_and_with_the_best_in_space() -> None:
    faster, warmer, smaller, *_ = tables.traces({"rounds": 3, "rows": trace_rows()})
    assert faster.columns == ("", "t", "t / glibc's")
    assert faster.rows == (("slabheap-compact", 60.0, 3.0), ("9", 20.0, 1.0), ("libx 9", 30.0, 1.5))
    assert warmer.columns == faster.columns
    assert warmer.rows == (("slabheap-compact", 120.0, 3.0), ("9", 40.0, 1.0), ("libx 9", 60.0, 1.5))
    assert smaller.rows == (("requested", 3.0, 0.75), ("slabheap-compact", 6.0, 1.5), ("9", 4.0, 1.0), ("libx 9", 5.0, 1.25))


def test_huge_pages_are_compared_with_glibc_without_them() -> None:
    rows = trace_rows()
    for row in rows[:2]:
        row["huge_operations_per_second"] = 1.5 * row["operations_per_second"]
        row["huge_warm_operations_per_second"] = 2 * row["warm_operations_per_second"]
    *_, huge, huge_warm = tables.traces({"rounds": 3, "rows": rows})
    assert huge.rows == (("slabheap-compact", 90.0, 4.5), ("9", 30.0, 1.5))
    assert huge_warm.rows == (("slabheap-compact", 240.0, 6.0), ("9", 80.0, 2.0))


def test_what_the_kernel_counts_of_slabheap_has_rows_of_its_own() -> None:
    rows = trace_rows()
    plain = tables.traces({"rounds": 3, "rows": rows})[2]
    for row in rows:
        row["peak_resident_bytes"] = row["peak_held_bytes"] + (2 << 20 if row["peer"] in OURS else 0)
    rows[0]["huge_peak_resident_bytes"] = 12 << 20
    both = tables.traces({"rounds": 3, "rows": rows})[2]
    added = (("slabheap-compact, resident", 8.0, 2.0), ("slabheap-compact, resident in huge pages", 12.0, 3.0))
    assert both.rows == (*plain.rows[:2], added[0], *plain.rows[2:], added[1])
    assert "kernel" in both.caption
    assert "kernel" not in plain.caption
    lost = {row[0]: row[3] for row in losses.losses({"traces": {"rounds": 3, "rows": rows}}).rows}
    assert lost == {"held, MiB: t": 6.0, "resident, MiB: t": 8.0}


def test_peers_of_the_program_have_a_rate_and_what_they_touch_of_an_arena() -> None:
    def row(peer: str, trace: str, median: float | None, touched: int | None) -> dict[str, Any]:
        quartiles = None if median is None else _quartiles(median)
        return {"peer": peer, "version": "9", "trace": trace, "quartiles": quartiles, "touched_bytes": touched}

    ours = [row("slabheap-classic", "t", 20.0, 3 << 20), row("slabheap-compact", "t", None, 2 << 20)]
    rows = [*ours, row("x", "t", 25.0, None), row("y", "t", None, 1 << 20)]
    result = {"rounds": 3, "rows": rows}
    rates, touched = tables.peer_traces(result)
    assert (rates.columns, rates.rows) == (("", "t"), (("slabheap-classic", 50.0), ("x 9", 40.0)))
    assert touched.rows == (("slabheap-classic", 3.0), ("slabheap-compact", 2.0), ("y 9", 1.0))
    lost = losses.losses({"peer-traces": result}).rows
    assert lost == (("touched, MiB, the program's peers: t", "compact", 3.0, 2.0, "y 9", 1.0, 2.0),)


def test_the_kernels_mode_of_huge_pages_is_told() -> None:
    *_, huge, _ = tables.traces({"rounds": 3, "rows": trace_rows(), "huge_page_mode": "madvise"})
    assert "mode is `madvise`" in huge.caption


def test_a_place_in_a_document_is_filled_anew() -> None:
    document = "before\n<!-- table: a -->\nold | 1\n<!-- end -->\nbetween\n<!-- table: b-c -->\n<!-- end -->\n"
    filled = documents.fill(document, {"a": "new", "b-c": "other"})
    assert filled == "before\n<!-- table: a -->\nnew\n<!-- end -->\nbetween\n<!-- table: b-c -->\nother\n<!-- end -->\n"
    assert documents.fill(filled, {"a": "new", "b-c": "other"}) == filled


def test_a_place_for_what_was_not_measured_is_an_error() -> None:
    with pytest.raises(KeyError, match="unheard-of"):
        documents.fill("<!-- table: unheard-of -->\n<!-- end -->", {})


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[Path, str]:
    """A tree of its own with two documents and old figures, and what its files hold; each step was measured, each picture drawn."""
    contents = {
        tmp_path / "docs" / "performance.md": "<!-- table: speed -->\nold\n<!-- end -->\n",
        tmp_path / "README.md": "<!-- table: worst -->\nold\n<!-- end -->\n",
        tmp_path / documents.KEPT: "{}\n",
    }
    (tmp_path / "docs" / "pictures").mkdir(parents=True)
    for path, content in contents.items():
        path.write_text(content)
    folder = tmp_path / "build"
    folder.mkdir()
    for step in steps.TIMED:
        (folder / f"{step}.json").write_text(json.dumps({"made": {}, "result": {"figure": f"new {step}", "samples": [1]}}))
    for name in documents.SHOWN:
        (folder / f"{name}.png").write_text(name)
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    monkeypatch.setattr(steps, "FOLDER", folder)
    monkeypatch.setattr(documents, "blocks", lambda runs: {step: run["result"]["figure"] for step, run in runs.items()})
    return contents


def contents_of(paths: Iterable[Path]) -> dict[Path, str]:
    """What files hold."""
    return {path: path.read_text() for path in paths}


def test_what_was_measured_is_published(published: dict[Path, str]) -> None:
    documents.publish()
    document, readme, kept = contents_of(published).values()
    assert document == "<!-- table: speed -->\nnew speed\n<!-- end -->\n"
    assert readme == "<!-- table: worst -->\nnew worst\n<!-- end -->\n"
    assert json.loads(kept) == {step: {"made": {}, "result": {"figure": f"new {step}"}} for step in steps.TIMED}
    pictures = contents_of((steps.ROOT / "docs" / "pictures").iterdir())
    assert {path.name: content for path, content in pictures.items()} == {f"bench-{name}.png": name for name in documents.SHOWN}


def test_some_steps_alone_are_not_published_and_the_others_are_named(published: dict[Path, str]) -> None:
    for step in ("traces", "worst"):
        (steps.FOLDER / f"{step}.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"no figures of traces, worst .*run: tools/bench measure --step traces --step worst"):
        documents.publish()
    assert contents_of(published) == published


def test_figures_without_their_pictures_are_not_published(published: dict[Path, str]) -> None:
    (steps.FOLDER / "space.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"no pictures of space .*run: tools/bench report"):
        documents.publish()
    assert contents_of(published) == published


def test_nothing_is_published_if_a_document_has_a_place_for_what_there_is_not(published: dict[Path, str]) -> None:
    last = steps.ROOT / documents.DOCUMENTS[-1]
    published[last] = "<!-- table: unheard-of -->\n<!-- end -->"
    last.write_text(published[last])
    with pytest.raises(KeyError, match="unheard-of"):
        documents.publish()
    assert contents_of(published) == published


def test_samples_are_left_out_of_what_is_kept() -> None:
    lists = {"samples": [1.0], "seconds": [1.0, 2.0], "huge_warm_seconds": [3.0]}
    result = {"rows": [{**lists, "median": 1.5, "medians": [1.5]}], "seconds": 7}
    assert documents.without_samples(result) == {"rows": [{"median": 1.5, "medians": [1.5]}], "seconds": 7}


def test_no_samples_are_kept_in_the_tree() -> None:
    kept = json.loads((steps.ROOT / documents.KEPT).read_text())
    assert documents.without_samples(kept) == kept


def test_what_is_kept_tells_the_machine_and_the_command_once() -> None:
    run = {"made": {"machine": {"processors": 2}}, "result": {"command": "bench", "machine": {}, "rows": [{"samples": [1], "mean": 1}]}}
    assert documents.kept(run) == {"made": {"machine": {"processors": 2}}, "result": {"rows": [{"mean": 1}]}}


def test_the_circumstances_tell_huge_pages_and_load() -> None:
    machine = steps.describe_machine()
    assert machine["load"] >= 0
    made = {"date": "2026-11-29", "command": "bench", "quick": False}
    runs = {
        step: {"made": {**made, "machine": {**machine, "huge_pages": "madvise", "load": load}}, "result": {}}
        for step, load in (("space", 0.1), ("worst", 2.04))
    }
    told = documents.circumstances(runs)
    assert "transparent huge pages: madvise; runnable tasks in the minute before a step: 0.1 to 2.0\n" in told


def test_the_documents_show_the_figures_that_are_kept() -> None:
    kept = json.loads((steps.ROOT / documents.KEPT).read_text())
    made = documents.blocks(kept)
    for name in documents.DOCUMENTS:
        text = (steps.ROOT / name).read_text()
        assert documents.fill(text, made) == text, f"{name}: run make publish"
    assert not any(run["made"]["quick"] for run in kept.values())
