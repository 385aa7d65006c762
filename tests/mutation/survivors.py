"""survivors.toml: the mutants that survived and were read, each with the reason why nothing notices it.

An entry is about one mutant: `source` is its line and what becomes of it, and `which` tells it from others of the file that read alike.
What is said of a [[line]] was said of all mutants of it together; it counts for none, and is shown beside those that are yet to be read.
"""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from mutants import Mutant, mutants_of

PATH = Path(__file__).with_name("survivors.toml")


class Name(NamedTuple):
    """What tells a mutant from all others, as long as its line, and how often that stands in the file, is the same."""

    file: str
    source: str  # the line and what becomes of it
    which: str  # "2 of 3" of those that read alike; nothing if it is the only one

    @property
    def line(self) -> str:
        return self.source.split(" ==> ")[0]


def names_of(file: str, source: str) -> dict[Mutant, Name]:
    """The mutants of a source and their names, in order of place."""
    mutants = mutants_of(source)
    alike = defaultdict(list)
    for mutant in mutants:
        alike[mutant.describe(source)].append(mutant)
    names = {}
    for mutant in mutants:
        change = mutant.describe(source)
        same = alike[change]
        names[mutant] = Name(file, change, f"{same.index(mutant) + 1} of {len(same)}" if len(same) > 1 else "")
    return names


@dataclasses.dataclass(frozen=True)
class Entry:
    """An entry, or what stands above the first."""

    text: str
    kind: str  # "survivor", "line", or "" for what is none
    name: Name
    why: str


def entries_of(text: str) -> list[Entry]:
    """The entries of the file's text; put together, their texts are the file's."""
    entries = []
    for part in re.split(r"^(?=\[\[)", text, flags=re.MULTILINE):
        parsed = tomllib.loads(part)
        kind = next(iter(parsed), "")
        content = parsed[kind][0] if kind else {}
        name = Name(content.get("file", ""), content.get("source", ""), content.get("which", ""))
        entries.append(Entry(part, kind, name, content.get("why", "")))
    return entries


def read_of(entries: list[Entry]) -> set[Name]:
    """The mutants that were read."""
    return {entry.name for entry in entries if entry.kind == "survivor"}


def to_read(name: Name, line_number: int, entries: list[Entry]) -> str:
    """An entry for a mutant that is yet to be read, but for the reason."""
    quote = json.dumps(name.source, ensure_ascii=False) if "'" in name.source else f"'{name.source}'"
    lines = ["[[survivor]]", f'file = "{name.file}"  # line {line_number}', f"source = {quote}"]
    if name.which:
        lines.append(f'which = "{name.which}"')
    said = [entry.why for entry in entries if entry.kind == "line" and (entry.name.file, entry.name.source) == (name.file, name.line)]
    return "\n".join([*lines, *(f"# said of the line: {why}" for why in said), 'why = ""', ""])


def without_the_forgotten(text: str, survived: Collection[Name]) -> str:
    """The file's text without entries of mutants that are not among these, and of lines of which all that are were read."""
    entries = entries_of(text)
    left = {(name.file, name.line) for name in set(survived) - read_of(entries)}

    def is_kept(entry: Entry) -> bool:
        if entry.kind == "line":
            return (entry.name.file, entry.name.source) in left
        return entry.kind == "" or entry.name in survived

    return "".join(entry.text for entry in entries if is_kept(entry)).rstrip("\n") + "\n"
