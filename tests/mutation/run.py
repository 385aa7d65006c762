#!/usr/bin/env python3
"""Mutates the core and sees whether its tests notice.

Each mutant (see mutants.py) is compiled and linked with the tests of the core and the C interface. One that the compiler or the linker
refuses, or that the compiler makes the same code of, is none. A mutant that no test notices has survived: tests/mutation/survivors.toml
lists those that were read, each with the reason, and any other is a failure, as is a share of noticed mutants below the bound. Those to
read are printed as entries to put there, once they have a reason; --forget takes out the entries of mutants that survive no more.

What is known of a mutant is kept in build/mutation, so that a run can be cut short and continued. It holds for the same heap; that a
mutant survived, for the same tests and kept inputs; that the kept inputs of a fuzzer noticed it, for the same inputs. What a test
noticed counts as noticed although tests have changed since: they are added, and seldom taken back. A mutant with which a program took
too long counts as noticed, too, but it may have been the machine that was slow: the next run tries it again, last of all. Without
build/mutation all is tried anew.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import hashlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import survivors
from mutants import Mutant

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build/tests"
WORK = ROOT / "build/mutation"
AS_ONE = WORK / "all_sources.cpp"  # includes every source, which takes a changed header less time than one by one
LEAST_KILLED = 90  # of 100
LONGEST = 20  # seconds that the tests may take, the slowest and the others; each takes two, more on a machine that has more to do
LONGEST_REPLAY = 1  # and that the kept inputs may, which take a tenth

CORE = sorted((ROOT / "core/src").glob("*.cpp"))
HEADERS = sorted((ROOT / "core/include/slabheap/core").glob("*.hpp"))
CAPI = [ROOT / f"capi/src/{name}.cpp" for name in ("heap_api", "invalid_free", "memory_source", "os_posix", "status_text", "translation")]
TESTS = ("core/core_test", "capi/capi_test", "reliability/reliability_test")
REPLAYED = ("one_heap", "two_heaps", "creation")
FLAGS = [
    "-std=c++20",
    "-O2",
    "-w",
    "-ffreestanding",
    "-fno-exceptions",
    "-fno-rtti",
    "-fno-threadsafe-statics",
    "-DNDEBUG",
    '-DSLABHEAP_VERSION="0.0"',
]
STEPS = {"SLABHEAP_STEPS": "1000", "SLABHEAP_EVERY": "97", "SLABHEAP_TWIN_STEPS": "300"}
# What the tests leave in the file of figures is said of the heap as it is.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "SLABHEAP_FIGURES"} | STEPS
# By a process each, and about the tests themselves.
SPARED = "*every wrong call ends the process*,*sees one changed bit anywhere*"
# Those that take the longest, and come last: most mutants are noticed by one of the others.
SLOW = "heaps of every shape*,a region of every size*,every wrong call gets*,*of a terabyte*,*of more than 4 GiB*"


@dataclasses.dataclass(frozen=True)
class Case:
    """A mutant of one source."""

    path: Path
    mutant: Mutant
    name: survivors.Name

    def key(self) -> str:
        return f"{self.name.file}:{self.mutant.start}:{self.mutant.end}:{self.mutant.text}"


class Fate(NamedTuple):
    """What becomes of a mutant: invalid, same, killed, slow or survived."""

    name: str
    by: str = ""  # the program that noticed it, or took too long

    def holds_for(self) -> str:
        """What has to be as it was, apart from the heap, for a fate to hold: the name of its content, or nothing."""
        if self.name == "survived":
            return digest("tests")
        return digest(f"tests/fuzz/corpus/{self.by}") if self.by in REPLAYED else ""


def compile_source(source: Path, target: Path, include: Path) -> bool:
    """Compiles a source against the headers in `include`; whether it could be."""
    folders = [f"-I{include}", f"-I{ROOT / 'capi/include'}", f"-I{ROOT / 'capi/src'}", f"-I{ROOT / 'core/include'}"]
    # Of __FILE__ and the like there is nothing, so equal code is equal bytes.
    return subprocess.run(["g++", *FLAGS, *folders, "-c", source, "-o", target], capture_output=True, check=False).returncode == 0


def whole(source: Path) -> Path:
    """The object of a source as it is."""
    return WORK / "whole" / f"{source.stem}.o"


def objects_of(target: str) -> list[Path]:
    """The objects of a target of the tests' build."""
    commands = json.loads((BUILD / "compile_commands.json").read_text())
    outputs = [re.findall(r" -o (\S+)", command["command"])[-1] for command in commands]
    found = sorted(BUILD / output for output in outputs if f"/{target}.dir/" in output)
    if not found:
        raise FileNotFoundError(f"there are no objects of {target} in {BUILD}")
    return found


