"""The formats of traces: which there are, how a file tells which it is, and reading, writing and converting as streams.

docs/formats.md says what each holds and what it loses.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from slabheap.events import Operation
from slabheap.files import Input
from slabheap.formats.calls import EventReader
from slabheap.formats.heaptrack import HeaptrackReader, is_heaptrack
from slabheap.formats.ltrace import LtraceReader, is_ltrace
from slabheap.formats.memray import MemrayReader, is_memray
from slabheap.formats.mtrace import MtraceReader, is_mtrace
from slabheap.formats.rep import RepReader, RepWriter, is_rep
from slabheap.formats.writing import EventWriter
from slabheap.information import Information
from slabheap.tracefile import MAGIC, TraceReader, TraceWriter

__all__ = ["FORMATS", "Converted", "EventReader", "EventWriter", "Format", "convert", "create_trace", "format_of_name", "open_trace"]

_Recognises: TypeAlias = Callable[[bytes], bool]
_Reader: TypeAlias = Callable[[Input], EventReader]
_Writer: TypeAlias = Callable[[str | Path, Information, str], EventWriter]

#: Suffixes that say how a file is packed.
_PACKINGS = {".gz": "gzip", ".zst": "zstd"}


@dataclasses.dataclass(frozen=True)
class Format:
    """A format of traces.

    Attributes:
        name: What users call it.
        title: What it is, in a few words.
        suffixes: How the names of its files end.
        recognises: Whether a file is of it, by its first 65,536 bytes or fewer; None if it cannot be read.
        reader: What reads it.
        writer: What writes it; None if it cannot be written.
    """

    name: str
    title: str
    suffixes: tuple[str, ...] = ()
    recognises: _Recognises | None = None
    reader: _Reader | None = None
    writer: _Writer | None = None


# pyarrow and protobuf take longer to load than all of slabheap, and are loaded when they are wanted.


def _table_reader(name: str) -> _Reader:
    def read(source: Input) -> EventReader:
        from slabheap.formats import arrow

        reader: EventReader = getattr(arrow, name)(source)
        return reader

    return read


def _table_writer(name: str) -> _Writer:
    def write(path: str | Path, information: Information, packing: str) -> EventWriter:
        from slabheap.formats import arrow

        writer: EventWriter = getattr(arrow, name)(path, information, packing)
        return writer

    return write


def _native_writer(path: str | Path, information: Information, packing: str) -> EventWriter:
    if packing:
        raise ValueError(f"a trace of slabheap is packed already; leave {Path(path).suffix} out")
    return TraceWriter(path, information)


def _dhat_writer(path: str | Path, information: Information, packing: str) -> EventWriter:
    from slabheap.formats.dhat import DhatWriter

    return DhatWriter(path, information, packing)


def _chrome_writer(path: str | Path, information: Information, packing: str) -> EventWriter:
    from slabheap.formats.chrome import ChromeWriter

    return ChromeWriter(path, information, packing)


def _pprof_writer(path: str | Path, information: Information, packing: str) -> EventWriter:
    from slabheap.formats.pprof import PprofWriter

    return PprofWriter(path, information, packing)


#: By their names; in the order in which a file is asked which it is.
FORMATS: dict[str, Format] = {
    known.name: known
    for known in (
        Format("slabheap", "the native trace", (".trace",), lambda head: head.startswith(MAGIC), TraceReader, _native_writer),
        Format("heaptrack", "a stream of heaptrack, raw or not", (), is_heaptrack, HeaptrackReader),
        Format("memray", "a capture of memray", (), is_memray, MemrayReader),
        Format("mtrace", "a log of glibc's mtrace", (), is_mtrace, MtraceReader),
        Format("rep", "a trace of the CS:APP malloc lab", (".rep",), is_rep, RepReader, RepWriter),
        Format(
            *("arrow", "a table of Arrow", (".arrow", ".feather"), lambda head: head.startswith(b"ARROW1")),
            *(_table_reader("ArrowReader"), _table_writer("ArrowWriter")),
        ),
        Format(
            *("parquet", "a table of Parquet", (".parquet",), lambda head: head.startswith(b"PAR1")),
            *(_table_reader("ParquetReader"), _table_writer("ParquetWriter")),
        ),
        Format("ltrace", "the text of ltrace", (), is_ltrace, LtraceReader),
        Format("dhat", "a profile for the viewer of valgrind's DHAT", (".dhat", ".dhat.json"), writer=_dhat_writer),
        Format("chrome", "JSON for Perfetto and chrome://tracing", (".chrome.json", ".perfetto.json"), writer=_chrome_writer),
        Format("pprof", "a profile of pprof", (".pprof", ".pb", ".pb.gz"), writer=_pprof_writer),
    )
}


def _known(name: str, part: str, does: str) -> Format:
    """The format of a name, if it can be read or written."""
    able = [known.name for known in FORMATS.values() if getattr(known, part) is not None]
    if name not in able:
        raise ValueError(f"there is no format {name!r} to {does}; there are {', '.join(able)}")
    return FORMATS[name]


def format_of_name(path: str | Path) -> tuple[str, str]:
    """The format that the end of a file's name stands for, and how the file is packed: "gzip", "zstd" or "".

    Standard output, and a name without a suffix, stand for the native format.

    Raises:
        ValueError: The suffix is that of no format, or of several.

    Examples:
        >>> format_of_name("app.trace"), format_of_name("app.rep.gz"), format_of_name("app.pb.gz")
        (('slabheap', ''), ('rep', 'gzip'), ('pprof', ''))
    """
    name = Path(path).name
    for packing_suffix, packing in {"": "", **_PACKINGS}.items():
        bare = name.removesuffix(packing_suffix) if name.endswith(packing_suffix) else ""
        for known in FORMATS.values():
            if bare.endswith(known.suffixes) and known.suffixes:
                return known.name, packing
    if str(path) == "-" or not Path(path).suffix:
        return "slabheap", ""
    suffixes = ", ".join(suffix for known in FORMATS.values() if known.writer for suffix in known.suffixes)
    raise ValueError(f"{path}: no format has files that are called so; name it, or let the file end with one of {suffixes}")


def open_trace(path: str | Path | Input, format: str | None = None) -> EventReader:  # noqa: A002
    """A reader of a trace of any format: iterate over it for one array of events after another.

    Args:
        path: The file, packed by gzip or Zstandard or not; "-" for standard input.
        format: Its format; what its first bytes say unless given.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is malformed, or of no format that can be read; the message names the file and the offset, line, or row. Also while
            it is read.
    """
    source = path if isinstance(path, Input) else Input(path)
    try:
        if format is None:
            format = next((known.name for known in FORMATS.values() if known.recognises and known.recognises(source.head)), None)  # noqa: A001
        if format is None:
            names = ", ".join(known.name for known in FORMATS.values() if known.recognises)
            raise ValueError(f"{source.name}: at offset 0: not a trace: it begins as none of {names} does")
        reader = _known(format, "reader", "read").reader
        assert reader is not None
        return reader(source)
    except BaseException:
        source.close()
        raise


def create_trace(path: str | Path, information: Information, format: str | None = None) -> EventWriter:  # noqa: A002
    """A writer of a trace: `write` arrays of events, then `close`, or use it as a context.

    Args:
        path: The file, which is replaced once it is whole; "-" for standard output. If its name ends with .gz or .zst, it is packed; but a
            trace of slabheap always is, and has no such name.
        information: What is known about the trace; sites have to be in it before the events that refer to them are written.
        format: Its format; what its name says unless given.

    Raises:
        OSError: It cannot be written.
        ValueError: There is no such format, or the name of a trace of slabheap ends with .gz or .zst.
    """
    if format is None:
        format, packing = format_of_name(path)  # noqa: A001
    else:
        packing = _PACKINGS.get(Path(path).suffix, "")
    writer = _known(format, "writer", "write").writer
    assert writer is not None
    return writer(path, information, packing)


@dataclasses.dataclass(frozen=True)
class Converted:
    """What `convert` did.

    Attributes:
        source: The format that was read: what its reader calls it.
        format: The format that was written.
        events: How many events there were.
        requests: How many of them asked for memory.
        requested_bytes: Bytes that they asked for, in all.
        lost: As in `Information`.
        foreign: As in `Information`.
        implied_frees: As in `Information`.
        sites: How many places in the program are known.
    """

    source: str
    format: str
    events: int
    requests: int
    requested_bytes: int
    lost: int
    foreign: int
    implied_frees: int
    sites: int


def convert(
    source: str | Path,
    target: str | Path,
    *,
    source_format: str | None = None,
    target_format: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Converted:
    """Reads a trace and writes it in another format, a chunk at a time: a trace larger than memory is no matter.

    Args:
        source: The file; "-" for standard input.
        target: The file to write, which is replaced once it is whole; "-" for standard output.
        source_format: The format of `source`; what its first bytes say unless given.
        target_format: That of `target`; what its name says unless given.
        progress: Called with how much of `source` is read, and how much there is, which is 0 if it is not known: bytes, or rows of a table.

    Returns:
        What was read and written, in numbers.

    Raises:
        OSError: A file cannot be read or written.
        ValueError: `source` is malformed, or holds what `target` cannot hold; `target` is as it was before.

    Examples:
        >>> import tempfile
        >>> from slabheap import Trace, workloads
        >>> folder = Path(tempfile.mkdtemp())
        >>> workloads.from_lifetimes(100, workloads.constant(32), workloads.constant(10)).save(folder / "a.trace")
        >>> convert(folder / "a.trace", folder / "a.rep").events
        190
        >>> len(Trace.load(folder / "a.rep"))
        190
    """
    name = target_format or format_of_name(target)[0]  # before anything is read
    _known(name, "writer", "write")
    events = requests = requested = 0
    with contextlib.ExitStack() as closing:
        reader = closing.enter_context(open_trace(source, source_format))
        chunks = iter(reader)
        first = list(itertools.islice(chunks, 1))  # only now it is known where the trace comes from
        writer = closing.enter_context(create_trace(target, reader.information, target_format))
        for chunk in itertools.chain(first, chunks):
            writer.write(chunk)
            asking = chunk["operation"] != Operation.FREE
            events += chunk.size
            requests += int(asking.sum())
            requested += int(chunk["size"][asking].sum())
            if progress is not None:
                progress(*reader.progress)
    known = reader.information
    counts: dict[str, Any] = {name: getattr(known, name) for name in ("lost", "foreign", "implied_frees")}
    return Converted(known.source, name, events, requests, requested, sites=len(known.sites), **counts)
