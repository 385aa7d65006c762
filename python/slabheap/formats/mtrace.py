"""Reads the logs of glibc's mtrace: a line a call, with the place that called and the address.

    = Start
    @ ./app:(make+0x1c)[0x11de] + 0x55d0b8f2a6a0 0x64
    @ ./app:[0x12c7] < 0x55d0b8f2a6a0
    @ ./app:[0x12c7] > 0x55d0b8f2b8c0 0x3e8
    @ ./app:[0x1481] - 0x55d0b8f2b8c0
    = End

`+` allocates, `-` frees, `<` and `>` reallocate from one address to another, `!` is a reallocation that failed. Times, threads and
alignments are not told, nor which memory was zeroed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from slabheap.events import MOST_BYTES
from slabheap.files import Input
from slabheap.formats.calls import ALLOCATE, FREE, MALLOC_ALIGN, REALLOCATE, REALLOCATE_BEGINS, Call, CallReader

__all__ = ["MtraceReader", "is_mtrace"]

_LINE = re.compile(
    rb"(?:@ (?P<site>.+) )?(?:(?P<sized>[+>!]) (?P<where>0x[0-9a-f]{1,16}|\(nil\)) (?:0x)?(?P<size>[0-9a-f]{1,16})"
    rb"|(?P<unsized>[-<]) (?P<address>0x[0-9a-f]{1,16}))"
)
_SIZED = {b"+": ALLOCATE, b">": REALLOCATE}
_UNSIZED = {b"-": FREE, b"<": REALLOCATE_BEGINS}


def is_mtrace(head: bytes) -> bool:
    """Whether a file that begins so is a log of mtrace. A log to which several programs wrote may lack the first line."""
    return head.startswith(b"= Start\n") or _LINE.fullmatch(head.partition(b"\n")[0]) is not None


class MtraceReader(CallReader):
    """Reads a log of mtrace as a stream of arrays of events.

    Raises:
        ValueError: A line is malformed; while iterating.
    """

    def __init__(self, source: Input) -> None:
        super().__init__(source, "mtrace")

    def calls(self) -> Iterator[Call]:
        """The calls of the log."""
        match, sites = _LINE.fullmatch, self.sites
        tags: dict[bytes | None, int] = {None: 0}
        for number, line in self.lines():
            found = match(line)
            if found is None:
                if line not in (b"= Start", b"= End"):
                    self.fail(number, f"not a line of mtrace: {line[:100]!r}")
                continue
            site, sized, where, digits, unsized, address = found.groups()
            tag = tags.get(site)
            if tag is None:
                tag = tags[site] = sites.tag(site.decode(errors="replace"))
            if unsized is not None:
                yield 0, int(address, 16), 0, 1, 0, tag, _UNSIZED[unsized]
            elif where != b"(nil)" and sized != b"!":  # what failed has changed nothing
                size = int(digits, 16)
                if size > MOST_BYTES:
                    self.fail(number, f"a request of {size} bytes is larger than any")
                yield 0, int(where, 16), size, MALLOC_ALIGN, 0, tag, _SIZED[sized]
