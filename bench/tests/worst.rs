//! Single operations are counted in every state of a heap.

use slabheap_bench::mapped::CLASSIC;
use slabheap_bench::shapes::Shape;
use slabheap_bench::stepping::Stepper;
use slabheap_bench::worst::{State, states};

const OPERATIONS: usize = 40;

fn states_of(freed_runs: &'static str) -> Vec<State> {
    states(&Shape { kind: CLASSIC, freed_runs, bytes: 1 << 20, regions: 1 }, OPERATIONS, Stepper::new())
}

fn names(states: &[State]) -> Vec<&str> {
    states.iter().map(|state| state.name).collect()
}

#[test]
fn every_call_of_every_state_is_counted() {
    let states = states_of("merged");
    assert_eq!(names(&states), ["warm", "cold", "spread", "short"]);
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
    let states = states_of("kept");
    assert_eq!(names(&states), ["warm", "cold", "spread", "short", "emptying"]);
    let worst = |state: &State| state.allocate.worst.max(state.fails.worst);
    assert!(worst(&states[4]) > 2 * worst(&states[0]), "{states:?}");
}

#[test]
fn counting_again_counts_the_same() {
    let counts = || states_of("merged").iter().map(|state| (state.allocate, state.free)).collect::<Vec<_>>();
    assert_eq!(counts(), counts());
}
