//! Single operations are counted in every state of a heap.

use slabheap_bench::mapped::CLASSIC;
use slabheap_bench::shapes::{CountedHeap, FREED_RUNS, KINDS, Shape};
use slabheap_bench::states::{State, emptying, keep, states};
use slabheap_bench::stepping::Stepper;
use slabheap_bench::worst::{Task, WorstReport, run};
use slabheap_sys::HeapFreedRuns;

const OPERATIONS: usize = 40;

fn states_of(freed_runs: HeapFreedRuns) -> Vec<State> {
    states(&Shape { kind: CLASSIC, freed_runs, bytes: 1 << 20, regions: 1 }, OPERATIONS, Stepper::new())
}

fn names_of(states: &[State]) -> Vec<&str> {
    states.iter().map(|state| state.name).collect()
}

fn counted(text: &str) -> WorstReport {
    run(&Task::chosen(&[text.to_owned()]), OPERATIONS, String::new(), |_| ())
}

#[test]
fn every_call_of_every_state_is_counted() {
    let states = states_of(HeapFreedRuns::Merged);
    assert_eq!(names_of(&states), ["warm", "cold", "spread", "short"]);
    for state in &states {
        for call in [state.allocate, state.deallocate, state.free] {
            assert!(call.operations > 0 && call.median > 10 && call.median <= call.worst, "{state:?}");
        }
    }
    // Every operation of the mix, and the frees of what it leaves.
    let warm = &states[0];
    let counted = warm.allocate.operations + warm.deallocate.operations + warm.free.operations + warm.fails.operations;
    assert!(counted >= OPERATIONS, "{counted}");
}

#[test]
fn emptying_takes_more_than_any_other_call_of_a_heap_that_keeps_runs() {
    let states = states_of(HeapFreedRuns::Kept);
    assert_eq!(names_of(&states), ["warm", "cold", "spread", "short", "emptying"]);
    let (warm, emptying) = (&states[0], &states[4]);
    assert!(emptying.allocate.worst > 2 * warm.allocate.worst, "{states:?}");
    assert!(emptying.fails.worst > 2 * warm.allocate.worst, "{states:?}");
}

#[test]
fn a_call_that_succeeds_may_have_to_empty_a_heap() {
    for kind in KINDS {
        let shape = Shape { kind, freed_runs: HeapFreedRuns::Kept, bytes: 4 << 20, regions: 1 };
        let runs = keep(&mut CountedHeap::new(&shape, Stepper::new()), &shape, 1);
        let state = emptying(&shape, Stepper::new());
        assert!(state.allocate.worst > 100 * runs as u64 && state.fails.worst > 100 * runs as u64, "{runs} runs: {state:?}");
    }
}

#[test]
fn a_heap_that_is_emptied_kept_as_many_runs_as_it_can() {
    for kind in KINDS {
        // In the smallest, the room is the bound, and in the others, the number of runs.
        for (bytes, least, most) in [(1 << 20, 25, 511), (1 << 30, 512, 512), (64 << 30, 512, 512)] {
            let shape = Shape { kind, freed_runs: HeapFreedRuns::Kept, bytes, regions: 1 };
            let count = keep(&mut CountedHeap::new(&shape, Stepper::new()), &shape, 1);
            assert!((least..=most).contains(&count), "{shape} keeps {count}");
        }
    }
}

#[test]
fn counting_again_counts_the_same() {
    let counts = || states_of(HeapFreedRuns::Merged).iter().map(|state| (state.allocate, state.free)).collect::<Vec<_>>();
    assert_eq!(counts(), counts());
}

#[test]
fn the_first_call_takes_no_more_in_large_heaps_than_in_one_of_1_mib() {
    let calls = counted("first calls").first_calls;
    assert_eq!(calls.len(), 3 * 2 * 3);
    for same in calls.chunks(3) {
        let counts: Vec<u64> = same.iter().map(|call| call.instructions).collect();
        println!("{} of {} bytes: {counts:?}", same[0].kind.name, same[0].size);
        assert!(counts.iter().all(|&count| count <= counts[0] + counts[0] / 10), "{same:?}");
    }
}

#[test]
fn peers_that_manage_an_arena_are_counted_warm_cold_and_spread() {
    let peers = counted("peer").peers;
    let names: Vec<&str> = peers.iter().filter(|row| row.bytes == 1 << 30).map(|row| row.peer).collect();
    for peer in ["none", "slabheap-classic", "ax_slab_allocator", "talc-4", "talc-5", "linked_list_allocator", "rlsf"] {
        assert!(names.contains(&peer), "{names:?}");
    }
    for row in peers.iter().filter(|row| row.peer != "none") {
        assert_eq!(names_of(&row.states), ["warm", "cold", "spread"]);
        let (warm, cold) = (&row.states[0], &row.states[1]);
        assert!(warm.allocate.median > 10 && warm.deallocate.median > 10, "{row:?}");
        assert!(cold.allocate.worst >= cold.allocate.median && cold.deallocate.operations > 0, "{row:?}");
    }
}

#[test]
fn some_heaps_can_be_chosen_by_a_part_of_their_descriptions() {
    let described = |texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        Task::chosen(&texts).iter().map(Task::to_string).collect::<Vec<_>>()
    };
    assert_eq!(described(&["classic, kept, 1 GiB"]), ["classic, kept, 1 GiB, 1 region", "classic, kept, 1 GiB, 64 regions"]);
    assert_eq!(described(&["compact, first", "peer rlsf, 1 MiB"]), ["compact, first calls", "peer rlsf, 1 MiB"]);
    assert!(described(&["peer glibc"]).is_empty());
    assert!(described(&[]).len() > 50);
}

#[test]
fn a_shape_says_what_becomes_of_freed_runs_by_a_word() {
    let shapes = FREED_RUNS.map(|freed_runs| Shape { kind: CLASSIC, freed_runs, bytes: 1 << 20, regions: 1 });
    let reported = shapes.map(|shape| serde_json::to_value(shape).expect("a shape becomes JSON")["freed_runs"].clone());
    assert_eq!(reported, ["kept", "merged"]);
    assert_eq!(shapes.map(|shape| shape.to_string()), ["classic, kept, 1 MiB, 1 region", "classic, merged, 1 MiB, 1 region"]);
}
