"""Programs that fork, replace themselves, are killed, or make it hard to record them: each keeps its trace, and its ways."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from compiling import compiled, library
from making_traces import FREE
from slabheap import Recorded, RecordedProcess, Trace, compare, record, replay


def record_in(folder: Path, *command: str | Path, follow: bool = True) -> Recorded:
    """What recording a command leaves."""
    return record([str(part) for part in command], folder / "a.trace", follow=follow)


def sizes_of(process: RecordedProcess | None) -> list[int]:
    """The sizes that a process asked for, those above 1000, in order."""
    assert process is not None
    sizes = Trace.load(process.path).request_sizes
    return [int(size) for size in sizes if size > 1000]


FORK = """
int main(void) {
  void *shared = malloc(1001);
  if (fork() == 0) {
    free(shared);
    for (int i = 0; i < 5000; ++i) free(malloc(2001));
    malloc(3001);
    exit(7);
  }
  malloc(4001);
  int status;
  wait(&status);
  free(shared);
  return WEXITSTATUS(status);
}
"""


def test_a_forked_process_has_a_trace_of_its_own(tmp_path: Path) -> None:
    done = record_in(tmp_path, compiled(tmp_path, FORK))
    assert done.status == 7
    assert sizes_of(done.main) == [1001, 4001]
    assert [sizes_of(child) for child in done.others] == [[2001] * 5000 + [3001]]
    child = done.others[0]
    information = Trace.load(child.path).information
    assert (information.foreign, information.lost) == (1, 0)  # the block of the parent
    assert child.path.name == f"a.{child.process}-0.trace"
    assert done.main is not None
    assert child.process != done.main.process
    assert {path.name for path in tmp_path.iterdir()} == {"program", "a.trace", child.path.name}


def test_only_the_program_itself_is_kept_if_others_are_not_followed(tmp_path: Path) -> None:
    done = record_in(tmp_path, compiled(tmp_path, FORK), follow=False)
    assert sizes_of(done.main) == [1001, 4001]
    assert done.others == []
    assert {path.name for path in tmp_path.iterdir()} == {"program", "a.trace"}


def test_a_process_that_was_forked_by_a_thread_is_recorded(tmp_path: Path) -> None:
    source = """
    static void *work(void *unused) {
      if (fork() == 0) { malloc(5001); _exit(0); }
      wait(NULL);
      return malloc(6001);
    }
    int main(void) {
      pthread_t id;
      pthread_create(&id, NULL, work, NULL);
      pthread_join(id, NULL);
    }"""
    done = record_in(tmp_path, compiled(tmp_path, source))
    assert sizes_of(done.main) == [6001]
    assert [sizes_of(child) for child in done.others] == [[5001]]


def test_a_program_that_replaces_itself_leaves_a_trace_of_each_image(tmp_path: Path) -> None:
    source = """
    int main(int count, char **arguments) {
      malloc(1000 + count);
      if (count < 4) execl(arguments[0], arguments[0], "x", count > 1 ? "x" : NULL, count > 2 ? "x" : NULL, NULL);
      return count;
    }"""
    done = record_in(tmp_path, compiled(tmp_path, source))
    assert done.status == 4
    assert sizes_of(done.main) == [1004]
    assert [sizes_of(image) for image in done.others] == [[1001], [1002], [1003]]
    assert done.main is not None
    assert {image.process for image in done.others} == {done.main.process}
    assert [len(image.command) for image in (*done.others, done.main)] == [1, 2, 3, 4]


def test_programs_that_a_program_starts_are_recorded(tmp_path: Path) -> None:
    child = compiled(tmp_path, "int main(void) { free(malloc(7001)); return 9; }", name="child")
    source = f"""
    extern char **environ;
    int main(void) {{
      pid_t process;
      char *arguments[] = {{"{child}", NULL}};
      malloc(1001);
      if (posix_spawn(&process, "{child}", NULL, NULL, arguments, environ)) return 1;
      int status;
      waitpid(process, &status, 0);
      if (WEXITSTATUS(status) != 9) return 2;
      if (WEXITSTATUS(system("{child}")) != 9) return 3;
      char *nothing[] = {{NULL}};
      if (fork() == 0) execve("{child}", arguments, nothing);
      wait(&status);
      return WEXITSTATUS(status) == 9 ? 0 : 4;
    }}"""
    done = record_in(tmp_path, compiled(tmp_path, source))
    assert done.status == 0
    assert sizes_of(done.main) == [1001]
    # With an environment of nothing, the third one cannot be recorded.
    assert [process.path.exists() for process in done.others if process.command == [str(child)]] == [True, True]
    assert [sizes_of(process) for process in done.others if process.command == [str(child)]] == [[7001], [7001]]


ENDS: dict[str, tuple[str, int]] = {
    "kill": ("kill(getpid(), SIGKILL);", -signal.SIGKILL),
    "abort": ("abort();", -signal.SIGABRT),
    "crash": ("*(volatile int *)8 = 1;", -signal.SIGSEGV),
    "_exit": ("_exit(5);", 5),
    "quick_exit": ("quick_exit(6);", 6),
    "thread": ("pthread_exit(NULL);", 0),
}


@pytest.mark.parametrize(("end", "status"), list(ENDS.values()), ids=list(ENDS))
def test_what_was_recorded_stays_however_a_program_ends(end: str, status: int, tmp_path: Path) -> None:
    source = f"""
    int main(void) {{
      struct rlimit none = {{0, 0}};
      setrlimit(RLIMIT_CORE, &none);
      for (int i = 0; i < 10000; ++i) malloc(1001 + i % 10);
      {end}
    }}"""
    done = record_in(tmp_path, compiled(tmp_path, source))
    assert done.status == status
    assert sizes_of(done.main)[:10_000] == [1001 + i % 10 for i in range(10_000)]


@pytest.mark.parametrize("status", [0, 1, 42, 255])
def test_the_exit_status_is_handed_on(status: int, tmp_path: Path) -> None:
    assert record_in(tmp_path, "/bin/sh", "-c", f"exit {status}").status == status


def test_a_program_that_closes_all_files_and_opens_its_own_is_recorded_and_finds_them_untouched(tmp_path: Path) -> None:
    source = """
    int main(int count, char **arguments) {
      malloc(1001);
      for (int file = 0; file < 1024; ++file) close(file);
      int own = open(arguments[1], O_CREAT | O_RDWR, 0600);
      if (own != 0) return 1;
      for (int i = 0; i < 20000; ++i) free(malloc(2001));
      if (write(own, "mine", 4) != 4 || open("/dev/null", O_RDONLY) != 1) return 2;
      chdir("/");
      for (int i = 0; i < 20000; ++i) free(malloc(3001));
      return 0;
    }"""
    done = record_in(tmp_path, compiled(tmp_path, source), tmp_path / "own")
    assert done.status == 0
    assert (tmp_path / "own").read_bytes() == b"mine"
    assert sizes_of(done.main) == [1001] + [2001] * 20_000 + [3001] * 20_000


LIMITS = {
    "files": "RLIMIT_NOFILE, &(struct rlimit){0, 0}",
    "bytes of a file": "RLIMIT_FSIZE, &(struct rlimit){200000, 200000}",
}


@pytest.mark.parametrize("limit", list(LIMITS.values()), ids=list(LIMITS))
def test_calls_that_a_limit_keeps_from_being_recorded_are_lost_and_counted(limit: str, tmp_path: Path) -> None:
    source = f"""
    int main(void) {{
      malloc(1001);
      setrlimit({limit});
      for (int i = 0; i < 50000; ++i) free(malloc(2001));
      return 3;
    }}"""
    done = record_in(tmp_path, compiled(tmp_path, source))
    assert done.status == 3
    assert done.main is not None
    trace = Trace.load(done.main.path)
    assert done.main.lost == trace.information.lost > 50_000
    # A free whose allocation was lost is foreign, an allocation whose free was lost ends when its address comes again.
    assert trace.information.foreign <= 1
    assert len(trace) - trace.information.implied_frees + trace.information.foreign + trace.information.lost == 100_001


def test_a_static_program_runs_but_cannot_be_recorded(tmp_path: Path) -> None:
    done = record_in(tmp_path, compiled(tmp_path, "int main(void) { free(malloc(1001)); return 8; }", "-static"))
    assert done == Recorded(8, None, [])
    assert not (tmp_path / "a.trace").exists()


def test_a_script_that_runs_a_dynamic_program_is_recorded_under_the_name_of_its_interpreter(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nexit 4\n")
    script.chmod(0o755)
    done = record_in(tmp_path, script)
    assert done.status == 4
    assert done.main is not None
    assert done.main.command == ["/bin/sh", str(script)]


NO_PROGRAMS: dict[str, tuple[Sequence[str], type[Exception], str]] = {
    "name": (["no-such-program", "x"], FileNotFoundError, "there is no program 'no-such-program'"),
    "path": (["./none"], FileNotFoundError, "there is no program './none'"),
    "data": (["/etc/passwd"], PermissionError, "'/etc/passwd' is a file that cannot be executed"),
    "nothing": ([], ValueError, "there is no program to record: the command is empty"),
}


@pytest.mark.parametrize(("command", "error", "words"), list(NO_PROGRAMS.values()), ids=list(NO_PROGRAMS))
def test_what_is_no_program_is_named(command: Sequence[str], error: type[Exception], words: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=words):
        record(command, tmp_path / "a.trace")
    assert list(tmp_path.iterdir()) == []


def test_one_string_is_no_command(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a command must be a sequence of a program and its arguments, not one string: 'echo hi'"):
        record("echo hi", tmp_path / "a.trace")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.parquet", "a.rep.zst", "a.trace.gz", "a.gz", "a.txt"])
def test_nothing_is_run_if_the_name_is_not_that_of_a_trace(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"ends with \.trace, not as {tmp_path / name} does; convert it afterwards"):
        record(["/usr/bin/touch", str(tmp_path / "mark")], tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_run_if_the_trace_could_not_be_written(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for path, error in ((tmp_path, IsADirectoryError), (tmp_path / "none" / "a.trace", FileNotFoundError)):
        with pytest.raises(error, match="the trace cannot be written"):
            record(["/usr/bin/touch", str(mark)], path)
    with pytest.raises(FileNotFoundError):
        record(["/usr/bin/touch", str(mark)], tmp_path / "a.trace", scratch=tmp_path / "none")
    with pytest.raises(OSError, match=r"'/proc/a\.trace'"):  # where nobody can make a file
        record(["/usr/bin/touch", str(mark)], "/proc/a.trace", scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_was_recorded_is_kept_if_merging_is_interrupted(tmp_path: Path) -> None:
    def interrupt(phase: str, _done: int, _total: int) -> None:
        if phase == "merging":
            signal.raise_signal(signal.SIGINT)

    done = record([str(compiled(tmp_path, FORK))], tmp_path / "a.trace", progress=interrupt)
    assert done.status == 7
    assert [sizes_of(process) for process in (done.main, *done.others)] == [[1001, 4001], [2001] * 5000 + [3001]]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_programs_own_trace_is_kept_if_that_of_another_cannot_be_written(tmp_path: Path) -> None:
    trace = tmp_path / f"{'a' * 249}.trace"  # a longer name, with the number of a process in it, there cannot be
    with pytest.raises(OSError, match="File name too long"):
        record([str(compiled(tmp_path, FORK))], trace)
    sizes = Trace.load(trace).request_sizes
    assert sizes[sizes > 1000].tolist() == [1001, 4001]
    assert {path.name for path in tmp_path.iterdir()} == {"program", trace.name}


def test_a_trace_that_was_there_stays_if_there_is_none_to_take_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.trace").write_bytes(b"old")
    assert record_in(tmp_path, compiled(tmp_path, "int main(void) { return 8; }", "-static")) == Recorded(8, None, [])
    assert (tmp_path / "a.trace").read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"program", "a.trace"}


def test_records_are_kept_in_the_scratch_folder_while_the_program_runs(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    program = compiled(tmp_path, 'int main(void) { free(malloc(1)); return system("ls -A $SLABHEAP_RECORD | grep -q raw"); }')
    during: list[list[str]] = []
    done = record(
        [str(program)],
        tmp_path / "a.trace",
        scratch=scratch,
        progress=lambda phase, _done, _total: during.append([path.name for path in scratch.iterdir()]) if phase == "merging" else None,
    )
    assert done.status == 0  # grep has found them
    assert during
    assert all(len(names) == 1 for names in during)
    assert list(scratch.iterdir()) == []


def test_a_recording_that_was_spoilt_is_left_out_and_said_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = 'printf "x" >"$SLABHEAP_RECORD/999999-0.raw"'
    done = record_in(tmp_path, "/bin/sh", "-c", script)
    assert done.main is not None
    (reason,) = done.reasons
    assert reason.endswith("999999-0.raw: not a recording: shorter than its header")
    assert capfd.readouterr().err == ""
    assert record_in(tmp_path, "/bin/sh", "-c", script, follow=False).reasons == []


def test_a_process_that_finds_no_room_is_said_to(tmp_path: Path) -> None:
    program = compiled(tmp_path, "int main(void) { free(malloc(1001)); return 0; }")
    done = record_in(tmp_path, "/bin/sh", "-c", f"(ulimit -f 8; {program}; {program}); {program}")
    assert done.main is not None
    assert [sizes_of(other) for other in done.others if 1001 in sizes_of(other)] == [[1001]]
    (reason,) = done.reasons
    assert f"2 processes were not recorded: there is no room in '{tmp_path}'" in reason
    assert reason.endswith("record with another folder as scratch (--scratch)")


def test_standard_streams_are_the_programs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    done = record_in(tmp_path, "/bin/sh", "-c", "echo out; echo err >&2")
    assert done.status == 0
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("out\n", "err\n")


def test_a_library_that_is_loaded_later_is_recorded(tmp_path: Path) -> None:
    plugin = library(tmp_path, "void *make(void) { return malloc(9001); }")
    source = f"""
    #include <dlfcn.h>
    int main(void) {{
      void *library = dlopen("{plugin}", RTLD_NOW);
      void *(*make)(void) = dlsym(library, "make");
      free(make());
      return dlclose(library);
    }}"""
    done = record_in(tmp_path, compiled(tmp_path, source))
    assert (done.status, sizes_of(done.main).count(9001)) == (0, 1)


def test_python_is_recorded_with_its_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONMALLOC", "malloc")
    script = "import threading\n[threading.Thread(target=lambda: [bytearray(54321) for _ in range(500)]).start() for _ in range(4)]"
    done = record_in(tmp_path, sys.executable, "-c", script)
    assert done.status == 0
    assert done.main is not None
    trace = Trace.load(done.main.path)
    assert (trace.request_sizes == 54322).sum() == 2000
    assert trace.thread_count == 5
    assert (trace.information.lost, trace.information.foreign) == (0, 0)


MILLION = """
enum { threads = 4, rounds = 70000, kept = 64 };
static void *work(void *number) {
  unsigned random = 1 + (intptr_t)number;
  void *blocks[kept] = {NULL};
  for (int i = 0; i < rounds; ++i) {
    random = random * 1664525 + 1013904223;
    void **block = &blocks[random >> 26];
    free(*block);
    *block = malloc(1 + (random >> 8) % 500);
    *block = realloc(*block, 1 + (random >> 4) % 900);
    free(malloc(random >> 20));
  }
  for (int i = 0; i < kept; ++i) free(blocks[i]);
  return NULL;
}
int main(void) {
  pthread_t ids[threads];
  for (intptr_t i = 0; i < threads; ++i) pthread_create(&ids[i], NULL, work, (void *)i);
  for (int i = 0; i < threads; ++i) pthread_join(ids[i], NULL);
}
"""


def test_a_million_events_of_many_threads_are_recorded_replayed_and_compared_without_loss(tmp_path: Path) -> None:
    done = record_in(tmp_path, compiled(tmp_path, MILLION, "-O2"))
    assert done.main is not None
    trace = Trace.load(done.main.path)
    rounds = 4 * 70_000
    assert done.main.events == len(trace) > 5 * rounds - 1000 > 1_000_000
    assert (trace.information.lost, trace.information.foreign, trace.information.implied_frees) == (0, 0, 0)
    assert trace.thread_count == 5
    operations = np.bincount(trace.events["operation"], minlength=4)
    assert operations[2] == rounds
    assert operations[FREE] <= operations[0] + operations[1] <= operations[FREE] + 100
    replayed = replay(done.main.path)
    results = compare(trace, ["classic", "compact", "system"])
    for result in (replayed, *results):
        assert (result.events, result.failures) == (len(trace), 0)
        assert result.peak_requested_bytes == trace.peak_requested_bytes
        assert result.peak_used_bytes >= result.peak_requested_bytes
    assert replayed.peak_held_bytes == results[0].peak_held_bytes
