"""What is recorded of a program: every call of its allocator, in order, by all of its threads."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from compiling import compiled, library
from making_traces import ALLOCATE, FREE, REALLOCATE, ZEROED
from slabheap import Recorded, Trace, _core, record
from slabheap.recording import _RECORDER


def recorded(folder: Path, source: str, *arguments: str, compiler: str = "gcc") -> tuple[Recorded, Trace]:
    """What recording a program leaves, and its trace."""
    done = record([str(compiled(folder, source, compiler=compiler)), *arguments], folder / "a.trace")
    assert done.main is not None
    trace = Trace.load(done.main.path)
    assert (done.main.path, done.main.events, done.main.lost) == (folder / "a.trace", len(trace), trace.information.lost)
    return done, trace


def calls(trace: Trace) -> list[tuple[int, int, int, int]]:
    """The operation, block, size and alignment of each event."""
    return [(int(e["operation"]), int(e["block"]), int(e["size"]), int(e["align"])) for e in trace.events]


def test_every_function_of_the_allocator_is_recorded(tmp_path: Path) -> None:
    source = """
    int main(void) {
      void *p[12] = {malloc(1001), calloc(7, 143), realloc(NULL, 1003), NULL, aligned_alloc(128, 1152), memalign(256, 1006), valloc(1007),
                     pvalloc(1008), reallocarray(NULL, 3, 337), malloc(0)};
      posix_memalign(&p[3], 64, 1004);
      p[0] = realloc(p[0], 5001);
      p[8] = reallocarray(p[8], 5, 1001);
      for (int i = 0; i < 10; ++i) free(p[i]);
      _exit(0);
    }"""
    done, trace = recorded(tmp_path, source)
    assert done.status == 0
    allocated = [
        *((ALLOCATE, 0, 1001, 16), (ZEROED, 1, 1001, 16), (ALLOCATE, 2, 1003, 16), (ALLOCATE, 3, 1152, 128), (ALLOCATE, 4, 1006, 256)),
        *((ALLOCATE, 5, 1007, 4096), (ALLOCATE, 6, 4096, 4096), (ALLOCATE, 7, 1011, 16), (ALLOCATE, 8, 0, 16), (ALLOCATE, 9, 1004, 64)),
    ]
    changed = [(REALLOCATE, 0, 5001, 1), (REALLOCATE, 7, 5005, 1)]
    freed = [(FREE, block, 0, 1) for block in (0, 1, 2, 9, 3, 4, 5, 6, 7, 8)]
    assert calls(trace) == [*allocated, *changed, *freed]
    assert (trace.information.lost, trace.information.foreign, trace.information.implied_frees) == (0, 0, 0)
    assert trace.information.source == "recorder"


def test_nothing_but_the_programs_own_calls_is_recorded(tmp_path: Path) -> None:
    _, trace = recorded(tmp_path, "int main(void) { for (int i = 0; i < 100000; ++i) free(malloc(i % 100)); }")
    assert len(trace) == 200_000
    assert trace.block_count == 100_000
    assert (trace.events["operation"] == np.tile([ALLOCATE, FREE], 100_000)).all()


def test_calls_that_fail_or_do_nothing_leave_no_event(tmp_path: Path) -> None:
    source = """
    int main(void) {
      void *kept = malloc(2001), *none = NULL;
      free(NULL);
      if (malloc(SIZE_MAX / 2) || errno != ENOMEM) return 1;
      if (calloc(SIZE_MAX / 4, 8)) return 2;
      if (realloc(kept, SIZE_MAX / 2)) return 3;
      if (reallocarray(kept, SIZE_MAX / 4, 8)) return 4;
      if (posix_memalign(&none, 3, 2002) != EINVAL || none) return 5;
      if (aligned_alloc(64, SIZE_MAX / 2)) return 6;
      errno = 0;
      if (pvalloc(SIZE_MAX - 5) || errno != ENOMEM) return 7;
      if (valloc(SIZE_MAX - 5)) return 8;
      errno = 77;
      free(malloc(2003));
      if (errno != 77) return 9;
      if (realloc(malloc(2004), 0)) return 10;
      free(kept);
      return 0;
    }"""
    done, trace = recorded(tmp_path, source)
    assert done.status == 0
    expected = [(ALLOCATE, 0, 2001), (ALLOCATE, 1, 2003), (FREE, 1, 0), (ALLOCATE, 2, 2004), (FREE, 2, 0), (FREE, 0, 0)]
    assert [call[:3] for call in calls(trace)] == expected
    assert trace.information.foreign == 0


def test_alignments_are_those_that_the_program_gets(tmp_path: Path) -> None:
    source = """
    int main(void) {
      void *blocks[] = {memalign(0, 1), memalign(1, 1), memalign(24, 1), memalign(1 << 20, 1), memalign(64, 1)};
      return 0;
    }"""
    _, trace = recorded(tmp_path, source)
    assert trace.events["align"].tolist() == [1, 1, 32, 1 << 20, 64]


def test_new_and_delete_are_recorded(tmp_path: Path) -> None:
    source = """
    #include <new>
    #include <string>
    struct alignas(128) Wide { char bytes[256]; };
    int main() {
      auto* one = new char;
      auto* many = new int[1000];
      auto* wide = new Wide;
      auto* quiet = new (std::nothrow) char[3001];
      { std::string text(5000, 'x'); }
      delete one; delete[] many; delete wide; delete[] quiet;
    }"""
    _, trace = recorded(tmp_path, source, compiler="g++")
    seen = [call for call in calls(trace) if call[2] in (1, 4000, 256, 3001, 5001)]
    assert [(size, align) for _, _, size, align in seen] == [(1, 16), (4000, 16), (256, 128), (3001, 16), (5001, 16)]
    blocks = [block for _, block, _, _ in seen]
    freed = [block for operation, block, _, _ in calls(trace) if operation == FREE]
    assert freed == [blocks[4], *blocks[:4]]


def test_allocations_before_main_and_after_it_are_recorded(tmp_path: Path) -> None:
    source = """
    static void *early;
    __attribute__((constructor)) static void begin(void) { early = malloc(4001); }
    __attribute__((destructor)) static void finish(void) { free(early); free(malloc(4003)); }
    int main(void) { free(malloc(4002)); }"""
    _, trace = recorded(tmp_path, source)
    assert [call[:3] for call in calls(trace)] == [
        *((ALLOCATE, 0, 4001), (ALLOCATE, 1, 4002), (FREE, 1, 0), (FREE, 0, 0), (ALLOCATE, 2, 4003), (FREE, 2, 0)),
    ]


THREADS = """
enum { threads = 8, rounds = 2000 };
static void *passed[threads][rounds];
static void *fill(void *number) {
  for (int i = 0; i < rounds; ++i) passed[(intptr_t)number][i] = malloc(10000 + (intptr_t)number);
  return NULL;
}
static void *empty(void *number) {
  for (int i = 0; i < rounds; ++i) free(passed[((intptr_t)number + 1) % threads][i]);
  return NULL;
}
static void run(void *(*work)(void *)) {
  pthread_t ids[threads];
  for (intptr_t i = 0; i < threads; ++i) pthread_create(&ids[i], NULL, work, (void *)i);
  for (int i = 0; i < threads; ++i) pthread_join(ids[i], NULL);
}
int main(void) { run(fill); run(empty); return 0; }
"""


def test_every_call_of_every_thread_is_recorded_in_an_order_that_makes_sense(tmp_path: Path) -> None:
    _, trace = recorded(tmp_path, THREADS)
    assert (trace.information.lost, trace.information.foreign, trace.information.implied_frees) == (0, 0, 0)
    sizes = trace.events["size"]
    threads_of_sizes = set()
    for number in range(8):
        own = trace.events[sizes == 10000 + number]
        assert own.size == 2000
        assert np.unique(own["thread"]).size == 1
        threads_of_sizes.add(int(own["thread"][0]))
    assert len(threads_of_sizes) == 8
    assert trace.thread_count >= 17
    assert trace.program.requested_bytes < 10_000  # what the threads allocated is freed again, by others
    assert (np.diff(trace.events["time"].astype(np.int64)) >= 0).all()


def test_threads_that_race_for_an_address_do_not_confuse_it(tmp_path: Path) -> None:
    source = """
    static void *work(void *unused) {
      void *block = malloc(100);
      for (int i = 0; i < 20000; ++i) {
        if (i % 3 == 0) block = realloc(block, 100 + i % 1000);
        else { free(block); block = malloc(100 + i % 7); }
      }
      free(block);
      return NULL;
    }
    int main(void) {
      pthread_t ids[4];
      for (int i = 0; i < 4; ++i) pthread_create(&ids[i], NULL, work, NULL);
      for (int i = 0; i < 4; ++i) pthread_join(ids[i], NULL);
    }"""
    _, trace = recorded(tmp_path, source)
    assert (trace.information.lost, trace.information.foreign, trace.information.implied_frees) == (0, 0, 0)
    assert (trace.events["operation"] == REALLOCATE).sum() == 4 * 6667
    assert np.array_equal(Trace.from_events(trace.events).events, trace.events)
    assert trace.program.slots < 50


def test_threads_that_come_and_go_are_all_recorded(tmp_path: Path) -> None:
    source = """
    static void *work(void *number) { free(malloc(20000 + (intptr_t)number)); return NULL; }
    int main(void) {
      for (intptr_t i = 0; i < 300; ++i) {
        pthread_t id;
        pthread_create(&id, NULL, work, (void *)i);
        pthread_join(id, NULL);
      }
    }"""
    _, trace = recorded(tmp_path, source)
    sizes = trace.events["size"]
    assert sizes[sizes >= 20000].tolist() == [20000 + number for number in range(300)]
    assert trace.information.lost == 0


def test_times_are_those_of_the_clock(tmp_path: Path) -> None:
    source = "int main(void) { free(malloc(1)); usleep(100000); free(malloc(2)); }"
    _, trace = recorded(tmp_path, source)
    gap = int(trace.events["time"][2] - trace.events["time"][1])
    assert gap >= 99_000_000
    assert int(trace.events["time"][0]) < gap


def test_the_command_is_known_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = compiled(tmp_path, 'int main(int n, char **a) { free(malloc(1)); return strcmp(a[0], "program"); }')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    done = record(["program", "an argument", "", "ü"], tmp_path / "a.trace")
    assert done.main is not None
    assert done.main.command == ["program", "an argument", "", "ü"]
    assert Trace.load(done.main.path).information.command == done.main.command
    assert Trace.load(done.main.path).information.process == done.main.process > 0
    assert done.status == 0
    assert program.exists()


def test_a_library_that_is_preloaded_anyway_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = library(tmp_path, 'int answer(void) { return 42; } __attribute__((constructor)) void f(void) { setenv("SEEN", "1", 1); }')
    monkeypatch.setenv("LD_PRELOAD", str(other))
    done, trace = recorded(tmp_path, 'int main(void) { free(malloc(777)); return getenv("SEEN") ? 5 : 6; }')
    assert done.status == 5
    assert 777 in trace.events["size"]


@pytest.mark.parametrize("name", ["a b", "a:b", "$LIB"])
def test_the_package_may_lie_where_preloading_does_not_take_its_path(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.setattr("slabheap.recording._RECORDER", Path(shutil.copy(_RECORDER, tmp_path / name)))
    _, trace = recorded(tmp_path, "int main(void) { free(malloc(777)); return 0; }")
    assert 777 in trace.events["size"]


def test_progress_is_told_while_recording_and_merging(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    source = "int main(void) { for (int i = 0; i < 100000; ++i) free(malloc(i)); usleep(500000); }"
    done = record([str(compiled(tmp_path, source))], tmp_path / "a.trace", progress=lambda *step: told.append(step))
    assert done.main is not None
    during = [step for step in told if step[0] == "recording"]
    assert during
    assert all(total == 0 for _, _, total in during)
    merging = [step[1:] for step in told if step[0] == "merging"]
    assert merging[-1] == (200_000, 200_000)
    assert merging == sorted(merging)


def test_a_program_is_recorded_from_any_thread(tmp_path: Path) -> None:
    program = compiled(tmp_path, "int main(void) { free(malloc(1)); return 3; }")
    done: list[Recorded] = []
    thread = threading.Thread(target=lambda: done.append(record([str(program)], tmp_path / "a.trace")))
    thread.start()
    thread.join()
    assert [one.status for one in done] == [3]


@pytest.mark.parametrize(("content", "words"), [(b"", "shorter than its header"), (bytes(1 << 16), "it does not begin as one")])
def test_what_is_no_recording_is_refused(content: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "1-0.raw").write_bytes(content)
    with pytest.raises(RuntimeError, match=f"1-0.raw: not a recording: {words}"):
        _core.Recording(str(tmp_path / "1-0.raw"))
    with pytest.raises(RuntimeError, match="No such file"):
        _core.Recording(str(tmp_path / "2-0.raw"))


def test_a_path_need_not_be_utf_8(tmp_path: Path) -> None:
    folder = tmp_path / "nf\udcff"
    folder.mkdir()
    done = record([str(compiled(folder, "int main(void) { free(malloc(777)); }", name="\udcfe")), "a\udcfd"], folder / "\udcfc.trace")
    assert done.main is not None
    assert done.main.path == folder / "\udcfc.trace"
    trace = Trace.load(done.main.path)
    assert trace.information.command == done.main.command == [str(folder / "\udcfe"), "a\udcfd"]
    assert 777 in trace.events["size"]
    (folder / "1-0.raw").write_bytes(b"")
    with pytest.raises(RuntimeError, match="nf\udcff/1-0\\.raw: not a recording: shorter than its header"):
        _core.Recording(folder / "1-0.raw")
