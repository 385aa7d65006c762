"""Reading what callgrind leaves."""

from slabheap_bench.callgrind import Cost, costs_of_calls, split

# Names are written once and then meant by their numbers; zeros at the end of a line are left out; a caller has several blocks.
FILE = """\
# callgrind format
version: 1
events: Ir Bc Bcm Bi Bim
summary: 1000 0

fn=(1) bench::pass
0 100 10 1 2 1
cfn=(2) heap_allocate
calls=3 0
0 300 20 4
cfn=(3) heap_deallocate
calls=3 0
0 500 20 5 1 2

fn=(4) main
cfn=(2)
calls=1 0
0 7000

fn=(1)
cfn=(2)
calls=2 0
+3 30 2 1
"""


def test_only_the_calls_of_the_caller_count() -> None:
    assert costs_of_calls(FILE, "bench::pass") == {"heap_allocate": Cost(330, 5), "heap_deallocate": Cost(500, 7)}


def test_a_caller_that_is_not_there_calls_nothing() -> None:
    assert costs_of_calls(FILE, "bench::other") == {}


def test_allocations_and_frees_are_told_apart_by_name() -> None:
    names = ["mallocx", "sdallocx", "free", "mi_free", "mi_malloc_aligned", "<Talc5 as Peer>::deallocate", "<Talc5 as Peer>::allocate"]
    costs = {name: Cost(10**index) for index, name in enumerate(names)}
    assert split(costs) == (Cost(1010001), Cost(101110))
