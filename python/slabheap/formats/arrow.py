"""Traces as tables of Arrow: in memory, in files of Arrow (Feather), and in Parquet. A row is an event; nothing is lost.

What is known about the trace besides its events is JSON: in the metadata of the schema under "slabheap" for a table and for Parquet, in
that of the last batch, which is empty, for a file of Arrow.
"""

from __future__ import annotations

import abc
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.ipc
import pyarrow.parquet

from slabheap import _core
from slabheap.events import EVENT, Events, Operation, is_allocation
from slabheap.files import Closing, Input
from slabheap.formats.writing import FileWriter
from slabheap.information import Information, json_object
from slabheap.tracefile import CHUNK_EVENTS, expect_writable

__all__ = ["ArrowReader", "ArrowWriter", "ParquetReader", "ParquetWriter", "table_of", "trace_of"]

#: The names of the operations, in the order of their numbers.
_OPERATIONS = [operation.name.lower() for operation in Operation]
_KEY = b"slabheap"
_FIELDS = [name for name in EVENT.names or () if name != "operation"]
_SCHEMA = pa.schema(
    [pa.field(name, pa.from_numpy_dtype(EVENT[name]), nullable=False) for name in _FIELDS]
    + [pa.field("operation", pa.dictionary(pa.int8(), pa.string()), nullable=False)]
)


def _batch_of(events: Events) -> pa.RecordBatch:
    columns = [pa.array(np.ascontiguousarray(events[name])) for name in _FIELDS]
    operations = pa.DictionaryArray.from_arrays(pa.array(events["operation"].astype(np.int8)), pa.array(_OPERATIONS))
    return pa.RecordBatch.from_arrays([*columns, operations], schema=_SCHEMA)


def _metadata(information: Information) -> dict[bytes, bytes]:
    return {_KEY: json.dumps(information.to_json()).encode()}


def _information(metadata: Any) -> Information:
    """What metadata tell; tables of others may tell nothing."""
    known = Information()
    try:
        known.learn(json_object((metadata or {}).get(_KEY, b"{}")))
    except ValueError as error:
        raise ValueError(f"what the metadata tell about the trace makes no sense: {error}") from None
    return known


def _events_of(batch: pa.RecordBatch | pa.Table) -> Events:
    """The events of rows, as their columns say; those that are missing are 0, alignments 1."""
    if "operation" not in batch.schema.names or "block" not in batch.schema.names:
        raise ValueError(f"a trace has at least the columns operation and block, not {', '.join(batch.schema.names)}")
    events = np.zeros(batch.num_rows, EVENT)
    events["align"] = 1
    for name in set(_FIELDS) & set(batch.schema.names):
        column = batch.column(name)
        if column.null_count:
            raise ValueError(f"the column {name} has rows without a value")
        events[name] = column.cast(pa.from_numpy_dtype(EVENT[name])).to_numpy(zero_copy_only=False)
    operations = batch.column("operation")
    if not pa.types.is_integer(operations.type):
        operations = pa.compute.index_in(operations.cast(pa.string()), pa.array(_OPERATIONS))
    if operations.null_count:
        raise ValueError(f"an operation is none of {', '.join(_OPERATIONS)}")
    events["operation"] = operations.cast(pa.uint8()).to_numpy(zero_copy_only=False)
    return events


class _Checked:
    """Gives blocks of further rows the numbers that a trace wants, and refuses what no trace could hold."""

    def __init__(self) -> None:
        self._numbering = _core.BlockNumbering()
        self._blocks = self._time = self.rows = 0

    def __call__(self, events: Events) -> Events:
        """The same events, as those of a trace."""
        if (events["operation"] > Operation.FREE).any():
            raise ValueError(f"there is no operation {events['operation'].max()}")
        events = self._numbering.number(events)
        if events.size:
            expect_writable(events, self._blocks, self._time)
            self._time = int(events["time"][-1])
        self._blocks += int(is_allocation(events).sum())
        self.rows += events.size
        return events


