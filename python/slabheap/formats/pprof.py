"""Writes profiles that pprof opens: a message of protocol buffers, packed by gzip."""

from __future__ import annotations

import functools
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from slabheap.events import Events
from slabheap.formats.profile import PLACE, Places, Profile, frames_of, size_range
from slabheap.formats.writing import FileWriter
from slabheap.information import Information

__all__ = ["PprofWriter", "profile_message"]

# The fields of pprof's messages: number and type. A star is for repeated, a name for one of the messages.
_MESSAGES = {
    "Profile": {
        "sample_type": (1, "ValueType*"),
        "sample": (2, "Sample*"),
        "location": (4, "Location*"),
        "function": (5, "Function*"),
        "string_table": (6, "string*"),
        "duration_nanos": (10, "int64"),
        "period_type": (11, "ValueType"),
        "period": (12, "int64"),
        "comment": (13, "int64*"),
        "default_sample_type": (14, "int64"),
    },
    "ValueType": {"type": (1, "int64"), "unit": (2, "int64")},
    "Sample": {"location_id": (1, "uint64*"), "value": (2, "int64*"), "label": (3, "Label*")},
    "Label": {"key": (1, "int64"), "str": (2, "int64"), "num": (3, "int64"), "num_unit": (4, "int64")},
    "Location": {"id": (1, "uint64"), "line": (4, "Line*")},
    "Line": {"function_id": (1, "uint64"), "line": (2, "int64")},
    "Function": {"id": (1, "uint64"), "name": (2, "int64"), "system_name": (3, "int64"), "filename": (4, "int64")},
}
_PACKAGE = "slabheap.perftools.profiles"

# What each sample counts, and which figure of its place that is.
_VALUES = [
    ("alloc_objects", "count", "total_blocks"),
    ("alloc_space", "bytes", "total_bytes"),
    ("peak_objects", "count", "peak_blocks"),
    ("peak_space", "bytes", "peak_bytes"),
    ("inuse_objects", "count", "end_blocks"),
    ("inuse_space", "bytes", "end_bytes"),
]
_DEFAULT = "peak_space"
_NAMED_LINE = re.compile(r"(?P<function>.*) \((?P<file>.*):(?P<line>\d{1,9})\)")


@functools.cache
def profile_message() -> Any:
    """The class of the message that a profile is."""
    file = descriptor_pb2.FileDescriptorProto(name="slabheap/profile.proto", package=_PACKAGE, syntax="proto3")
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, (number, kind) in fields.items():
            scalar = getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{kind.rstrip('*').upper()}", None)
            field = described.field.add(name=name, number=number)
            field.label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
            field.type = field.TYPE_MESSAGE if scalar is None else scalar
            if scalar is None:
                field.type_name = f".{_PACKAGE}.{kind.rstrip('*')}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Profile"))


class PprofWriter(FileWriter):
    """Writes a profile of pprof: bytes and blocks of every place in the program, in all, at the peak and at the end.

    Each sample has a label for its thread and one for the range of its sizes. Single events and lifetimes are lost.
    """

    def __init__(self, path: str | Path, information: Information, packing: str = "gzip") -> None:
        super().__init__(path, information, packing or "gzip")

    def begin(self) -> None:
        """Starts a profile."""
        self._profile = Profile(_places_of)

    def put(self, events: Events) -> None:
        """Adds events to the profile."""
        self._profile.advance(events)

    def finish(self) -> None:
        """Writes the profile."""
        known = self.information
        message = _Message()
        for name, unit, _ in _VALUES:
            message.of.sample_type.add(type=message.string(name), unit=message.string(unit))
        for place, row in zip(self._profile.places, self._profile.figures(), strict=True):
            sample = message.of.sample.add()
            sample.location_id.extend(message.location(frame) for frame in frames_of(known, *place))
            sample.value.extend(int(row[figure]) for _, _, figure in _VALUES)
            _, thread, most_bytes = place
            sample.label.add(key=message.string("thread"), str=message.string(f"thread {thread}"))
            sample.label.add(key=message.string("bytes"), num=most_bytes, num_unit=message.string("bytes"))
        message.of.duration_nanos = self._profile.time
        message.of.period_type.type, message.of.period_type.unit, message.of.period = message.string("space"), message.string("bytes"), 1
        message.of.default_sample_type = message.string(_DEFAULT)
        message.of.comment.append(message.string(shlex.join(known.command) or known.source))
        message.of.string_table.extend(message.strings)
        self.file.write(message.of.SerializeToString(deterministic=True))


class _Message:
    """A profile in the making: strings, functions and locations stand in tables, and others refer to them."""

    def __init__(self) -> None:
        self.of = profile_message()()
        self.strings = {"": 0}
        self._locations: dict[str, int] = {}
        self._functions: dict[tuple[str, str], int] = {}

    def string(self, text: str) -> int:
        return self.strings.setdefault(text.encode(errors="replace").decode(), len(self.strings))

    def location(self, frame: str) -> int:
        """The location of a frame, such as "parse (json.c:71)"."""
        if frame not in self._locations:
            found = _NAMED_LINE.fullmatch(frame)
            name, file, line = (found["function"], found["file"], int(found["line"])) if found else (frame, "", 0)
            number = self._locations[frame] = len(self._locations) + 1
            self.of.location.add(id=number).line.add(function_id=self._function(name, file), line=line)
        return self._locations[frame]

    def _function(self, name: str, file: str) -> int:
        if (name, file) not in self._functions:
            number = self._functions[name, file] = len(self._functions) + 1
            text = self.string(name)
            self.of.function.add(id=number, name=text, system_name=text, filename=self.string(file))
        return self._functions[name, file]


def _places_of(allocations: Events) -> Places:
    places = np.zeros(allocations.size, PLACE)
    places["tag"], places["thread"] = allocations["tag"], allocations["thread"]
    places["most_bytes"] = size_range(allocations["size"])
    return places