def prepare() -> None:
    """Builds the tests, puts the objects of each program together, and compiles the heap as it is."""
    programs = [*TESTS, *(f"fuzz/replay_{target}" for target in REPLAYED)]
    subprocess.run(["cmake", "--preset", "tests"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    names = [Path(program).name for program in programs]
    subprocess.run(["cmake", "--build", BUILD, "--target", *names], check=True, stdout=subprocess.DEVNULL)
    (WORK / "whole").mkdir(parents=True, exist_ok=True)
    shared = objects_of("slabheap_test_support")
    tests = [path for program in TESTS for path in objects_of(f"{Path(program).name}_objects")]
    merged = {"tests": [*tests, *shared, *objects_of("slabheap_test_main")]}
    for target in REPLAYED:
        merged[target] = [*objects_of(f"replay_{target}_objects"), *shared, *objects_of("slabheap_fuzz_support")]
    for name, objects in merged.items():
        subprocess.run(["ld", "-r", "-S", "-o", WORK / f"{name}.o", *objects], check=True)
    AS_ONE.write_text("".join(f'#include "{path}"\n' for path in (*CORE, *CAPI)))
    for source in (*CORE, *CAPI, AS_ONE):
        if not compile_source(source, whole(source), ROOT / "core/include"):
            raise RuntimeError(f"{source} does not compile")


@functools.cache
def digest(*folders: str) -> str:
    """The name of what is in these folders: sources, and inputs that are replayed."""
    total = hashlib.sha256()
    for path in sorted(path for folder in folders for path in (ROOT / folder).rglob("*")):
        if path.is_file() and (path.suffix in {".cpp", ".hpp"} or path.parent.name in REPLAYED):
            total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()[:16]


@contextlib.contextmanager
def compiled(case: Case, folder: Path) -> Iterator[list[Path] | None]:
    """The objects of the heap with a mutant; none if it does not compile, an empty list if the code is the same."""
    source = case.path.read_text()
    include = folder / "include"
    is_header = case.path.suffix == ".hpp"
    changed = include / case.path.relative_to(ROOT / "core/include") if is_header else folder / case.path.name
    compiled_source = AS_ONE if is_header else changed
    target = folder / f"{compiled_source.stem}.o"
    changed.parent.mkdir(parents=True, exist_ok=True)
    changed.write_text(case.mutant.of(source))
    try:
        if not compile_source(compiled_source, target, include):
            yield None
        elif target.read_bytes() == whole(compiled_source).read_bytes():
            yield []
        else:
            yield [target, *(whole(path) for path in (*CORE, *CAPI) if not is_header and path != case.path)]
    finally:
        changed.unlink()


def end_of(command: list[str | Path], longest: int) -> str:
    """How a test program ends: "well", "badly", or "late", if not within the time that it has."""
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT, start_new_session=True
    ) as process:
        try:
            return "well" if process.wait(longest) == 0 else "badly"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return "late"


def try_tests(objects: list[Path], folder: Path) -> Fate:
    """What the tests make of a heap of these objects: the kept inputs first, which take no time."""
    for name in (*REPLAYED, "tests"):
        program = folder / name
        # What is in a header is taken from the first object that has it.
        link: list[str | Path] = ["g++", "-no-pie", "-o", program, *objects, WORK / f"{name}.o"]
        if subprocess.run(link, capture_output=True, check=False).returncode != 0:
            return Fate("invalid")
        if name == "tests":
            parts = (f"--test-case-exclude={SPARED},{SLOW}", f"--test-case={SLOW}")
            ends = (end_of([program, part, "--abort-after=1"], LONGEST) for part in parts)
            end = next((end for end in ends if end != "well"), "well")
        else:
            end = end_of([program, ROOT / "tests/fuzz/corpus" / name], LONGEST_REPLAY)
        if end != "well":
            return Fate("killed" if end == "badly" else "slow", name)
    return Fate("survived")


def fate_of(case: Case, worker: int) -> Fate:
    """What becomes of a mutant."""
    folder = WORK / f"worker{worker}"
    folder.mkdir(exist_ok=True)
    with compiled(case, folder) as objects:
        if objects is None:
            return Fate("invalid")
        return try_tests(objects, folder) if objects else Fate("same")


def note(record: Path, case: Case, fate: Fate) -> None:
    """Keeps a fate for later runs."""
    with record.open("a") as file:
        file.write(json.dumps((case.key(), *fate, fate.holds_for())) + "\n")


def known_fates(record: Path) -> dict[str, str]:
    """The fates that were found by earlier runs, and still hold."""
    lines = map(json.loads, record.read_text().splitlines() if record.exists() else [])
    return {key: name for key, name, by, held_for in lines if Fate(name, by).holds_for() == held_for}


def run(cases: list[Case], fates: dict[str, str], record: Path, seconds: float) -> None:
    """Finds out the fates that are not known, and then those of mutants that were slow, as long as there is time."""
    end = time.monotonic() + seconds
    left = [case for case in cases if case.key() not in fates] + [case for case in cases if fates.get(case.key()) == "slow"]
    workers = len(os.sched_getaffinity(0)) if "SLABHEAP_WORKERS" not in os.environ else int(os.environ["SLABHEAP_WORKERS"])

    def work(worker: int) -> list[tuple[str, str]]:
        found = []
        for case in left[worker::workers]:
            if time.monotonic() > end:
                break
            fate = fate_of(case, worker)
            note(record, case, fate)
            found.append((case.key(), fate.name))
        return found

    with ThreadPoolExecutor(workers) as pool:
        for found in pool.map(work, range(workers)):
            fates.update(found)


def report(cases: list[Case], fates: dict[str, str], is_sample: bool) -> bool:
    """Prints what came of it; whether it is as it has to be."""
    counts = Counter(fates[case.key()] for case in cases)
    noticed = counts["killed"] + counts["slow"]
    judged = noticed + counts["survived"]
    entries = survivors.entries_of(survivors.PATH.read_text())
    read = survivors.read_of(entries)
    unread = [case for case in cases if fates[case.key()] == "survived" and case.name not in read]
    for case in unread:
        print(survivors.to_read(case.name, case.mutant.line_number(case.path.read_text()), entries))
    share = 100 * noticed / judged if judged else 100.0
    slow = f", {counts['slow']} of them by taking too long" if counts["slow"] else ""
    print(
        f"mutation: {noticed} of {judged} mutants killed ({share:.1f} %){slow}, {counts['survived']} survived, {len(unread)} not read; "
        f"{counts['same']} are the same code, {counts['invalid']} no C++"
    )
    if path := os.environ.get("SLABHEAP_FIGURES"):
        figures = {"killed": noticed, "survived": counts["survived"], "mutants": judged, "same_code": counts["same"]}
        lines = [f"{name} ={value}" for name, value in (*figures.items(), ("share", f"{share:.1f} %"))]
        with Path(path).open("a") as file:
            file.write("\n".join(lines) + "\n")
    if not is_sample:
        return share >= LEAST_KILLED and not unread
    # Of a sample, the bound is lower by what chance may do: three standard deviations.
    return share >= LEAST_KILLED - 3 * math.sqrt(LEAST_KILLED * (100 - LEAST_KILLED) / max(1, judged))


def forget(cases: list[Case], fates: dict[str, str]) -> None:
    """Takes the entries out of survivors.toml that name no mutant, or one that is known to survive no more, not for being slow once."""
    text = survivors.PATH.read_text()
    known_or_not = {case.name for case in cases if fates.get(case.key(), "survived") in ("survived", "slow")}
    kept = survivors.without_the_forgotten(text, known_or_not)
    survivors.PATH.write_text(kept)
    before, after = (sum(entry.kind != "" for entry in survivors.entries_of(one)) for one in (text, kept))
    print(f"mutation: {before - after} entries taken out, {after} left")


def is_noticed_as_it_is() -> bool:
    """Whether the tests notice anything of a heap that is not mutated, of single sources or of all in one."""
    heaps = ([whole(path) for path in (*CORE, *CAPI)], [whole(AS_ONE)])
    return any(try_tests(objects, WORK / "whole") != Fate("survived") for objects in heaps)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every Nth mutant only")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="how long to go on at the most; the next run continues")
    parser.add_argument("--forget", action="store_true", help="try nothing; take out of survivors.toml what is known to survive no more")
    parser.add_argument("sources", nargs="*", help="a part of the names of the sources to mutate; all of the core unless given")
    arguments = parser.parse_args()
    if arguments.forget and (arguments.every > 1 or arguments.sources):
        parser.error("--forget is about all mutants")
    paths = [path for path in (*CORE, *HEADERS) if not arguments.sources or any(part in path.name for part in arguments.sources)]
    if not paths:
        parser.error(f"no source of the core has a name with {' or '.join(map(repr, arguments.sources))} in it")
    named = {path: survivors.names_of(str(path.relative_to(ROOT)), path.read_text()) for path in paths}
    cases = [Case(path, mutant, name) for path, names in named.items() for mutant, name in names.items()][:: arguments.every]
    record = WORK / f"{digest('core', 'capi')}.fates"
    fates = known_fates(record)
    if arguments.forget:
        forget(cases, fates)
        return 0
    prepare()
    if is_noticed_as_it_is():
        print("mutation: the tests fail on the core as it is", file=sys.stderr)
        return 1
    run(cases, fates, record, arguments.seconds)
    left = sum(case.key() not in fates for case in cases)
    if left:
        print(f"mutation: {len(cases) - left} of {len(cases)} mutants tried; run it again for the rest")
        return 75  # not yet
    return 0 if report(cases, fates, arguments.every > 1) else 1


if __name__ == "__main__":
    sys.exit(main())
