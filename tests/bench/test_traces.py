"""Replaying traces on every allocator."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import slabheap
from slabheap_bench import steps, traces


def test_every_allocator_replays_every_trace(tmp_path: Path) -> None:
    file = tmp_path / "steady.trace"
    slabheap.workloads.steady_state(2000, slabheap.workloads.log_uniform(1, 4096), 200_000).save(file)
    chosen = ["classic", "compact", "system"]
    replays = 0

    def count() -> None:
        nonlocal replays
        replays += 1

    rows = traces.replay_all([file], chosen, rounds=2, samples=50, progress=count)
    assert [(row["trace"], row["peer"], len(row["seconds"]), len(row["warm_seconds"]), row["failures"]) for row in rows] == [
        ("steady", "slabheap-classic", 2, 2, 0),
        ("steady", "slabheap-compact", 2, 2, 0),
        ("steady", "system", 2, 2, 0),
    ]
    assert replays == 3 * (2 + 1)
    for row in rows:
        assert len(row["huge_seconds"]) == len(row["huge_warm_seconds"]) == 2
        assert row["huge_operations_per_second"] > 0
        assert row["operations_per_second"] > 0
        assert row["warm_operations_per_second"] > 0
        assert row["peak_held_bytes"] > row["peak_requested_bytes"] >= 200_000
        assert row["peak_resident_bytes"] >= row["peak_held_bytes"]
        assert row["huge_peak_resident_bytes"] > 0


class Asked:
    """What replays are asked for, beside the variables that an allocator's settings are in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, Any, Any, dict[str, str]]] = []
        replay = slabheap.replay

        def asked(program: Any, allocator: str = "slabheap", **options: Any) -> slabheap.Result:
            settings = {name: os.environ[name] for name in SETTINGS if name in os.environ}
            self.calls.append((Path(allocator).name.split(".")[0], options.get("preset"), options["huge_pages"], settings))
            return replay(program, "slabheap" if allocator == "slabheap" else "system", **options)

        monkeypatch.setattr(slabheap, "replay", asked)


SETTINGS = ("GLIBC_TUNABLES", "MALLOC_CONF", "MIMALLOC_LARGE_OS_PAGES")


def test_everyone_is_replayed_without_huge_pages_and_who_can_ask_for_them_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "steady.trace"
    slabheap.workloads.steady_state(200, slabheap.workloads.log_uniform(1, 4096), 20_000).save(file)
    monkeypatch.setenv("MALLOC_CONF", "narenas:1")
    for name in SETTINGS[::2]:
        monkeypatch.delenv(name, raising=False)
    asked = Asked(monkeypatch)
    monkeypatch.setattr(traces, "version_of", lambda _: "")
    chosen = ["classic", "system", "/lib/libmimalloc.so.2", "/lib/libjemalloc.so.2", "/lib/libtcmalloc_minimal.so.4"]
    traces.replay_all([file], chosen, rounds=1, samples=5, progress=lambda: None)
    mine = {"MALLOC_CONF": "narenas:1"}
    assert {(name, choice, *settings.items()) for name, _, choice, settings in asked.calls} == {
        ("slabheap", "unwanted", *mine.items()),
        ("slabheap", "wanted", *mine.items()),
        ("system", "unwanted", *mine.items()),
        ("system", "system", ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"), *mine.items()),
        ("libmimalloc", "unwanted", *mine.items()),
        ("libmimalloc", "system", *mine.items(), ("MIMALLOC_LARGE_OS_PAGES", "1")),
        ("libjemalloc", "unwanted", *mine.items()),
        ("libjemalloc", "system", ("MALLOC_CONF", "thp:always")),
        ("libtcmalloc_minimal", "unwanted", *mine.items()),
    }
    assert os.environ["MALLOC_CONF"] == "narenas:1"
    assert "GLIBC_TUNABLES" not in os.environ


def test_the_kernels_mode_of_huge_pages_is_one_of_its_words() -> None:
    assert steps.huge_page_mode() in ("always", "madvise", "never", "")


def test_the_system_and_both_presets_are_always_there_and_tell_their_versions() -> None:
    found = traces.allocators()
    assert found[:3] == ["classic", "compact", "system"]
    for allocator in found:
        assert any(character.isdigit() for character in traces.version_of(allocator)), allocator


def test_mimalloc_tells_its_version_in_three_digits_or_in_five() -> None:
    told = {182: "1.8.2", 209: "2.0.9", 214: "2.1.4", 315: "3.1.5", 20300: "2.3.0", 30302: "3.3.2", 30412: "3.4.12"}
    assert {number: traces.mimalloc_version(number) for number in told} == told


def test_a_library_tells_its_version_by_a_call_a_text_or_its_name(tmp_path: Path) -> None:
    source, mimalloc = tmp_path / "version.c", tmp_path / "libmimalloc.so.3"
    source.write_text("int mi_version(void) { return 30302; }")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", mimalloc, source], check=True)
    texts = {
        "libjemalloc.so.2": b"\0config.debug\0005.3.1-0-g81034ce1f1373e37dc865038e1bc8eeecf559ce8\0",
        "libtcmalloc_minimal.so.4.5.10": b"\0gperftools 2.10\0",
        "libother.so.7.1": b"",
    }
    for name, content in texts.items():
        (tmp_path / name).write_bytes(content)
    versions = [traces.version_of(str(tmp_path / name)) for name in (mimalloc.name, *texts)]
    assert versions == ["3.3.2", "5.3.1", "2.10", "7.1"]
