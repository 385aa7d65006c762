"""Tables of single operations, which `bench worst` counted."""

from __future__ import annotations

from typing import Any

from slabheap_bench.table import Cell, Row, Table, label, size_text

#: States of a heap, and calls.
STATES = ("warm", "cold", "spread", "short")
CALLS = ("allocate", "deallocate", "free")


def tables(result: dict[str, Any]) -> list[Table]:
    """All of them."""
    return [*by_heap(result), quantiles(result), first_calls(result), peers(result)]


def _worst(*figures: dict[str, Any]) -> float | None:
    """Of calls of some kinds; None if there was none."""
    return max((float(each["worst"]) for each in figures if each["operations"]), default=None)


def by_heap(result: dict[str, Any]) -> list[Table]:
    """The worst operation by heap and state: a table for each kind of heap and each way with freed runs."""
    made = []
    for kind, freed_runs in dict.fromkeys((row["kind"], row["freed_runs"]) for row in result["shapes"]):
        rows: list[Row] = []
        for row in result["shapes"]:
            if (row["kind"], row["freed_runs"]) != (kind, freed_runs):
                continue
            states = {state["name"]: state for state in row["states"]}
            figures: list[Cell] = [_worst(states[state][call]) for state in STATES for call in CALLS]
            fails = _worst(*(states[state]["fails"] for state in STATES))
            emptying = [_worst(states["emptying"][call]) for call in ("allocate", "fails")] if "emptying" in states else []
            rows.append((size_text(row["bytes"]), str(row["regions"]), *figures, fails, *emptying))
        columns = ("heap", "regions", *(f"{state} {call}" for state in STATES for call in CALLS), "fails")
        last = ("emptying succeeds", "emptying fails") if freed_runs == "kept" else ()
        caption = (
            f"{kind.replace('-', ', ', 1).replace('-', ' ').capitalize()}, freed runs {freed_runs}: instructions of the worst single call. "
            f"Less is better. `fails` is any state{' but emptying' if last else ''}."
        )
        made.append(Table(f"worst-{kind}-{freed_runs}", caption, columns + last, tuple(rows), 0, words=2))
    return made


def quantiles(result: dict[str, Any]) -> Table:
    """How often what happens."""
    rows: list[Row] = []
    for row in result["shapes"]:
        if (row["bytes"], row["regions"]) != (1 << 30, 1):
            continue
        for state in row["states"]:
            if state["name"] not in ("warm", "short"):
                continue
            for call in CALLS:
                figures = state[call]
                texts = (f"{row['kind']}, {row['freed_runs']}, {state['name']}", call)
                rows.append((*texts, *(float(figures[key]) for key in ("median", "all_but_a_thousandth", "worst"))))
    caption = "The same heaps of 1 GiB and one region: instructions that half of the calls, all but a thousandth, and all stay within."
    return Table("worst-quantiles", caption, ("heap and state", "call", "half", "99.9 %", "all"), tuple(rows), 0, words=2)


def first_calls(result: dict[str, Any]) -> Table:
    """The first call of a fresh heap, by its size."""
    rows: dict[tuple[str, str], list[float]] = {}
    for call in result["first_calls"]:
        rows.setdefault((call["kind"], f"{call['size']:,}"), []).append(float(call["instructions"]))
    sizes = dict.fromkeys(size_text(call["bytes"]) for call in result["first_calls"])
    caption = "Instructions of the very first call of a fresh heap of one region, for a block of so many bytes. Less is better."
    return Table("worst-first", caption, ("heap", "bytes", *sizes), tuple((*words, *row) for words, row in rows.items()), 0, words=2)


def peers(result: dict[str, Any]) -> Table:
    """Everyone that manages an arena, slabheap among them, by the arena's size."""
    states = STATES[:3]
    rows: list[Row] = []
    for row in result["peers"]:
        named = {state["name"]: state for state in row["states"]}
        # Half of the frees would be without a layout, which peers cannot do: they are with one, too.
        figures = ((_worst(named[state]["allocate"]), _worst(named[state]["deallocate"], named[state]["free"])) for state in states)
        rows.append((size_text(row["bytes"]), label(row), *(figure for pair in figures for figure in pair)))
    caption = (
        "Instructions of the worst single call of everyone that manages an arena, of one region, called alike through a table of "
        "functions, which is what `none` takes. Freed runs of slabheap are kept. Less is better."
    )
    columns = ("arena", "", *(f"{state} {call}" for state in states for call in ("allocate", "deallocate")))
    return Table("worst-peers", caption, columns, tuple(rows), 0, words=2)
