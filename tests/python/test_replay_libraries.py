"""Replay on the system's malloc and on that of a library, in a process of its own."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiling import compiled, library
from making_traces import ALLOCATE, FREE, REALLOCATE, ZEROED, random_trace, trace_of
from slabheap import Result, Trace, compare, replay, sweep

TRACE = random_trace(11, 3000)

#: An allocator that hands out memory in multiples of 64 bytes and takes none back, of 8 MiB in all. It counts in a file what it is asked.
BUMP = """
static _Alignas(4096) char memory[8 << 20];
static size_t used;
static void *take(size_t size, size_t align) {
  size_t start = (used + 64 + align - 1) & -align;
  if (size > sizeof memory || start + size > sizeof memory) return NULL;
  used = (start + size + 63) & -64L;
  ((size_t *)(memory + start))[-1] = size;
  return memory + start;
}
void *malloc(size_t size) { return take(size, 64); }
void free(void *block) { if (block) ((char *)block)[0] = 0; }
"""

#: The rest of what an allocator may have.
REST = """
void *calloc(size_t count, size_t size) { return malloc(count * size); }
void *realloc(void *block, size_t size) {
  void *moved = malloc(size);
  size_t old = block ? ((size_t *)block)[-1] : 0;
  if (moved && block) for (size_t i = 0; i < (old < size ? old : size); ++i) ((char *)moved)[i] = ((char *)block)[i];
  return moved;
}
int posix_memalign(void **block, size_t align, size_t size) { return (*block = take(size, align < 64 ? 64 : align)) ? 0 : ENOMEM; }
size_t malloc_usable_size(void *block) { return (((size_t *)block)[-1] + 63) & -64L; }
"""


def figures(result: Result) -> tuple[Any, ...]:
    """Everything that a result says but times."""
    return (result.events, result.failures, result.peak_requested_bytes, result.peak_used_bytes, result.peak_held_bytes)


def requested_by(trace: Trace) -> list[int]:
    """The bytes requested after each event, counted in Python."""
    sizes: dict[int, int] = {}
    totals = []
    for event in trace.events:
        sizes[int(event["block"])] = int(event["size"])
        totals.append(sum(sizes.values()))
    return totals


def test_the_same_replay_on_the_system_has_the_same_figures_to_the_last_bit() -> None:
    first = replay(TRACE, "system", repeats=2)
    assert (first.allocator, first.options, first.label, len(first.all_seconds)) == ("system", {}, "system", 2)
    for _ in range(4):
        again = replay(TRACE, "system", repeats=0)
        assert figures(again) == figures(first)
        assert again.timeline.tobytes() == first.timeline.tobytes()


def test_the_systems_figures_make_sense() -> None:
    result = replay(TRACE, "system", samples=3000)
    timeline = result.timeline
    assert timeline["event"].tolist() == list(range(3000))
    assert (timeline["time"] == TRACE.events["time"]).all()
    assert timeline["requested"].tolist() == requested_by(TRACE)
    assert (timeline["used"] >= timeline["requested"]).all()
    assert (timeline["used"] <= timeline["requested"] + 40 * 1600).all()
    assert result.peak_used_bytes == timeline["used"].max()
    assert result.peak_held_bytes == timeline["held"].max() >= result.peak_requested_bytes
    assert result.peak_resident_bytes == result.peak_held_bytes
    assert result.failures == 0
    assert (result.occupancy, result.stats, result.class_stats, result.snapshots) == (None, None, [], {})


def test_memory_that_is_held_is_what_was_touched() -> None:
    trace = trace_of((ALLOCATE, 0, 8 << 20), (ALLOCATE, 1, 16 << 20), (FREE, 0), (REALLOCATE, 1, 24 << 20), (FREE, 1), (ALLOCATE, 2, 10))
    held = replay(trace, "system").timeline["held"].astype(np.int64)
    wanted = np.array([8, 24, 16, 24, 0, 0]) << 20
    assert (abs(held - wanted) < 1 << 20).all()


def test_alignments_are_asked_of_the_system() -> None:
    for align in (1, 16, 32, 4096, 1 << 20):
        trace = trace_of(*((operation, block, 100, align) for block, operation in enumerate([ALLOCATE, ZEROED] * 50)))
        result = replay(trace, "system")
        assert (result.failures, result.peak_requested_bytes) == (0, 10_000)


def test_a_request_that_the_system_has_no_memory_for_is_a_failure() -> None:
    trace = trace_of(
        (ALLOCATE, 0, 1 << 60), (ZEROED, 1, 1 << 60), (REALLOCATE, 0, 5), (ALLOCATE, 2, 50), (REALLOCATE, 2, 1 << 60), (FREE, 0)
    )
    result = replay(trace, "system")
    assert result.failures == 3
    assert result.timeline["used"].tolist()[-1] == 56


def test_a_library_is_replayed_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = library(tmp_path, BUMP + REST, "libbump.so.1")
    trace = trace_of((ALLOCATE, 0, 100), (ZEROED, 1, 10), (REALLOCATE, 0, 1000), (FREE, 1), (ALLOCATE, 2, 50, 4096), (FREE, 0))
    result = replay(trace, str(path), repeats=3)
    assert (result.allocator, result.label, len(result.all_seconds)) == (str(path), "libbump", 3)
    assert result.timeline["used"].tolist() == [128, 192, 1088, 1024, 1088, 64]
    assert (result.peak_requested_bytes, result.peak_used_bytes, result.failures) == (1050, 1088, 0)
    monkeypatch.chdir(tmp_path)
    assert figures(replay(trace, "libbump.so.1")) == figures(result)
    assert replay(TRACE, str(path)).failures == 0


@pytest.mark.parametrize("name", ["a b", "a:b", "$LIB", " "])
def test_the_path_of_a_library_may_have_what_preloading_does_not_take(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    result = replay(TRACE, str(library(tmp_path / name, BUMP + REST)))
    plain = replay(TRACE, str(library(tmp_path, BUMP + REST)))
    assert (result.allocator, figures(result)) == (str(tmp_path / name / "library.so"), figures(plain))


def test_a_library_that_no_link_can_stand_for_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    path = library(folder, BUMP + REST)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(ValueError, match=f"'{path}' cannot be preloaded: .* temporary files, '{folder}', .*; let TMPDIR name another"):
        replay(TRACE, str(path))
    assert list(folder.iterdir()) == [path]


def test_a_library_needs_malloc_and_free_alone(tmp_path: Path) -> None:
    path = library(tmp_path, BUMP)
    trace = trace_of((ALLOCATE, 0, 100), (ZEROED, 1, 10), (REALLOCATE, 0, 1000), (FREE, 1), (REALLOCATE, 0, 0), (FREE, 0))
    result = replay(trace, str(path))
    # Without malloc_usable_size, a block holds what was asked for.
    assert result.timeline["used"].tolist() == result.timeline["requested"].tolist() == [100, 110, 1010, 1000, 0, 0]
    assert result.failures == 0
    assert replay(TRACE, str(path)).failures == 0
    aligned = trace_of((ALLOCATE, 0, 100, 64), (ZEROED, 1, 100, 16), (FREE, 0), (FREE, 1))
    assert replay(aligned, str(path)).failures == 1  # there is no function for it


def test_a_library_may_align_by_aligned_alloc(tmp_path: Path) -> None:
    source = BUMP + "void *aligned_alloc(size_t align, size_t size) { return size % align ? NULL : take(size, align); }"
    trace = trace_of((ALLOCATE, 0, 100, 64), (ZEROED, 1, 5000, 4096), (FREE, 0), (FREE, 1))
    assert replay(trace, str(library(tmp_path, source))).failures == 0


def test_what_a_library_has_no_memory_for_is_a_failure(tmp_path: Path) -> None:
    path = library(tmp_path, BUMP + REST)
    trace = trace_of((ALLOCATE, 0, 5 << 20), (ALLOCATE, 1, 5 << 20), (ZEROED, 2, 5 << 20), (REALLOCATE, 0, 6 << 20), (FREE, 0), (FREE, 1))
    result = replay(trace, str(path))
    assert result.failures == 3
    assert result.timeline["used"].tolist() == [5 << 20] * 4 + [0, 0]


BAD_LIBRARIES = {
    "no malloc": ("int answer(void) { return 42; }", "the library has no malloc and free"),
    "malloc alone": ("void *malloc(size_t size) { return NULL; }", "the library has no malloc and free"),
    "free alone": ("void free(void *block) {}", "the library has no malloc and free"),
    "crash": (BUMP.replace("return take(size, 64)", "abort()"), "it ended with status -6"),
    "last words": (
        BUMP.replace("return take(size, 64)", 'write(2, "out of luck\\n", 12); _exit(9)'),
        "it ended with status 9; it said: out of luck",
    ),
    "early end": (BUMP + "__attribute__((constructor)) void end(void) { _exit(0); }", "it ended with status 0"),
}


@pytest.mark.parametrize(("source", "words"), list(BAD_LIBRARIES.values()), ids=list(BAD_LIBRARIES))
def test_a_library_that_will_not_do_is_a_runtime_error(source: str, words: str, tmp_path: Path) -> None:
    path = library(tmp_path, source)
    with pytest.raises(RuntimeError, match=f"the replay on {path} failed: {words}"):
        replay(TRACE, str(path))


def test_what_is_no_library_is_a_runtime_error(tmp_path: Path) -> None:
    text = tmp_path / "library.so"
    text.write_text("not a library")
    program = compiled(tmp_path, "int main(void) { return 0; }")
    for path in (text, program):
        with pytest.raises(RuntimeError, match=f"{path} could not be preloaded: .*ld.so"):
            replay(TRACE, str(path))


@pytest.mark.parametrize("name", ["sistem", "compact", "/none/libmalloc.so", "", "/tmp"])
def test_an_allocator_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"there is no allocator '{name}': not slabheap or system, nor a library's path"):
        replay(TRACE, name)


def test_options_of_a_heap_mean_nothing_to_others() -> None:
    with pytest.raises(ValueError, match="the allocator 'system' has no options, so not preset, bytes"):
        replay(TRACE, "system", preset="compact", bytes=5)
    with pytest.raises(ValueError, match="the allocator 'system' has no options, so not snapshot_events"):
        replay(TRACE, "system", snapshot_events=[0])
    with pytest.raises(ValueError, match="the allocator 'system' has no options, so not snapshot_events"):
        replay(TRACE, "system", snapshot_events=np.array([1, 2]))  # type: ignore[arg-type]


#: The allocator above, which has memory only if the process may have huge pages.
ASKING = BUMP.replace("take(size, 64)", "prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0 ? take(size, 64) : NULL")


def test_others_have_no_huge_pages_unless_they_are_left_to_them(tmp_path: Path) -> None:
    path = str(library(tmp_path, "#include <sys/prctl.h>" + ASKING))
    trace = trace_of((ALLOCATE, 0, 100), (FREE, 0))
    assert replay(trace, path, repeats=0).failures == 1
    assert replay(trace, path, repeats=0, huge_pages="unwanted").failures == 1
    assert replay(trace, path, repeats=0, huge_pages="system").failures == 0
    with pytest.raises(ValueError, match=ONLY_SLABHEAP):
        replay(TRACE, "system", huge_pages="wanted")


#: What is said of huge pages that another allocator would have to be told to want.
ONLY_SLABHEAP = "for the allocator 'system', huge_pages must be one of 'system', 'unwanted', not 'wanted'"


@pytest.mark.parametrize(("options", "failures"), [({}, 1), ({"huge_pages": "unwanted"}, 1), ({"huge_pages": "system"}, 0)])
def test_huge_pages_are_one_choice_for_all_that_are_compared(options: dict[str, Any], failures: int, tmp_path: Path) -> None:
    path = str(library(tmp_path, "#include <sys/prctl.h>" + ASKING))
    trace = trace_of((ALLOCATE, 0, 100), (FREE, 0))
    ours, theirs = compare(trace, ["classic", path], repeats=0, **options)
    assert (ours.options, theirs.options) == ({**options, "preset": "classic"}, options)
    assert theirs.failures == failures
    assert [result.label for result in (ours, theirs)] == [
        " ".join([name, *(f"huge_pages={choice}" for choice in options.values())]) for name in ("classic", "library")
    ]
    frame = sweep(trace, {"allocator": ["classic", path], **{name: [choice] for name, choice in options.items()}}, repeats=0, jobs=1)
    assert frame["failures"].tolist() == [0, failures]
    assert frame["huge_pages"].dropna().tolist() == 2 * list(options.values())


def test_huge_pages_that_slabheap_alone_can_be_told_to_want_are_refused_beside_others_before_anything_is_replayed() -> None:
    told: list[int] = []
    with pytest.raises(ValueError, match=ONLY_SLABHEAP):
        compare(TRACE, ["classic", "system"], huge_pages="wanted", progress=lambda done, _total: told.append(done))
    with pytest.raises(ValueError, match=ONLY_SLABHEAP):
        sweep(TRACE, {"allocator": ["classic", "system"], "huge_pages": ["wanted"]}, progress=lambda done, _total: told.append(done))
    assert told == []
    assert [result.label for result in compare(TRACE, ["classic"], huge_pages="wanted", repeats=0)] == ["classic huge_pages=wanted"]


def test_a_library_that_is_preloaded_into_this_process_is_not_the_systems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = figures(replay(TRACE, "system"))
    monkeypatch.setenv("LD_PRELOAD", str(library(tmp_path, BUMP + REST)))
    assert "LD_PRELOAD" in os.environ
    assert figures(replay(TRACE, "system")) == expected
