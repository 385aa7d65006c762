"""Which mutants count as read, and for how long a fate is known."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import run
import survivors
from survivors import Name

SOURCE = """void f() {
  a = b - c;
  if (a) {
    a = b - c;
  }
  if (d &&
      e) {
    return;
  }
}
"""
ENTRIES = """# About the file.

[[survivor]]
file = "f.cpp"
source = 'a = b - c; ==> a = b + c;'
which = "2 of 2"
why = "It was read."

[[line]]
file = "f.cpp"
source = 'a = b - c;'
why = "It was looked at."
"""


def name(change: str, which: str = "") -> Name:
    return Name("f.cpp", change, which)


def test_mutants_that_read_alike_are_told_apart_by_their_order() -> None:
    names = list(survivors.names_of("f.cpp", SOURCE).values())
    assert len(set(names)) == len(names)
    assert [one.which for one in names if one.source == "a = b - c; ==> a = b + c;"] == ["1 of 2", "2 of 2"]
    assert name("if (d && e) { ==> if (true) {") in names  # on two lines


def test_only_the_very_mutant_that_was_read_counts_as_read() -> None:
    entries = survivors.entries_of(ENTRIES)
    assert "".join(entry.text for entry in entries) == ENTRIES
    assert survivors.read_of(entries) == {name("a = b - c; ==> a = b + c;", "2 of 2")}


@pytest.mark.parametrize("one", list(survivors.names_of("f.cpp", SOURCE).values()))
def test_what_is_to_be_read_is_an_entry_but_for_its_reason(one: Name) -> None:
    text = survivors.to_read(one, 7, survivors.entries_of(ENTRIES))
    (content,) = tomllib.loads(text)["survivor"]
    assert content.pop("why") == ""
    assert Name(**{"which": ""} | content) == one
    assert ("# said of the line: It was looked at." in text) == (one.line == "a = b - c;")


def test_quotes_of_a_line_are_kept() -> None:
    one = name("x = 'a' + \"b\"; ==> x = 'a' - \"b\";")
    assert tomllib.loads(survivors.to_read(one, 1, []))["survivor"][0]["source"] == one.source


def test_entries_of_what_survives_no_more_are_forgotten() -> None:
    first, second = (name("a = b - c; ==> a = b + c;", which) for which in ("1 of 2", "2 of 2"))
    head, survivor, line = (entry.text for entry in survivors.entries_of(ENTRIES))
    assert survivors.without_the_forgotten(ENTRIES, {first, second}) == ENTRIES
    assert survivors.without_the_forgotten(ENTRIES, {second}) == (head + survivor).rstrip() + "\n"
    assert survivors.without_the_forgotten(ENTRIES, {first}) == head + line
    assert survivors.without_the_forgotten(ENTRIES, set()) == head.rstrip() + "\n"


def test_every_entry_names_one_mutant_or_a_line_that_has_some() -> None:
    entries = [entry for entry in survivors.entries_of(survivors.PATH.read_text()) if entry.kind]
    names = {file: set(survivors.names_of(file, (run.ROOT / file).read_text()).values()) for file in {entry.name.file for entry in entries}}
    named = [entry.name for entry in entries if entry.kind == "survivor"]
    assert [one for one in named if one not in names[one.file]] == []
    assert len(set(named)) == len(named)
    lines = [entry.name for entry in entries if entry.kind == "line"]
    assert [one for one in lines if one.source not in {mutant.line for mutant in names[one.file]}] == []


def test_a_fate_holds_as_long_as_what_it_rests_on_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fates = {
        "survivor": run.Fate("survived"),
        "noticed by an input": run.Fate("killed", "one_heap"),
        "noticed by another": run.Fate("killed", "creation"),
        "noticed by a test": run.Fate("killed", "tests"),
        "no C++": run.Fate("invalid"),
    }
    record = tmp_path / "some.fates"
    content = {"tests": "1", "tests/fuzz/corpus/one_heap": "2", "tests/fuzz/corpus/creation": "3"}
    monkeypatch.setattr(run, "digest", lambda folder: content[folder])
    record.write_text("".join(json.dumps((key, *fate, fate.holds_for())) + "\n" for key, fate in fates.items()))
    assert run.known_fates(record) == {key: fate.name for key, fate in fates.items()}
    content["tests"] = content["tests/fuzz/corpus/one_heap"] = "other"
    assert set(run.known_fates(record)) == {"noticed by another", "noticed by a test", "no C++"}


def cases_of(*keys: str) -> list[Any]:
    """Mutants of which only the keys and the names matter."""
    return [SimpleNamespace(key=lambda key=key: key, name=name(key)) for key in keys]


@pytest.mark.parametrize(("command", "end"), [(["true"], "well"), (["false"], "badly"), (["sleep", "1000"], "late")])
def test_a_program_that_takes_too_long_is_told_from_one_that_fails(command: list[str | Path], end: str) -> None:
    assert run.end_of(command, 0 if end == "late" else 1000) == end


def test_mutants_that_were_slow_are_tried_again_behind_those_that_were_not_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record, tried = tmp_path / "some.fates", []

    def fate_of(case: Any, _worker: int) -> run.Fate:
        tried.append(case.key())
        return run.Fate("killed", "tests")

    monkeypatch.setattr(run, "fate_of", fate_of)
    monkeypatch.setenv("SLABHEAP_WORKERS", "1")
    cases = cases_of("slow", "killed", "new")
    for case, fate in zip(cases, ("slow", "killed"), strict=False):
        run.note(record, case, run.Fate(fate, "tests"))
    fates = run.known_fates(record)
    run.run(cases, fates, record, -1)
    assert (tried, fates) == ([], {"slow": "slow", "killed": "killed"})
    run.run(cases, fates, record, float("inf"))
    assert tried == ["new", "slow"]
    assert set(fates.values()) == {"killed"}
    assert run.known_fates(record) == fates


def test_slow_mutants_count_as_noticed_and_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("SLABHEAP_FIGURES", str(tmp_path / "figures"))
    cases = cases_of(*map(str, range(10)))
    assert run.report(cases, {case.key(): "slow" if case.key() < "2" else "killed" for case in cases}, is_sample=False)
    assert "10 of 10 mutants killed (100.0 %), 2 of them by taking too long, 0 survived" in capsys.readouterr().out
    assert "killed =10\n" in (tmp_path / "figures").read_text()
    assert run.report(cases, dict.fromkeys((case.key() for case in cases), "same"), is_sample=True)  # there is nothing to notice


def test_an_entry_stays_if_its_mutant_was_only_slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survivors, "PATH", tmp_path / "survivors.toml")
    survivors.PATH.write_text(ENTRIES)
    (case,) = cases_of("x")
    case.name = name("a = b - c; ==> a = b + c;", "2 of 2")
    run.forget([case], {"x": "slow"})
    assert "[[survivor]]" in survivors.PATH.read_text()
    run.forget([case], {"x": "killed"})
    assert "[[survivor]]" not in survivors.PATH.read_text()


def test_a_name_that_no_source_has_is_refused_before_anything_is_built(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["run.py", "nosuchname"])
    monkeypatch.setattr(run, "prepare", lambda: pytest.fail("it was built"))
    with pytest.raises(SystemExit) as ended:
        run.main()
    assert ended.value.code == 2
    assert "no source of the core has a name with 'nosuchname' in it" in capsys.readouterr().err
