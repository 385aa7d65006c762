"""What is known about a trace besides its events, and the places in a program that its tags stand for."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

__all__ = ["MOST_NAME", "Information", "Site", "SiteTable"]

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
