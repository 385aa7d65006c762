//! The operation lists keep their promises.

use slabheap_bench::operations::OperationList;
use slabheap_bench::workloads::{self, LIST_OPERATIONS, SEED, Workload};

/// What a list does to its slots, or the first promise that it breaks.
fn walk(list: &OperationList, workload: &Workload) -> Result<usize, String> {
    let (min, max) = workload.sizes.range();
    let mut slots = vec![None; list.slot_count()];
    let mut most_live = 0;
    let mut live = 0;
    for (index, operation) in list.operations().iter().enumerate() {
        let size = operation.size();
        if size < min || size > max {
            return Err(format!("operation {index} has size {size}"));
        }
        let expected = operation.is_free().then_some(size);
        if slots[operation.slot()] != expected {
            return Err(format!("operation {index} finds {:?}", slots[operation.slot()]));
        }
        slots[operation.slot()] = if operation.is_free() { None } else { Some(size) };
        live = if operation.is_free() { live - 1 } else { live + 1 };
        most_live = most_live.max(live);
    }
    if live == 0 { Ok(most_live) } else { Err(format!("{live} blocks stay live")) }
}

#[test]
fn every_free_frees_a_live_slot_and_every_size_is_in_range() {
    for workload in workloads::all() {
        let list = workload.operations(workload.length, SEED);
        let walked = walk(&list, workload);
        assert!(walked.is_ok(), "{}: {walked:?}", workload.name);
        assert!(list.operations().len() >= workload.length, "{}", workload.name);
    }
}

#[test]
fn the_same_seed_gives_the_same_list() {
    for workload in workloads::all() {
        assert_eq!(workload.operations(10_000, 7), workload.operations(10_000, 7), "{}", workload.name);
    }
}

#[test]
fn another_seed_gives_another_list() {
    let workload = Workload::find("W3").unwrap();
    assert_ne!(workload.operations(10_000, 7), workload.operations(10_000, 8));
}

#[test]
fn about_half_of_the_slots_are_live() {
    for (name, slots) in [("W3", 5_000), ("W4", 500), ("W5", 200)] {
        let workload = Workload::find(name).unwrap();
        let most_live = walk(&workload.operations(LIST_OPERATIONS, SEED), workload).unwrap();
        assert!((slots / 2..slots * 3 / 4).contains(&most_live), "{name}: {most_live} live");
    }
}

#[test]
fn log_uniform_sizes_reach_both_ends_and_double_evenly() {
    let list = Workload::find("W3").unwrap().operations(LIST_OPERATIONS, SEED);
    let sizes: Vec<usize> =
        list.operations().iter().filter(|operation| !operation.is_free()).map(|operation| operation.size()).collect();
    assert_eq!(sizes.iter().min(), Some(&1));
    assert!(sizes.iter().max() > Some(&4_000));
    // 64 lies in the middle of 1 to 4096 as doublings go.
    let small = sizes.iter().filter(|&&size| size < 64).count() as f64 / sizes.len() as f64;
    assert!((0.48..0.52).contains(&small), "{small} of the sizes are below 64");
}

#[test]
fn batches_are_freed_in_the_order_of_their_allocation() {
    let list = Workload::find("W2-16").unwrap().operations(2_000, SEED);
    let slots: Vec<usize> = list.operations().iter().map(|operation| operation.slot()).collect();
    let ascending: Vec<usize> = (0..1_000).collect();
    assert_eq!(slots[..1_000], ascending);
    assert_eq!(slots[1_000..], ascending);
    assert!(list.operations()[..1_000].iter().all(|operation| !operation.is_free()));
    assert!(list.operations()[1_000..].iter().all(|operation| operation.is_free()));
}