class _TableReader(Closing):
    """A reader of rows."""

    def __init__(self, source: Input) -> None:
        self.source = source
        self._checked = _Checked()
        self._rows = 0
        self._closing = contextlib.ExitStack()
        self._closing.callback(source.close)
        try:
            with self._refusals():
                self.information = self._open(str(source.path_on_disk()))
        except BaseException:
            self.close()
            raise

    @abc.abstractmethod
    def _open(self, path: str) -> Information:
        """Opens a file."""

    @abc.abstractmethod
    def _batches(self) -> Iterator[pa.RecordBatch]:
        """Its rows, at most CHUNK_EVENTS at a time."""

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """Lets what is wrong with the file be a ValueError that says where."""
        try:
            yield
        except (pa.ArrowException, ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
            raise ValueError(f"{self.source.name}: in or behind row {self._checked.rows}: {error}") from None

    @property
    def progress(self) -> tuple[int, int]:
        """The rows that are read, and those that there are, 0 if that is not known."""
        return self._checked.rows, self._rows

    def __iter__(self) -> Iterator[Events]:
        with self._refusals():
            for batch in self._batches():
                if batch.num_rows:
                    yield self._checked(_events_of(batch))

    def close(self) -> None:
        """Closes the file."""
        self._closing.close()


class ArrowReader(_TableReader):
    """Reads a file of Arrow as a stream of arrays of events.

    Raises:
        ValueError: It is malformed, or no trace; also while iterating.
    """

    def _open(self, path: str) -> Information:
        self._file = self._closing.enter_context(pa.ipc.open_file(self._closing.enter_context(pa.memory_map(path))))
        last = self._file.num_record_batches - 1
        metadata = self._file.get_batch_with_custom_metadata(last).custom_metadata if last >= 0 else None
        return _information(metadata or self._file.schema.metadata)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        for index in range(self._file.num_record_batches):
            batch = self._file.get_batch(index)
            for start in range(0, batch.num_rows, CHUNK_EVENTS):
                yield batch.slice(start, CHUNK_EVENTS)


class ParquetReader(_TableReader):
    """Reads a file of Parquet as a stream of arrays of events.

    Raises:
        ValueError: It is malformed, or no trace; also while iterating.
    """

    def _open(self, path: str) -> Information:
        self._file = self._closing.enter_context(pa.parquet.ParquetFile(path))
        self._rows = self._file.metadata.num_rows
        return _information(self._file.metadata.metadata)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        yield from self._file.iter_batches(batch_size=CHUNK_EVENTS)


class _TableWriter(FileWriter):
    """A writer of rows."""

    _writer: Any
    _blocks = _time = 0

    def put(self, events: Events) -> None:
        """Writes a group of rows."""
        expect_writable(events, self._blocks, self._time)
        self._writer.write_batch(_batch_of(events))
        self._blocks += int(is_allocation(events).sum())
        self._time = int(events["time"][-1])

    def discard(self) -> None:
        """Leaves what was there before."""
        with contextlib.suppress(pa.ArrowException, OSError, ValueError):
            self._writer.close()  # else it tries to when it is forgotten
        super().discard()


class ArrowWriter(_TableWriter):
    """Writes a file of Arrow, which Feather, pandas and most others read, too. Nothing is lost."""

    def begin(self) -> None:
        """Writes the schema."""
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        self._writer = pa.ipc.new_file(pa.PythonFile(self.file, mode="w"), _SCHEMA, options=options)

    def finish(self) -> None:
        """Writes a batch of no rows, with what is known about the trace, and where batches lie."""
        self._writer.write_batch(_batch_of(np.zeros(0, EVENT)), custom_metadata=_metadata(self.information))
        self._writer.close()


class ParquetWriter(_TableWriter):
    """Writes a file of Parquet. Nothing is lost."""

    def begin(self) -> None:
        """Writes the head."""
        self._writer = pa.parquet.ParquetWriter(pa.PythonFile(self.file, mode="w"), _SCHEMA, compression="zstd")

    def finish(self) -> None:
        """Writes what is known about the trace, and where groups lie."""
        self._writer.add_key_value_metadata(_metadata(self.information))
        self._writer.close()


def table_of(events: Events, information: Information) -> pa.Table:
    """A table of Arrow, with a row for each event."""
    return pa.Table.from_batches([_batch_of(events)]).replace_schema_metadata(_metadata(information))


def trace_of(table: pa.Table) -> tuple[Events, Information]:
    """The events of a table of Arrow, their blocks numbered anew, and what its metadata tell about them.

    Raises:
        ValueError: The rows are no events, or make no sense; the message names the row.
    """
    return _Checked()(_events_of(table)), _information(table.schema.metadata)
