"""What is known about a trace besides its events, and the places in a program that its tags stand for."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

__all__ = ["MOST_NAME", "Information", "Site", "SiteTable", "expect_site", "json_object"]

#: No name of a site has more characters.
MOST_NAME = 1 << 12


class Site(NamedTuple):
    """A place in a program that allocates, or leads to one that does.

    Attributes:
        name: What people call it: "parse (json.c:71)", "libfoo.so+0x1234".
        caller: The tag of the place that called it, smaller than its own; 0 if that is not known.
    """

    name: str
    caller: int = 0


def json_object(raw: bytes) -> dict[str, Any]:
    """An object of JSON; ValueError if it is none.

    Examples:
        >>> json_object(b'{"lost": 5}')
        {'lost': 5}
    """
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError("not an object of JSON")
    return content


def expect_site(tag: int, site: Site) -> None:
    """Raises ValueError if a site is none."""
    if type(tag) is not int or not 0 < tag < 1 << 32:
        raise ValueError(f"a tag is from 1 to {(1 << 32) - 1}, not {tag}")
    if type(site.name) is not str or type(site.caller) is not int:
        raise ValueError("a site has a name and the tag of its caller")
    if not 0 <= site.caller < tag:
        raise ValueError(f"the site of tag {tag} has the caller {site.caller}, which is not smaller")
    if len(site.name) > MOST_NAME:
        raise ValueError(f"the name of tag {tag} has {len(site.name)} characters, and not at most {MOST_NAME}")


def _expect_known(name: str, value: object) -> None:
    """Raises ValueError if the value of a field of `Information`, sites apart, is none that it may have."""
    if name == "source":
        if not isinstance(value, str):
            raise ValueError("source is not a string")
    elif name == "command":
        if not isinstance(value, list) or not all(isinstance(argument, str) for argument in value):
            raise ValueError("command is not a list of strings")
    elif type(value) is not int or value < 0:
        raise ValueError(f"{name} is not a number from 0 on")


@dataclasses.dataclass
class Information:
    """What is known about a trace besides its events.

    Attributes:
        source: What made it: "recorder", a workload, another format.
        command: The program that was recorded and its arguments.
        process: Its process number, or 0.
        lost: Calls that should be in the trace and are not.
        foreign: Frees and reallocations of blocks whose allocation was not seen; they are left out.
        implied_frees: Blocks whose free was not seen, and which end where their address was handed out again.
        sites: What the tags of events stand for. A tag may have none; a site is in it before an event refers to it.

    Examples:
        >>> known = Information(sites={1: Site("main (app.c:9)"), 2: Site("parse (json.c:71)", caller=1)})
        >>> known.stack(2)
        ['parse (json.c:71)', 'main (app.c:9)']
    """

    source: str = ""
    command: list[str] = dataclasses.field(default_factory=list)
    process: int = 0
    lost: int = 0
    foreign: int = 0
    implied_frees: int = 0
    sites: dict[int, Site] = dataclasses.field(default_factory=dict)

    def to_json(self, names: Collection[str] | None = None) -> dict[str, Any]:
        """What is known as an object for JSON: the fields of these names, or all.

        Raises:
            ValueError: A field has a value that no reader would take; the message names it.

        Examples:
            >>> Information(source="recorder", lost=5).to_json(["source", "lost"])
            {'source': 'recorder', 'lost': 5}
        """
        known = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if names is None or field.name in names}
        for name, value in known.items():
            if name == "sites":
                for tag, site in self.sites.items():
                    expect_site(tag, site)
            else:
                _expect_known(name, value)
        return known

    def learn(self, content: Mapping[str, Any], names: Collection[str] | None = None) -> None:
        """Takes in what `to_json` gave; fields that are missing stay as they are, others are passed over. Sites are added.

        Args:
            content: The object.
            names: The fields to take; all unless given.

        Raises:
            ValueError: A field has a value that makes no sense; the message names it.

        Examples:
            >>> known = Information()
            >>> known.learn({"lost": 5, "sites": {"1": ["main", 0]}, "later": None})
            >>> known.lost, known.sites
            (5, {1: Site(name='main', caller=0)})
        """
        for field in dataclasses.fields(self):
            name = field.name
            if name not in content or (names is not None and name not in names):
                continue
            if name == "sites":
                self._learn_sites(content[name])
            else:
                _expect_known(name, content[name])
                setattr(self, name, content[name])

    def _learn_sites(self, content: Any) -> None:
        """Adds sites: from a tag, in decimal, to a list of a name and the tag of its caller."""
        if not isinstance(content, dict):
            raise ValueError("sites are not an object of JSON")
        for tag, site in content.items():
            try:
                name, caller = site
                number = int(tag) if tag.isdecimal() else 0
                expect_site(number, Site(name, caller))
                if number in self.sites:
                    raise ValueError(f"tag {number} is named twice")
            except (TypeError, ValueError) as error:
                raise ValueError(f"site {tag[:20]!r}: {error}") from None
            self.sites[number] = Site(name, caller)

    def stack(self, tag: int) -> list[str]:
        """The names of the site that a tag stands for and of its callers, innermost first; empty if it stands for none.

        Examples:
            >>> Information(sites={1: Site("main"), 2: Site("parse", caller=1)}).stack(2)
            ['parse', 'main']
        """
        names = []
        while (site := self.sites.get(tag)) is not None:
            names.append(site.name)
            tag = site.caller if site.caller < tag else 0
        return names


class SiteTable:
    """Gives sites their tags, the same each time, from 1, and adds them to what is known about a trace."""

    def __init__(self, information: Information) -> None:
        self._sites = information.sites
        self._tags: dict[Site, int] = {}

    def tag(self, name: str, caller: int = 0) -> int:
        """The tag of a site. A name that is very long is cut."""
        site = Site(name[:MOST_NAME], caller)
        tag = self._tags.get(site)
        if tag is None:
            tag = self._tags[site] = len(self._tags) + 1
            self._sites[tag] = site
        return tag
