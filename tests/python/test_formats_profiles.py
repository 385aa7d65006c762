"""Profiles of DHAT and pprof: their figures are those of a model, and of DHAT itself."""

from __future__ import annotations

import gzip
import html
import json
import re
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from making_traces import FREE, REALLOCATE, SITES, event_arrays, tagged
from places import TRACES
from slabheap import Trace
from slabheap.events import Events
from slabheap.formats.pprof import profile_message
from slabheap.formats.profile import size_range
from slabheap.information import Site

KEPT = TRACES / "formats"


class Model:
    """The figures of places, counted in Python."""

    def __init__(self, trace: Trace, place_of: Any) -> None:
        self.totals: dict[Any, list[int]] = defaultdict(lambda: [0, 0])  # bytes, blocks
        self.lives: dict[Any, int] = defaultdict(int)
        self.most: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
        self.now: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
        self.peak: dict[Any, list[int]] = {}
        self.peak_bytes = self.peak_time = 0
        live: dict[int, tuple[Any, int, int]] = {}
        for event in trace.events:
            block, size, time = int(event["block"]), int(event["size"]), int(event["time"])
            place, old, born = live.pop(block, (place_of(event), 0, time))
            now = self.now[place]
            if event["operation"] == FREE:
                self.lives[place] += time - born
                now[1] -= 1
                size = 0
            else:
                live[block] = place, size, born
                self.totals[place][0] += size
                self.totals[place][1] += 1
                now[1] += event["operation"] != REALLOCATE
            now[0] += size - old
            if now[0] > self.most[place][0]:
                self.most[place] = list(now)
            total = sum(n[0] for n in self.now.values())
            if total > self.peak_bytes:
                self.peak_bytes, self.peak_time, self.peak = total, time, {p: list(n) for p, n in self.now.items()}
        for place, _, born in live.values():
            self.lives[place] += int(trace.events["time"][-1]) - born


def upper_end(size: int) -> int:
    """The upper end of the range of a size."""
    return max(16, 1 << (size - 1).bit_length()) if size else 16


def stack_of(trace: Trace, event: Any) -> tuple[str, ...]:
    """The stack that an allocation has in a profile."""
    if event["tag"]:
        return tuple(trace.information.stack(int(event["tag"]))) or (f"tag {event['tag']}",)
    end = upper_end(int(event["size"]))
    return (f"{end // 2 + 1 if end > 16 else 0:,} to {end:,} bytes", f"thread {event['thread']}")


def dhat_of(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], dict[str, int]]]:
    """A profile of DHAT, and its program points by their stacks."""
    content = json.loads(path.read_text())
    assert content["ftbl"][0] == "[root]"
    points = {tuple(content["ftbl"][frame] for frame in point["fs"]): point for point in content["pps"]}
    assert len(points) == len(content["pps"])  # the viewer takes no stack twice
    assert all(len(set(content["ftbl"])) == len(content["ftbl"]) for _ in points)
    return content, points


@given(events=event_arrays())
@settings(max_examples=60, deadline=None)
def test_a_profile_of_dhat_has_the_figures_of_a_model(tmp_path_factory: pytest.TempPathFactory, events: Events) -> None:
    path = tmp_path_factory.mktemp("dhat") / "a.dhat"
    trace = tagged(events)
    trace.information.sites = {**SITES, 4: Site("main (app.c:9)")}  # the stack of tag 1 once more
    trace.save(path)
    model = Model(trace, lambda event: stack_of(trace, event))
    content, points = dhat_of(path)
    assert points.keys() == model.totals.keys()
    is_timed = bool(events.size) and events["time"][-1] > 0
    for stack, point in points.items():
        assert [point["tb"], point["tbk"]] == model.totals[stack]
        assert [point["mb"], point["mbk"]] == model.most[stack]
        assert [point["gb"], point["gbk"]] == model.peak.get(stack, [0, 0])
        assert [point["eb"], point["ebk"]] == model.now[stack]
        if is_timed:
            assert point["tl"] == model.lives[stack]
    if is_timed:
        assert (content["te"], content["tg"], content["tu"]) == (events["time"][-1], model.peak_time, "ns")
    else:
        assert (content["te"], content["tu"]) == (events.size, "events")
    assert sum(point["gb"] for point in points.values()) == trace.peak_requested_bytes == model.peak_bytes


