"""Where slabheap loses."""

from typing import Any

import pytest

from slabheap_bench import losses, tables
from slabheap_bench.table import Table

Figures = dict[str, tuple[float | None, ...]]


def lost(monkeypatch: pytest.MonkeyPatch, rows: Figures, sign: int = -1, least: float = 0) -> tuple[Any, ...]:
    """What is lost of one table with the columns a and b, if that is all there is."""
    table = Table("", "", ("", "a", "b"), tuple((name, *figures) for name, figures in rows.items()))
    monkeypatch.setattr(losses, "_races", lambda _: [("x", table, sign, least)])
    return losses.losses({}).rows


def test_a_figure_is_lost_if_the_better_preset_is_worse_than_the_best_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: Figures = {"none": (1.0, 1.0), "slabheap-classic": (3.0, 9.0), "slabheap-compact": (4.0, 6.0), "p": (2.0, 3.5), "q": (5.0, 2.0)}
    assert lost(monkeypatch, rows) == (("x: b", "compact", 9.0, 6.0, "q", 2.0, 3.0), ("x: a", "classic", 3.0, 4.0, "p", 2.0, 1.5))


def test_where_more_is_better_the_most_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: Figures = {"requested": (9.0, 9.0), "slabheap-classic": (3.0, 9.0), "slabheap-compact": (4.0, 6.0), "p": (6.0, 9.5)}
    assert lost(monkeypatch, rows, sign=1) == (("x: a", "compact", 3.0, 4.0, "p", 6.0, 1.5),)


def test_a_tenth_is_no_loss_and_a_small_difference_may_be_none(monkeypatch: pytest.MonkeyPatch) -> None:
    rows: Figures = {"slabheap-classic": (1.1, 0.03), "slabheap-compact": (2.0, None), "p": (1.0, 0.0)}
    assert lost(monkeypatch, rows, least=0.05) == ()
    assert lost(monkeypatch, rows) == (("x: b", "classic", 0.03, None, "p", 0.0, None),)


def test_what_no_peer_can_do_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lost(monkeypatch, {"slabheap-classic": (1.0, 2.0), "p": (None, None)}) == ()


def test_every_step_whose_tables_have_peers_is_raced() -> None:
    calls = {call: {"operations": 1, "worst": 5} for call in ("allocate", "deallocate", "free")}
    states = [{"name": name, **calls} for name in ("warm", "cold", "spread")]
    part = {part: {"instructions": 1.0, "mispredicts": 1.0} for part in ("allocation", "free", "operation")}
    found: dict[str, dict[str, Any]] = {
        "instructions": {"unable": {}, "rows": [{"peer": "p", "workload": "W1", **part}]},
        "worst": {"peers": [{"peer": "p", "version": "", "bytes": 1 << 20, "states": states}]},
        "space": {"seeds": 1, "peers": [{"peer": "p", "version": "", "tests": [{"test": "t", "mean": 0.5}]}]},
        "traces": {"rounds": 1, "rows": []},
        "peer-traces": {"rounds": 1, "rows": []},
    }
    for step in ("speed", "hurtful"):
        cell = {"workload": "W1", "median": 1.0, "lower": 1.0, "upper": 1.0}
        found[step] = {"rounds": 1, "runs": 1, "peers": [{"peer": "p", "version": "", "geometric_mean": 1.0, "workloads": [cell]}]}
    assert found.keys() == tables.MAKERS.keys()
    raced = {what for what, *_ in losses._races(found)}
    fresh = {"Mops/s", "warm Mops/s", "Mops/s, huge pages", "warm Mops/s, huge pages", "held, MiB", "resident, MiB"}
    program = {f"{what}, the program's peers" for what in ("warm Mops/s", "touched, MiB")}
    assert raced == {"ns", "ns, hurtful", "instructions", "mispredicts", "worst call, 1 MiB", "fill, %"} | fresh | program


def test_the_kernels_count_is_raced_apart_from_our_own() -> None:
    names = ("requested", "slabheap-compact", "slabheap-compact, resident", "p", "slabheap-compact, resident in huge pages")
    held = Table("", "", ("", "t"), tuple((name, float(figure)) for figure, name in enumerate((*names, "p, resident in huge pages"))))
    assert losses._with_count(held, "").rows == (("slabheap-compact", 1.0), ("requested", 0.0), ("p", 3.0))
    assert losses._with_count(held, tables.RESIDENT).rows == (("slabheap-compact", 2.0), ("requested", 0.0), ("p", 3.0))
