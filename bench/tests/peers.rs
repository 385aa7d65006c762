//! Every peer serves and takes back blocks that neither overlap nor change under their owner.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use slabheap_bench::arena::Arena;
use slabheap_bench::operations::OperationList;
use slabheap_bench::peer::{Entry, Memory, NATURAL_ALIGN, Peer};
use slabheap_bench::peers;
use slabheap_bench::replay::Passes;
use slabheap_bench::workloads::{SEED, Workload};

const ARENA_BYTES: usize = 64 << 20;

/// The live blocks by address, with their sizes.
#[derive(Default)]
struct Blocks(BTreeMap<usize, usize>);

impl Blocks {
    fn insert(&mut self, start: usize, size: usize) {
        if let Some((&below, &bytes)) = self.0.range(..=start).next_back() {
            assert!(below + bytes <= start, "a block begins behind the one below it");
        }
        if let Some((&above, _)) = self.0.range(start..).next() {
            assert!(start + size <= above, "a block ends before the one above it");
        }
        self.0.insert(start, size);
    }

    fn remove(&mut self, start: usize) {
        self.0.remove(&start).expect("a freed block is live");
    }
}

/// Replays a list, filling each block with a byte of its own and looking for it again before it is freed.
fn serve(peer: &mut dyn Peer, list: &OperationList, align: usize) {
    let mut blocks = Blocks::default();
    let mut slots = vec![std::ptr::null_mut(); list.slot_count()];
    for operation in list.operations() {
        let (slot, size) = (operation.slot(), operation.size());
        if operation.is_free() {
            blocks.remove(slots[slot] as usize);
            // SAFETY: the block is live and has this size.
            let bytes = unsafe { std::slice::from_raw_parts(slots[slot], size) };
            assert!(bytes.iter().all(|&byte| byte == slot as u8), "a live block stays as it is");
            // SAFETY: the block was allocated with this size and alignment, and is live.
            unsafe { peer.deallocate(slots[slot], size, align) };
        } else {
            let block = peer.allocate(size, align);
            assert!(!block.is_null(), "the arena holds the workload");
            assert!(block.addr().is_multiple_of(align), "a block is aligned as asked");
            blocks.insert(block as usize, size);
            // SAFETY: the block has this size.
            unsafe { block.write_bytes(slot as u8, size) };
            slots[slot] = block;
        }
    }
}

fn allocators() -> impl Iterator<Item = &'static Entry> {
    peers::ALL.iter().filter(|peer| (peer.memory)() != Memory::None)
}

fn every_allocator_serves(workload: &str, operations: usize, align: usize) {
    let list = Workload::find(workload).unwrap().operations(operations, SEED);
    let mut arena = Arena::new(ARENA_BYTES);
    for peer in allocators() {
        println!("{}", (peer.name)()); // shown if what follows panics
        peer.with(&mut arena, ARENA_BYTES, |peer| serve(peer, &list, align));
    }
}

#[test]
fn batches_are_served_without_overlap() {
    every_allocator_serves("W2-16", 20_000, 8);
}

#[test]
fn small_blocks_are_served_without_overlap() {
    every_allocator_serves("W3", 20_000, 8);
}

#[test]
fn large_and_small_blocks_are_served_without_overlap() {
    every_allocator_serves("W4", 10_000, 8);
}

#[test]
fn large_blocks_are_served_without_overlap() {
    every_allocator_serves("W5", 10_000, 8);
}

#[test]
fn blocks_smaller_than_their_alignment_are_served_without_overlap() {
    every_allocator_serves("cold", 20_000, NATURAL_ALIGN);
}

#[test]
fn alignments_beyond_the_natural_are_honoured() {
    every_allocator_serves("W3", 5_000, 64);
    every_allocator_serves("W3", 5_000, 4_096);
}

#[test]
fn an_arena_peer_stays_in_its_region() {
    let mut arena = Arena::new(1 << 20);
    let region = arena.region(1 << 19);
    let range = region.start as usize..region.start as usize + region.bytes;
    for peer in allocators().filter(|peer| (peer.memory)() == Memory::Arena) {
        peer.with(&mut arena, region.bytes, |heap| {
            while let block = heap.allocate(1_000, 8)
                && !block.is_null()
            {
                assert!(range.contains(&block.addr()), "{}", (peer.name)());
                assert!(range.contains(&(block.addr() + 999)), "{}", (peer.name)());
            }
        });
    }
}

#[test]
fn those_that_can_have_many_regions_serve_from_them() {
    let workload = Workload::find("regions").unwrap();
    let list = workload.operations(20_000, SEED);
    let mut arena = Arena::new(ARENA_BYTES);
    let passes = Passes { warm_up: 0, timed: 2, patience: Duration::MAX };
    let done = |name: &str| peers::find(name).unwrap().replay(&mut Arena::new(ARENA_BYTES), workload, &list, passes).is_some();
    for peer in
        ["slabheap-classic", "slabheap-compact", "ax_slab_allocator", "buddy_system_allocator", "talc-4", "talc-5", "rlsf"]
    {
        assert!(done(peer), "{peer} can have 64 regions");
    }
    assert!(!done("linked_list_allocator"), "it cannot have two");
    let parts: Vec<_> = arena.parts(64).map(|part| (part.start as usize, part.bytes)).collect();
    assert!(parts.windows(2).all(|pair| pair[0].0 + pair[0].1 < pair[1].0), "no two touch");
}

#[test]
fn names_are_distinct_and_versions_known() {
    let names: BTreeSet<&str> = peers::ALL.iter().map(|peer| (peer.name)()).collect();
    assert_eq!(names.len(), peers::ALL.len());
    for peer in allocators() {
        assert!((peer.version)().starts_with(|first: char| first.is_ascii_digit()), "{}", (peer.name)());
    }
}

#[test]
fn reallocated_blocks_keep_what_both_sizes_have_and_their_alignment() {
    let mut arena = Arena::new(ARENA_BYTES);
    for peer in allocators() {
        println!("{}", (peer.name)());
        peer.with(&mut arena, ARENA_BYTES, |peer| {
            for align in [1, 16, 64] {
                let mut block = peer.allocate_zeroed(1, align);
                // SAFETY: the block has a byte.
                assert_eq!(unsafe { block.read() }, 0);
                let mut old_size = 1;
                for size in [100, 130, 90, 5_000, 200_000, 150_000, 3] {
                    // SAFETY: the block is live, with this size and alignment, and stays so if it is not moved.
                    unsafe {
                        block.write_bytes(size as u8, old_size);
                        let _between = peer.allocate(64, 8); // so that not every block has room behind it
                        block = peer.reallocate(block, old_size, align, size);
                        assert!(!block.is_null() && block.addr().is_multiple_of(align));
                        let kept = std::slice::from_raw_parts(block, old_size.min(size));
                        assert!(kept.iter().all(|&byte| byte == size as u8));
                    }
                    old_size = size;
                }
            }
        });
    }
}