@given(events=event_arrays())
@settings(max_examples=60, deadline=None)
def test_a_profile_of_pprof_has_the_figures_of_a_model(tmp_path_factory: pytest.TempPathFactory, events: Events) -> None:
    path = tmp_path_factory.mktemp("pprof") / "a.pb.gz"
    trace = tagged(events)
    trace.save(path)
    model = Model(trace, lambda event: (stack_of(trace, event), int(event["thread"]), upper_end(int(event["size"]))))
    profile = profile_message().FromString(gzip.decompress(path.read_bytes()))
    text = list(profile.string_table)
    assert text[0] == ""
    assert [(text[kind.type], text[kind.unit]) for kind in profile.sample_type] == [
        *(("alloc_objects", "count"), ("alloc_space", "bytes"), ("peak_objects", "count"), ("peak_space", "bytes")),
        *(("inuse_objects", "count"), ("inuse_space", "bytes")),
    ]
    functions = {function.id: function for function in profile.function}
    frames = {}
    for location in profile.location:
        (line,) = location.line
        name, file = text[functions[line.function_id].name], text[functions[line.function_id].filename]
        frames[location.id] = f"{name} ({file}:{line.line})" if file else name
    found = {}
    for sample in profile.sample:
        labels = {text[label.key]: label for label in sample.label}
        place = (
            tuple(frames[location] for location in sample.location_id),
            int(text[labels["thread"].str].removeprefix("thread ")),
            labels["bytes"].num,
        )
        assert place not in found
        found[place] = list(sample.value)
    expected = {}
    for place, (total_bytes, total_blocks) in model.totals.items():
        (peak_bytes, peak_blocks), (end_bytes, end_blocks) = model.peak.get(place, [0, 0]), model.now[place]
        written = tuple(frame.encode(errors="replace").decode() for frame in place[0])
        expected[written, *place[1:]] = [total_blocks, total_bytes, peak_blocks, peak_bytes, end_blocks, end_bytes]
    assert found == expected
    assert text[profile.default_sample_type] == "peak_space"
    assert [text[comment] for comment in profile.comment] == ["./app 'a b'"]


def test_ranges_of_sizes_end_at_powers_of_two() -> None:
    sizes = [0, 1, 15, 16, 17, 32, 33, (1 << 53) + 1, (1 << 61) + 1, 1 << 62]
    assert size_range(np.array(sizes, np.uint64)).tolist() == [16, 16, 16, 16, 32, 32, 64, 1 << 54, 1 << 62, 1 << 62]


def shown_by_dhat(profile: Path, folder: Path) -> str:
    """What valgrind's viewer shows of a profile: its page, in a browser, as if the file had been chosen there."""
    viewer = Path("/usr/libexec/valgrind/dh_view.js")
    content = profile.read_text().replace("</", "<\\/")
    script = """addEventListener("load", () => {
      onLoad();
      try {
        tryFunc(() => { gData = JSON.parse(document.getElementById("data").textContent); buildTree(); displayTree(0, 0, 0); });
      } finally { document.title = gMainDiv.innerText; }
    });"""
    page = folder / "page.html"
    page.write_text(
        f'<meta charset="UTF-8"><body><script src="{viewer.as_uri()}"></script><script>{script}</script>'
        f'<script id="data" type="application/json">{content}</script>'
    )
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'browser'}", "--dump-dom"]
    ended = subprocess.run(["chromium", *options, page.as_uri()], capture_output=True, text=True, check=True)
    title = re.search(r"<title>(.*?)</title>", ended.stdout, re.DOTALL)
    assert title
    return html.unescape(title[1])


def test_the_viewer_of_dhat_shows_a_profile(tmp_path: Path) -> None:
    Trace.load(KEPT / "sample.heaptrack.zst").save(tmp_path / "a.dhat.json")
    shown = shown_by_dhat(tmp_path / "a.dhat.json", tmp_path)
    for words in (
        "Command: ./sample",
        "Total:     79,417 bytes (100%",
        "At t-gmax: 78,682 bytes (100%) in 6 blocks (100%)",
        "make (./sample.c:8)",
        "main (./sample.c:21)",
    ):
        assert words in shown
    # The same way, one that it should not show.
    (tmp_path / "b.dhat.json").write_text((tmp_path / "a.dhat.json").read_text().replace('"dhatFileVersion":2', '"dhatFileVersion":1'))
    assert "data file has version number 1, expected version number 2" in shown_by_dhat(tmp_path / "b.dhat.json", tmp_path)


def test_a_profile_has_the_figures_that_dhat_itself_gives(tmp_path: Path) -> None:
    trace = Trace.load(KEPT / "alone.mtrace")
    trace.save(tmp_path / "a.dhat.json")
    ours, points = dhat_of(tmp_path / "a.dhat.json")
    theirs, their_points = dhat_of(KEPT / "alone.dhat.json")
    names = ("tb", "tbk", "gb", "gbk", "eb", "ebk")
    # `make` is one place to mtrace, and two to DHAT, which sees who called it.
    rows = sorted([point[name] for name in names] for point in points.values())
    their_rows = sorted([point[name] for name in names] for stack, point in their_points.items() if "make" not in stack[1])
    made = [point for stack, point in their_points.items() if "make" in stack[1]]
    assert rows == sorted([*their_rows, [sum(point[name] for point in made) for name in names]])
    assert set(ours) == set(theirs)
    assert set(ours["pps"][0]) == set(theirs["pps"][0]) - {"rb", "wb", "acc"}  # nobody watched reads and writes
    for name in ("dhatFileVersion", "mode", "verb", "bklt"):
        assert ours[name] == theirs[name]
    assert ours["bkacc"] is False
