"""Tables of single operations."""

from typing import Any

from slabheap_bench import stepped


def figures(worst: int) -> dict[str, Any]:
    """Of some calls, or of none."""
    return {"operations": 10 if worst else 0, "median": worst // 2, "all_but_a_thousandth": worst, "worst": worst}


def state(name: str, allocate: int, deallocate: int, free: int = 0, fails: int = 0) -> dict[str, Any]:
    """What the calls took in a state at the worst."""
    return {"name": name} | {
        call: figures(worst) for call, worst in (("allocate", allocate), ("deallocate", deallocate), ("free", free), ("fails", fails))
    }


def states() -> list[dict[str, Any]]:
    """Of a heap that keeps its freed runs."""
    four = [state(name, 100 * place, 10, 11, fails=place) for place, name in enumerate(stepped.STATES, 1)]
    return [*four, state("emptying", 7000, 0, fails=9000)]


def worst_result() -> dict[str, Any]:
    """Of two heaps, one of which merges its runs, two first calls, and two peers."""
    heap = {"kind": "classic-best-fit", "bytes": 1 << 30, "regions": 1}
    return {
        "shapes": [{**heap, "freed_runs": "kept", "states": states()}, {**heap, "freed_runs": "merged", "states": states()[:4]}],
        "first_calls": [{"kind": "classic", "size": 65536, "bytes": bytes_, "instructions": 7} for bytes_ in (1 << 20, 64 << 30)],
        "peers": [
            {"peer": "slabheap-classic", "version": "0.1.0", "bytes": 1 << 20, "states": states()[:3]},
            {"peer": "x", "version": "4.5", "bytes": 1 << 20, "states": states()[:3]},
        ],
    }


def test_what_fails_while_a_heap_is_emptied_is_told_apart() -> None:
    kept, merged = stepped.by_heap(worst_result())
    assert (kept.name, merged.name) == ("worst-classic-best-fit-kept", "worst-classic-best-fit-merged")
    assert kept.columns[-3:] == ("fails", "emptying succeeds", "emptying fails")
    assert kept.rows == (("1 GiB", "1", *(100, 10, 11, 200, 10, 11, 300, 10, 11, 400, 10, 11), 4, 7000, 9000),)
    assert kept.caption == (
        "Classic, best fit, freed runs kept: instructions of the worst single call. Less is better. `fails` is any state but emptying."
    )
    assert merged.columns[-1] == "fails"


def test_a_call_that_never_happened_has_no_figure() -> None:
    result = worst_result()
    result["shapes"][0]["states"][0]["free"] = figures(0)
    assert stepped.by_heap(result)[0].rows[0][4] is None


def test_first_calls_are_told_by_the_size_of_the_heap() -> None:
    table = stepped.first_calls(worst_result())
    assert table.columns == ("heap", "bytes", "1 MiB", "64 GiB")
    assert table.rows == (("classic", "65,536", 7.0, 7.0),)


def test_peers_are_told_with_whatever_way_they_free() -> None:
    table = stepped.peers(worst_result())
    assert table.columns[2:] == tuple(f"{name} {call}" for name in ("warm", "cold", "spread") for call in ("allocate", "deallocate"))
    assert table.rows[1] == ("1 MiB", "x 4.5", 100, 11, 200, 11, 300, 11)
