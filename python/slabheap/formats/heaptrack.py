"""Reads what heaptrack records: the raw stream (`heaptrack --raw`), and the interpreted one, which has names in place of addresses.

Each line begins with a letter; numbers are hexadecimal. Of both:

    v 10400 3         version of heaptrack and of the file
    X ./app -x        the command
    t 5 4             a place in the program, and the one that called it; they are numbered from 1
    c 1f4             milliseconds since the program began

Of the raw stream, in which the first number of `t` is an address of code:

    m 1f /lib/x86_64-linux-gnu/libc.so.6 7f16e05db000 0 25388     a library, where it lies, and its segments
    + 64 9 55d0b8f2a6a0      allocates 64 (hexadecimal) bytes from place 9
    - 55d0b8f2a6a0           frees them

Of the interpreted one, in which it is the number of an `i`:

    s 4 main          a string; they are numbered from 1
    i 401290 1 14 15 d       an address of code, its library, and the function, file and line, then those that it is inlined in
    a 64 9            a size and a place, numbered from 0
    + 3               allocates a block of the third such kind
    - 3               frees one; which of them is not told, and taken to be the youngest

A reallocation is a free and an allocation; alignments and threads are not told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from slabheap.events import MOST_BYTES
from slabheap.files import Input
from slabheap.formats.calls import ALLOCATE, FREE, MALLOC_ALIGN, Call, CallReader

__all__ = ["HeaptrackReader", "is_heaptrack"]

_FIRST = re.compile(rb"v [0-9a-f]+ ([0-9a-f]+)\n")
_NUMBER = re.compile(rb"[0-9a-f]{1,16}")
_LAST_VERSION = 3
_SIZED_STRINGS = 3  # from this version of the file on, a string stands behind its length
_MOST_TIME = (1 << 64) - 1
_PASSED_OVER = set(b"IRAS#")  # system, resident bytes, attachment, suppressions, comments


def is_heaptrack(head: bytes) -> bool:
    """Whether a file that begins so is one of heaptrack."""
    return _FIRST.match(head) is not None


class HeaptrackReader(CallReader):
    """Reads a file of heaptrack, raw or interpreted, as a stream of arrays of events.

    Raises:
        ValueError: A line is malformed, or the file is of a version that is not known; while iterating.
    """

    def __init__(self, source: Input) -> None:
        super().__init__(source, "heaptrack")
        self._modules: list[tuple[int, int, str]] = []  # begin and end of a segment, and its library
        self._bases: dict[str, int] = {}
        self._strings = [""]
        self._frames: list[list[str]] = [[]]  # of an address of code, innermost first
        self._tags = [0]  # of a place
        self._kinds: list[tuple[int, int]] = []  # size and tag
        self._live: list[list[int]] = []  # of each kind the live blocks, which have numbers in place of addresses
        self._blocks = 0
        self._is_raw = self._is_sized = False
        self._program = ""

    def calls(self) -> Iterator[Call]:
        """The allocations and frees of the file, after all that they refer to."""
        lines = self.lines()
        number, first = next(lines, (1, b""))  # an empty file has no line
        version = _FIRST.match(first + b"\n")
        if version is None or not 1 <= int(version[1], 16) <= _LAST_VERSION:
            self.fail(number, f"not a version of heaptrack's files that is known, 1 to {_LAST_VERSION}: {first[:100]!r}")
        self._is_sized = int(version[1], 16) >= _SIZED_STRINGS
        time = 0
        for number, line in lines:
            try:
                letter, rest = line[:2], line[2:]
                if letter == b"+ ":
                    size, tag, address = self._raw_block(rest) if self._is_raw else self._block(rest)
                    if size > MOST_BYTES:
                        raise ValueError("a request is larger than any")
                    yield time, address, size, MALLOC_ALIGN, 0, tag, ALLOCATE
                elif letter == b"- ":
                    address = _hexadecimal(rest) if self._is_raw else self._live[_hexadecimal(rest)].pop()
                    yield time, address, 0, 1, 0, 0, FREE
                elif letter == b"c ":
                    time = min(_hexadecimal(rest) * 1_000_000, _MOST_TIME)
                elif line and line[0] not in _PASSED_OVER:
                    self._learn(letter, rest)
            except (ValueError, IndexError):
                self.fail(number, f"not a line of heaptrack, or one that refers to what is not there: {line[:100]!r}")

    def _raw_block(self, rest: bytes) -> tuple[int, int, int]:
        """Size, tag and address of a block of the raw stream."""
        size, place, address = rest.split(b" ")
        return _hexadecimal(size), self._tags[_hexadecimal(place)], _hexadecimal(address)

    def _block(self, rest: bytes) -> tuple[int, int, int]:
        """Size, tag and, in place of its address, number of a block of the interpreted stream."""
        kind = _hexadecimal(rest)
        size, tag = self._kinds[kind]
        self._blocks += 1
        self._live[kind].append(self._blocks)
        return size, tag, self._blocks

    def _learn(self, letter: bytes, rest: bytes) -> None:
        """Takes in a line about the program."""
        if letter == b"a ":
            size, place = map(_hexadecimal, rest.split(b" "))
            self._kinds.append((size, self._tags[place]))
            self._live.append([])
        elif letter == b"t ":
            what, caller = map(_hexadecimal, rest.split(b" "))
            frames = [self._name_of(what)] if self._is_raw else self._frames[what]
            tag = self._tags[caller]
            for name in reversed(frames):
                tag = self.sites.tag(name, tag)
            self._tags.append(tag)
        elif letter == b"s ":
            self._strings.append(self._text(rest))
        elif letter == b"i ":
            self._frames.append(self._frames_of(list(map(_hexadecimal, rest.split(b" ")))))
        elif letter == b"m ":
            self._add_module(rest)
        elif letter == b"X ":
            self.information.command = rest.decode(errors="replace").split(" ")
        elif letter == b"x ":
            self._is_raw = True
            self._program = self._text(rest)
        else:
            raise ValueError("there is no such line")

    def _text(self, field: bytes) -> str:
        """A string, which in later versions stands behind its length."""
        if self._is_sized:
            length, _, field = field.partition(b" ")
            if _hexadecimal(length) != len(field):
                raise ValueError("the string has another length")
        return field.decode(errors="replace")

    def _frames_of(self, fields: list[int]) -> list[str]:
        address, module, *places = fields
        unnamed = f"{_base_name(self._strings[module])} [{address:#x}]"
        named = []
        # A function alone, or with file and line any number of times.
        for index in range(0, len(places), 3):
            function = self._strings[places[index]] or unnamed
            has_line = index + 2 < len(places)
            named.append(f"{function} ({self._strings[places[index + 1]]}:{places[index + 2]})" if has_line else function)
        return named or [unnamed]

    def _add_module(self, rest: bytes) -> None:
        if self._is_sized:
            length, _, text = rest.partition(b" ")
            name_bytes = _hexadecimal(length)
            name, fields = text[:name_bytes], text[name_bytes:].split()
        else:
            name, *fields = rest.split(b" ")
        if name == b"-":  # all of them again
            self._modules.clear()
            return
        library = self._program if name == b"x" else name.decode(errors="replace")
        base, *segments = map(_hexadecimal, fields)
        self._bases[library] = base
        for start, length_of in zip(segments[::2], segments[1::2], strict=True):
            self._modules.append((base + start, base + start + length_of, library))

    def _name_of(self, address: int) -> str:
        """Library and offset of an address of code, which is that of the instruction after the call."""
        for start, end, library in self._modules:
            if start <= address < end:
                return f"{_base_name(library)}+{address - self._bases[library]:#x}"
        return f"{address:#x}"


def _hexadecimal(digits: bytes) -> int:
    """A number of 64 bits as heaptrack writes it. ValueError for all else that `int` would take: signs, underscores, 0x."""
    if _NUMBER.fullmatch(digits) is None:
        raise ValueError("not a number")
    return int(digits, 16)


def _base_name(library: str) -> str:
    return library.rpartition("/")[2]
