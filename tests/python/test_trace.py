"""Traces in memory: their events, what is known about them, and which events make no sense."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from making_traces import ALLOCATE, FREE, REALLOCATE, ZEROED, event_arrays, events_of, random_trace, trace_of
from slabheap import EVENT, Information, Operation, Trace
from slabheap.events import MOST_BYTES, Events
from slabheap.summary import Summary
from slabheap.tracefile import CHUNK_EVENTS


def test_an_event_has_the_documented_fields() -> None:
    assert EVENT.names == ("time", "block", "size", "align", "thread", "tag", "operation")
    assert [EVENT[name].str for name in EVENT.names or ()] == ["<u8", "<u8", "<u8", "<u4", "<u4", "<u4", "|u1"]
    assert EVENT.itemsize == 40
    assert list(Operation) == [0, 1, 2, 3]
    assert [operation.name for operation in Operation] == ["ALLOCATE", "ALLOCATE_ZEROED", "REALLOCATE", "FREE"]


def test_a_trace_says_what_it_holds() -> None:
    trace = trace_of((ALLOCATE, 0, 100), (ZEROED, 1, 50), (REALLOCATE, 0, 300), (FREE, 1), (ALLOCATE, 2, 10), (FREE, 0))
    trace.events["thread"][3:] = 5
    assert (len(trace), trace.block_count, trace.thread_count) == (6, 3, 2)
    assert trace.duration == 5e-6
    assert trace.peak_requested_bytes == 350
    assert trace.request_sizes.tolist() == [100, 50, 300, 10]
    program = trace.program
    assert (program.events, program.slots, program.requested_bytes, program.peak_event) == (6, 2, 10, 2)
    assert program.largest_request == 300


def test_a_trace_of_nothing_holds_nothing() -> None:
    for trace in (trace_of(), Trace.from_events(np.zeros(0, EVENT))):
        assert (len(trace), trace.block_count, trace.thread_count, trace.duration, trace.peak_requested_bytes) == (0, 0, 0, 0.0, 0)
        assert trace.request_sizes.size == 0
        assert list(trace.chunks()) == []


def test_a_trace_tells_in_a_line_what_it_is() -> None:
    trace = trace_of((ALLOCATE, 0, 100), (FREE, 0))
    assert repr(trace) == "<Trace of unknown origin: 2 events, 1 block, 1e-06 s>"
    trace.information.source = "recorder"
    assert "<Trace of recorder:" in repr(trace)
    trace.information.command = ["/bin/true", "-x"]
    assert "<Trace of /bin/true:" in repr(trace)


def test_traces_do_not_share_what_is_known_about_them() -> None:
    one, other = trace_of(), trace_of()
    one.information.command.append("x")
    assert other.information == Information()


def test_a_trace_is_pickled_and_copied_whether_it_was_compiled_or_not() -> None:
    trace = random_trace(1, 100)
    for is_compiled in (False, True):
        assert ("program" in vars(trace)) == is_compiled
        for other in (pickle.loads(pickle.dumps(trace)), copy.deepcopy(trace)):
            assert np.array_equal(other.events, trace.events)
            assert other.information == trace.information
            assert other.peak_requested_bytes == trace.peak_requested_bytes


def test_events_may_be_a_slice_or_have_no_padding() -> None:
    events = events_of([(ALLOCATE, block, 10) for block in range(10)])
    packed = np.dtype([(name, EVENT[name]) for name in EVENT.names or ()])
    for given_events in (events[:6], np.repeat(events[:6], 2)[::2], events[:6].astype(packed), np.concatenate([events[:3], events[3:6]])):
        trace = Trace(given_events)
        assert trace.events.dtype == EVENT
        assert np.array_equal(trace.events, events[:6])
        assert trace.peak_requested_bytes == 60


@pytest.mark.parametrize("array", [np.zeros(3), np.zeros((2, 2), EVENT), np.zeros(3, [("time", "u8")]), [1, 2], None, "abc"])
def test_what_is_no_array_of_events_is_refused(array: Any) -> None:
    for make in (Trace, Trace.from_events):
        with pytest.raises(ValueError, match=r"events must be a one-dimensional array with the fields of slabheap\.EVENT"):
            make(array)


def test_chunks_are_the_events_in_order() -> None:
    trace = random_trace(1, 2 * CHUNK_EVENTS + 5)
    chunks = list(trace.chunks())
    assert [chunk.size for chunk in chunks] == [CHUNK_EVENTS, CHUNK_EVENTS, 5]
    assert np.array_equal(np.concatenate(chunks), trace.events)


def test_blocks_are_renumbered_in_order_of_their_allocation() -> None:
    given_events = events_of([(ALLOCATE, 70, 1), (ALLOCATE, 7, 2), (REALLOCATE, 70, 3), (FREE, 70), (ZEROED, 70, 4), (FREE, 7), (FREE, 70)])
    trace = Trace.from_events(given_events, Information(source="elsewhere"))
    assert trace.events["block"].tolist() == [0, 1, 0, 0, 2, 1, 2]
    assert given_events["block"].tolist() == [70, 7, 70, 70, 70, 7, 70]
    assert trace.information.source == "elsewhere"
    assert trace.program.slots == 2


@given(event_arrays())
@settings(max_examples=50, deadline=None)
def test_renumbering_leaves_a_trace_as_it_is(events: Events) -> None:
    assert np.array_equal(Trace.from_events(events).events, events)


@pytest.mark.parametrize(
    ("happenings", "words"),
    [
        ([(ALLOCATE, 5, 1), (FREE, 4)], "event 1: block 4 is not live"),
        ([(REALLOCATE, 0, 1)], "event 0: block 0 is not live"),
        ([(ALLOCATE, 5, 1), (FREE, 5), (FREE, 5)], "event 2: block 5 is not live"),
        ([(ALLOCATE, 5, 1), (ZEROED, 5, 1)], "event 1: block 5 is allocated twice"),
    ],
)
def test_events_that_cannot_be_numbered_are_named(happenings: list[tuple[int, ...]], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Trace.from_events(events_of(happenings))


def wrong(index: int, field: str, value: int) -> Events:
    """Events of which one field is wrong."""
    events = events_of([(ALLOCATE, 0, 1), (ALLOCATE, 1, 1), (REALLOCATE, 0, 5), (FREE, 0)])
    events[field][index] = value
    return events


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (wrong(1, "block", 0), "event 1: block 0 is allocated twice"),
        (wrong(2, "block", 7), "event 2: reallocates block 7, which is not live"),
        (wrong(3, "block", 7), "event 3: frees block 7, which is not live"),
        (wrong(2, "operation", FREE), "event 3: frees block 0, which is not live"),
        (wrong(0, "align", 0), "event 0: block 0 has an alignment of 0"),
        (wrong(1, "align", 24), "event 1: block 1 has an alignment of 24"),
        (wrong(1, "size", (1 << 62) + 1), f"event 1: block 1 has {(1 << 62) + 1} bytes"),
        (wrong(2, "size", 1 << 63), f"event 2: block 0 has {1 << 63} bytes"),
        (wrong(3, "operation", 4), "event 3: there is no operation 4"),
        (wrong(0, "operation", 255), "event 0: there is no operation 255"),
    ],
)
def test_events_that_make_no_sense_are_named_when_they_are_compiled(events: Events, words: str) -> None:
    trace = Trace(events)
    for _ in range(2):
        with pytest.raises(ValueError, match=words):
            _ = trace.program


def test_the_largest_request_is_the_same_to_all(tmp_path: Path) -> None:
    for operation in (ALLOCATE, REALLOCATE):
        largest = trace_of((ALLOCATE, 0, 5), (operation, int(operation == ALLOCATE), MOST_BYTES))
        largest.save(tmp_path / "a.trace")
        peak = MOST_BYTES + 5 * (operation == ALLOCATE)
        for trace in (largest, Trace.load(tmp_path / "a.trace"), Trace.from_arrow(largest.to_arrow())):
            assert trace.program.peak_requested_bytes == trace.summary()["peak_requested_bytes"] == peak
        larger = Trace(largest.events.copy())
        larger.events["size"][1] += 1
        with pytest.raises(ValueError, match=f"event 1: block [01] has {MOST_BYTES + 1} bytes"):
            _ = larger.program
        with pytest.raises(ValueError, match=f"event 1: block [01] is larger than any: {MOST_BYTES} bytes are the most"):
            larger.summary()
        with pytest.raises(ValueError, match="is larger than any"):
            Trace.from_arrow(larger.to_arrow())
        for name in ("b.trace", "b.arrow", "b.chrome.json"):
            with pytest.raises(ValueError, match="is larger than any"):
                larger.save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["a.trace"]


def test_a_summary_of_no_events_says_so() -> None:
    summary = Summary()
    summary.add(np.zeros(0, EVENT))
    assert summary.facts(Information()) == trace_of().summary()


def model_of(events: Events) -> tuple[list[int], int, int]:
    """The requested bytes after each event, the most blocks live at once, and the largest request; counted in Python."""
    sizes: dict[int, int] = {}
    requested, most, largest = [], 0, 0
    for event in events:
        if event["operation"] == FREE:
            del sizes[int(event["block"])]
        else:
            sizes[int(event["block"])] = int(event["size"])
            largest = max(largest, int(event["size"]))
        most = max(most, len(sizes))
        requested.append(sum(sizes.values()))
    return requested, most, largest


@given(event_arrays())
@settings(max_examples=100, deadline=None)
def test_a_compiled_trace_has_the_figures_of_a_model(events: Events) -> None:
    requested, slots, largest = model_of(events)
    program = Trace(events).program
    assert (program.events, program.slots, program.largest_request) == (events.size, slots, largest)
    assert program.requested_bytes == (requested[-1] if requested else 0)
    assert program.peak_requested_bytes == max(requested, default=0)
    assert program.peak_event == (requested.index(max(requested)) if any(requested) else 0)
