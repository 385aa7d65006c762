"""Reads the text that ltrace prints: a line a call of a library's function, with its arguments and what it returned.

    ltrace -f -ttt -i -o app.ltrace -e 'malloc+calloc+realloc+free+memalign+aligned_alloc+_Zn*+_Zd*' ./app

    18497 1795533708.233113 [0x401203] app->realloc(0x179cd300, 100) = 0x179cd300
    18502 1795533708.233941 [0x401260] app->malloc(64 <unfinished ...>
    18502 1795533708.234010 [0x401260] <... malloc resumed> ) = 0x7f70b4000b70

Process numbers, times and instruction pointers may be there or not. A call that is made within another of these functions, as that of
malloc within `operator new`, belongs to the outer one. Functions that do not concern memory, signals and exits are passed over.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

from slabheap.events import MOST_BYTES
from slabheap.files import Input
from slabheap.formats.calls import (
    ALLOCATE,
    ALLOCATE_ZEROED,
    FREE,
    MALLOC_ALIGN,
    REALLOCATE,
    REALLOCATE_BEGINS,
    Call,
    CallReader,
    decimal,
)

__all__ = ["LtraceReader", "is_ltrace"]

_PREFIX = re.compile(rb"(?:\[pid (\d+)\] +|(\d+) +)? *(?:(\d\d):(\d\d):(\d\d(?:\.\d+)?) +|(\d{1,10}\.\d+) +)?(?:\[(0x[0-9a-f]+)\] +)? *")
_FUNCTION = (
    rb"malloc|calloc|realloc|reallocarray|memalign|aligned_alloc|posix_memalign|valloc|pvalloc|c?free"
    rb"|_Zn[wa][jm]\w*|_Zd[la]Pv\w*|operator (?:new|delete)(?:\[\])?(?:\([^)]*\))?"
)
_CALL = re.compile(rb"(?:([^\s(]*)->)?(" + _FUNCTION + rb")(?:@[^(]*)?\((.*)")
_RESUMED = re.compile(rb"<\.\.\. (" + _FUNCTION + rb") resumed> (.*)")
_RETURN = re.compile(rb"(.*)\) += (0x[0-9a-f]{1,16}|\d+|nil|NULL|\(nil\)|<void>)(?: <\d+\.\d+>)?")
_OTHER = re.compile(rb"\+\+\+ .* \+\+\+|--- .* ---|<\.\.\. .* resumed>.*|.*\(.*(?: = .*| <unfinished \.\.\.>| <no return \.\.\.>)")
_UNFINISHED = b" <unfinished ...>"
_ADDRESS = re.compile(rb"0x[0-9a-f]{1,16}")
_PAGE_BYTES = 4096


class _Kind(NamedTuple):
    """What a function does, and which of its arguments tell what. Sizes are multiplied."""

    operation: int
    sizes: tuple[int, ...] = (0,)
    align: int | None = None  # where the alignment stands
    least_align: int = MALLOC_ALIGN


_KINDS = {
    b"malloc": _Kind(ALLOCATE),
    b"calloc": _Kind(ALLOCATE_ZEROED, (0, 1)),
    b"memalign": _Kind(ALLOCATE, (1,), 0),
    b"aligned_alloc": _Kind(ALLOCATE, (1,), 0),
    b"valloc": _Kind(ALLOCATE, least_align=_PAGE_BYTES),
    b"pvalloc": _Kind(ALLOCATE, least_align=_PAGE_BYTES),
    b"realloc": _Kind(REALLOCATE, (1,)),
    b"reallocarray": _Kind(REALLOCATE, (1, 2)),
    b"free": _Kind(FREE, ()),
    b"cfree": _Kind(FREE, ()),
    b"new": _Kind(ALLOCATE),
    b"aligned new": _Kind(ALLOCATE, (0,), 1),
    b"delete": _Kind(FREE, ()),
}


@functools.cache
def _kind_of(function: bytes) -> _Kind | None:
    """None for posix_memalign, which does not tell the address."""
    if function.startswith((b"_Zn", b"operator new")):
        return _KINDS[b"aligned new" if b"align_val_t" in function else b"new"]
    return _KINDS[b"delete"] if function.startswith((b"_Zd", b"operator delete")) else _KINDS.get(function)


class _Begun(NamedTuple):
    """A call whose return is yet to come."""

    function: bytes
    kind: _Kind | None
    address: int  # the argument of a free or a reallocation
    size: int
    align: int
    tag: int


def is_ltrace(head: bytes) -> bool:
    """Whether one of the first lines of a file that begins so is a call of malloc or one of its relatives, as ltrace prints it."""
    lines = head.split(b"\n")
    rests = (line[found.end() :] for line in lines[:1000] if (found := _PREFIX.match(line)))
    return any(_CALL.match(rest) and (_RETURN.search(rest) or rest.endswith(_UNFINISHED)) for rest in rests)


class LtraceReader(CallReader):
    """Reads the text of ltrace as a stream of arrays of events.

    Raises:
        ValueError: A line is malformed; while iterating.
    """

    def __init__(self, source: Input) -> None:
        super().__init__(source, "ltrace")
        self._begun: dict[bytes, list[_Begun]] = {}
        self._tags: dict[tuple[bytes, bytes], int] = {}
        self._clock = _Clock()

    def calls(self) -> Iterator[Call]:
        """The calls of the text. One that frees does so where it begins, one that allocates where it returns."""
        for number, line in self.lines():
            prefix = _PREFIX.match(line)
            assert prefix is not None  # every part may be missing
            pid = prefix[1] or prefix[2] or b""
            time = self._clock.nanoseconds(prefix)
            rest = line[prefix.end() :]
            begun = self._begun.setdefault(pid, [])
            returned = None
            if found := _CALL.fullmatch(rest):
                returned = self._begin(begun, number, found, prefix[7] or b"")
                if len(begun) == 1 and (gone := _given_up(begun[0])) is not None:
                    yield time, begun[0].address, 0, 1, self.threads[pid], begun[0].tag, gone
            elif found := _RESUMED.fullmatch(rest):
                returned = self._resume(begun, number, found)
            elif _OTHER.fullmatch(rest):
                if rest.startswith(b"+++"):
                    begun.clear()
            else:
                self.fail(number, f"not a line of ltrace: {line[:100]!r}")
            if returned is not None:
                call = begun.pop()
                come = None if begun else self._received(call, _number(returned[2]) or 0, number)
                if come is not None:
                    yield time, come[0], come[1], come[2], self.threads[pid], call.tag, come[3]

    def _begin(self, begun: list[_Begun], line: int, found: re.Match[bytes], pointer: bytes) -> re.Match[bytes] | None:
        """Adds a call to those that are begun; its return, if it is on the same line."""
        library, function, tail = found.groups()
        is_unfinished = tail.endswith(_UNFINISHED)
        returned = None if is_unfinished else _RETURN.fullmatch(tail)
        if returned is None and not is_unfinished:
            if tail.endswith(b"<no return ...>"):
                return None
            self.fail(line, f"the call of {function.decode()} is not understood: {found[0][:100]!r}")
        arguments = returned[1] if returned else tail.removesuffix(_UNFINISHED)
        begun.append(self._call(line, function, arguments, self._tag(library or b"", pointer)))
        return returned

    def _resume(self, begun: list[_Begun], line: int, found: re.Match[bytes]) -> re.Match[bytes] | None:
        """The return of the call that was begun last, or None if the text does not show how it began."""
        returned = _RETURN.fullmatch(found[2])
        if returned is None:
            self.fail(line, f"the return of {found[1].decode()} is not understood: {found[0][:100]!r}")
        if not begun or begun[-1].function != found[1]:
            self.information.lost += 1
            return None
        return returned

    def _tag(self, library: bytes, pointer: bytes) -> int:
        tag = self._tags.get((library, pointer))
        if tag is None:
            name = " ".join(part.decode(errors="replace") for part in (library, pointer) if part)
            tag = self._tags[library, pointer] = self.sites.tag(name) if name else 0
        return tag

    def _call(self, line: int, function: bytes, text: bytes, tag: int) -> _Begun:
        kind = _kind_of(function)
        arguments = [number for argument in text.split(b", ") if (number := _number(argument)) is not None]
        if kind is None:
            return _Begun(function, None, 0, 0, 0, 0)
        size, align = 1 if kind.sizes else 0, kind.least_align
        try:
            for place in kind.sizes:
                size *= arguments[place]
            if kind.align is not None:
                # A power of two, or rounded up to one; nobody aligns to more than events can tell.
                align = min(max(align, 1 << (arguments[kind.align] - 1).bit_length()), 1 << 31)
            address = arguments[0]
        except IndexError:
            self.fail(line, f"{function.decode()} lacks an argument: ({text[:100].decode(errors='replace')})")
        if function == b"pvalloc":
            size = -(-size // _PAGE_BYTES) * _PAGE_BYTES
        return _Begun(function, kind, address, size, align, tag)

    def _received(self, call: _Begun, value: int, line: int) -> tuple[int, int, int, int] | None:
        """Address, size, alignment and operation of the memory that a call returns; None if there is nothing new."""
        if value and call.size > MOST_BYTES:
            self.fail(line, f"a request of {call.size} bytes is larger than any")
        if call.kind is None:
            self.information.lost += value == 0
            return None
        operation = call.kind.operation
        if operation == FREE:
            return None
        if operation == REALLOCATE and call.address != 0 and call.size != 0:
            return (value, call.size, 1, operation) if value else (call.address, 0, 1, operation)
        return (value, call.size, call.align, ALLOCATE if operation == REALLOCATE else operation) if value else None


def _given_up(call: _Begun) -> int | None:
    """The operation by which a call gives memory up, where it begins; None if it does not."""
    if call.kind is None or call.kind.operation < REALLOCATE or call.address == 0:
        return None
    return FREE if call.kind.operation == FREE or call.size == 0 else REALLOCATE_BEGINS


def _number(text: bytes) -> int | None:
    """A number as ltrace prints it; None for what is none."""
    return int(text, 16) if _ADDRESS.fullmatch(text) else decimal(text)


class _Clock:
    """Times of lines, in nanoseconds since the first: of the day, since 1970, or since the line before."""

    def __init__(self) -> None:
        self._start: int | None = None
        self._last = 0
        self._is_relative = False

    def nanoseconds(self, prefix: re.Match[bytes]) -> int:
        hours, minutes, seconds, stamp = prefix.group(3, 4, 5, 6)
        if hours is not None:
            now = (int(hours) * 60 + int(minutes)) * 60_000_000_000 + _nanoseconds(seconds)
        elif stamp is not None:
            now = _nanoseconds(stamp)
        else:
            return self._last
        if self._start is None:
            self._start = now
            self._is_relative = stamp is not None and now < 10**15  # not since 1970
        if self._is_relative:
            self._last += now
        else:
            elapsed = now - self._start
            day = 86_400_000_000_000
            if hours is not None and elapsed < self._last - day // 2:  # past midnight
                self._start -= day
                elapsed += day
            self._last = elapsed
        return max(0, self._last)


def _nanoseconds(seconds: bytes) -> int:
    whole, _, fraction = seconds.partition(b".")
    return int(whole) * 1_000_000_000 + int(fraction[:9].ljust(9, b"0"))
