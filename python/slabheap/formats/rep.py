"""Reads and writes the traces of the malloc lab of "Computer Systems: A Programmer's Perspective": `.rep` files.

Four lines of a header, of which nobody heeds the first, and a line for each operation:

    3000       the suggested bytes of the heap
    2          the number of ids
    5          the number of operations
    1          the weight of the trace
    a 0 512    allocates the block 0, of 512 bytes
    a 1 128
    r 0 640    reallocates it
    f 1        frees it
    f 0
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator

import numpy as np

from slabheap.events import Events, is_allocation
from slabheap.files import Input, spooled
from slabheap.formats.calls import ALLOCATE, ALLOCATE_ZEROED, FREE, MALLOC_ALIGN, REALLOCATE, Call, CallReader, decimal
from slabheap.formats.writing import FileWriter

__all__ = ["RepReader", "RepWriter", "is_rep"]

_HEADER = re.compile(rb"(?:\s*\d+[ \t]*\r?\n){4}\s*(?:[arf] +\d|$)")
_OPERATIONS = {b"a": (ALLOCATE, 3), b"r": (REALLOCATE, 3), b"f": (FREE, 2)}
_LETTERS = {ALLOCATE: "a", ALLOCATE_ZEROED: "a", REALLOCATE: "r"}
_MOST = (1 << 32) - 1  # of a number; those who replay such traces read it as an int of C


def is_rep(head: bytes) -> bool:
    """Whether a file that begins so is a trace of the malloc lab."""
    return _HEADER.match(head) is not None


class RepReader(CallReader):
    """Reads a trace of the malloc lab as a stream of arrays of events.

    Raises:
        ValueError: A line is malformed, or does not agree with the header or with the lines before it; while iterating.
    """

    def __init__(self, source: Input) -> None:
        super().__init__(source, "rep")

    def numbered(self, calls: Events) -> Events:
        """The events as they are: `calls` has numbered their blocks already."""
        return calls

    def calls(self) -> Iterator[Call]:
        """The operations of the trace; ids become numbers of blocks."""
        # People write such files, too: lines may be empty, and the last may lack its end.
        lines = ((number, line) for number, line in self.lines(may_lack_end=True) if line.strip())
        header = [self._header_number(number, line.strip()) for number, line in itertools.islice(lines, 4)]
        if len(header) < 4:
            self.fail(len(header) + 1, "the header is cut short")
        _, ids, operations, _ = header
        live: dict[int, int] = {}
        blocks = done = 0
        number = 4
        for number, line in lines:
            operation, id_, size = self._parsed(number, line)
            if id_ >= ids:
                self.fail(number, f"the id {id_} is not one of the {ids} that the header speaks of")
            block = live.get(id_)
            if operation == ALLOCATE:
                if block is not None:
                    self.fail(number, f"the id {id_} is allocated twice")
                live[id_] = block = blocks
                blocks += 1
            elif block is None:
                self.fail(number, f"the id {id_} is not allocated")
            elif operation == FREE:
                del live[id_]
            done += 1
            yield 0, block, size, MALLOC_ALIGN if operation == ALLOCATE else 1, 0, 0, operation
        if done != operations:
            self.fail(number, f"the trace ends after {done} operations, but the header speaks of {operations}")

    def _header_number(self, number: int, line: bytes) -> int:
        value = decimal(line)
        return self.fail(number, f"not a number of the header: {line[:100]!r}") if value is None else value

    def _parsed(self, number: int, line: bytes) -> tuple[int, int, int]:
        fields = line.split()
        operation, count = _OPERATIONS.get(fields[0], (FREE, 0))
        if len(fields) != count or not all(map(bytes.isdigit, fields[1:])):
            self.fail(number, f"neither `a id size`, `r id size` nor `f id`: {line[:100].strip()!r}")
        id_, size = decimal(fields[1]), decimal(fields[2]) if count == 3 else 0
        if id_ is None or size is None or max(id_, size) > _MOST:
            self.fail(number, f"a number is larger than {_MOST}")
        return operation, id_, size


class RepWriter(FileWriter):
    """Writes a trace of the malloc lab: operations, blocks and sizes.

    Times, alignments, threads and tags are lost, and which memory was zeroed.
    """

    def begin(self) -> None:
        """Opens a file for the operations: the header, which stands before them, tells how many there are."""
        self._operations = spooled()
        self._requested = self._peak = self._blocks = 0

    def put(self, events: Events) -> None:
        """Writes further operations."""
        no_keys = np.zeros(int(is_allocation(events).sum()), np.int64)
        self._blocks += no_keys.size
        if events["size"].max() > _MOST or self._blocks > _MOST:
            raise ValueError(f"a .rep file cannot hold sizes or ids beyond {_MOST}")
        changes = self.live.advance(events, no_keys)
        requested = self._requested + np.cumsum(changes.after - changes.before)
        self._peak, self._requested = max(self._peak, int(requested.max())), int(requested[-1])
        columns = (events["operation"].tolist(), events["block"].tolist(), events["size"].tolist())
        lines = [
            f"f {block}\n" if operation == FREE else f"{_LETTERS[operation]} {block} {size}\n"
            for operation, block, size in zip(*columns, strict=True)
        ]
        self._operations.write("".join(lines).encode())

    def finish(self) -> None:
        """Writes the header, and behind it the operations."""
        self.file.write(f"{self._peak}\n{self._blocks}\n{self.live.events}\n1\n".encode())
        self._operations.seek(0)
        shutil.copyfileobj(self._operations, self.file)
        self._operations.close()

    def discard(self) -> None:
        """Leaves what was there before."""
        self._operations.close()
        super().discard()
