//! What a heap offers beside the functions of `ax_slab_allocator`.
#![cfg(feature = "os")]

use slabheap::{AllocError, Arena, Error, Heap, PageLayer, Preset, Rescue, RunKind, Stats};
use std::alloc::Layout;
use std::ops::ControlFlow;
use std::ptr::NonNull;

#[cfg(miri)]
use slabheap_mock as _;

const MIB: usize = 1 << 20;

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a layout")
}

fn mapped() -> Heap {
    Heap::builder().map(MIB).expect("memory can be mapped")
}

#[test]
fn every_wrong_free_has_its_own_reason() {
    let mut heap = mapped();
    let (small, large) = (layout(100, 8), layout(10_000, 8));
    let block = heap.try_allocate(small).expect("there is room");
    let run = heap.try_allocate(large).expect("there is room");
    let mut elsewhere = 0_u8;
    // SAFETY: no block is freed that is used.
    unsafe {
        assert_eq!(heap.try_free(NonNull::from(&mut elsewhere)), Err(Error::NotOwned));
        assert_eq!(heap.try_free(block.add(1)), Err(Error::Misaligned));
        assert_eq!(heap.try_deallocate(block, large), Err(Error::WrongLayout));
        assert_eq!(heap.try_deallocate(run, small), Err(Error::WrongLayout));
        assert_eq!(heap.try_deallocate(block, small), Ok(()));
        assert_eq!(heap.try_deallocate(block, small), Err(Error::NotAllocated));
        assert_eq!(heap.try_free(run), Ok(()));
    }
    assert_eq!(heap.stats().rejected_frees, 5);
    assert_eq!(heap.check(), Ok(()));
}

#[cfg(not(miri))] // it is about the library itself
#[test]
fn errors_speak() {
    assert_eq!(Error::Misaligned.to_string(), "the pointer is inside a live block, not at its start");
    assert_eq!(AllocError.to_string(), "there is no memory for it");
    assert_eq!(Error::from(AllocError), Error::OutOfMemory);
    assert_eq!(Error::Unknown(99).to_string(), "status 99, which this version does not know");
}

#[test]
fn a_wrong_choice_is_named() {
    let wrong = |builder: slabheap::Builder<'_>| builder.map(MIB).expect_err("it is refused").to_string();
    assert_eq!(wrong(Heap::builder().page_bytes(1000)), "a page must have a power of two of bytes, 512 to 65536");
    assert_eq!(wrong(Heap::builder().set_blocks(65)), "a set has at most 64 blocks");
    assert_eq!(wrong(Heap::builder().classes(&[])), "there must be at least one size class");
    assert_eq!(wrong(Heap::builder().classes(&[64, 32])), "size classes must ascend");
    assert!(matches!(Heap::builder().classes(&[1]).map(MIB), Err(Error::InvalidOption(_))));
    assert_eq!(Heap::builder().map(100).expect_err("it is refused"), Error::TooSmall);
    // SAFETY: there is no memory at null, and nothing is made of it.
    let nowhere = unsafe { Heap::builder().at(std::ptr::null_mut(), MIB) };
    assert_eq!(nowhere.expect_err("it is refused"), Error::InvalidArgument);
}

#[test]
fn every_choice_is_heard() {
    let builder =
        Heap::builder().preset(Preset::Compact).page_layer(PageLayer::Buddy).classes(&[48, 4096]).set_blocks(2).page_bytes(512);
    let mut heap = builder.map(MIB).expect("it can be made");
    let sizes: Vec<usize> = heap.class_stats().map(|class| class.block_size).collect();
    assert_eq!(sizes, [48, 4096]);
    heap.try_allocate(layout(40, 8)).expect("there is room");
    let class = heap.class_stats().next().expect("there are two");
    assert_eq!((class.sets, class.used_blocks, class.partial_sets), (1, 1, 1));
    assert_eq!(heap.usable_size(layout(5000, 8)), (5000, 5120));
}

#[test]
fn a_heap_over_an_arena_uses_that_and_no_more() {
    static ARENA: Arena<{ 64 << 10 }> = Arena::new();
    let memory = ARENA.take().expect("nobody took it before");
    let bounds = memory.as_ptr_range();
    let mut heap = Heap::builder().over(memory).expect("it can be made");
    let stats = heap.stats();
    assert!(stats.total_bytes + stats.metadata_bytes <= 64 << 10);
    let block = heap.try_allocate(layout(100, 8)).expect("there is room").as_ptr();
    assert!(bounds.contains(&block.cast_const().cast()));
    assert!(ARENA.take().is_none());
}

#[test]
fn reallocation_keeps_what_is_in_the_block_and_stays_where_it_can() {
    let mut heap = mapped();
    let block = heap.try_allocate(layout(100, 8)).expect("there is room");
    // SAFETY: each block is used until it is given up.
    unsafe {
        block.write_bytes(7, 100);
        let same = heap.try_reallocate(block, layout(100, 8), 128).expect("it has as much");
        assert_eq!(same, block);
        let moved = heap.try_reallocate(block, layout(128, 8), 1000).expect("there is room");
        assert_ne!(moved, block);
        assert_eq!(std::slice::from_raw_parts(moved.as_ptr(), 100), [7; 100]);
        assert_eq!(heap.try_reallocate(block, layout(128, 8), 2000), Err(AllocError));
        assert_eq!(heap.stats().rejected_frees, 1);
    }
    assert_eq!(heap.stats().live_blocks, 1);
}

#[test]
fn zeroed_blocks_are_zero_though_their_memory_was_used() {
    let mut heap = mapped();
    let block = heap.try_allocate(layout(1000, 8)).expect("there is room");
    // SAFETY: the block is ours until it is freed.
    unsafe {
        block.write_bytes(0xFF, 1000);
        heap.try_free(block).expect("it is a block");
        let zeroed = heap.try_allocate_zeroed(layout(1000, 8)).expect("there is room");
        assert_eq!(std::slice::from_raw_parts(zeroed.as_ptr(), 1000), [0; 1000]);
    }
}

#[test]
fn walks_see_every_live_block_in_order_until_they_break() {
    let mut heap = mapped();
    let mut blocks: Vec<_> = [64, 4096, 10_000, 64].map(|size| heap.try_allocate(layout(size, 8)).expect("there is room")).into();
    // SAFETY: the block is not used.
    unsafe { heap.try_free(blocks.remove(1)) }.expect("it is a block");
    blocks.sort();
    let mut seen = Vec::new();
    heap.blocks().for_each(|block| seen.push(NonNull::new(block.start).expect("a block is somewhere")));
    assert_eq!(seen, blocks);
    let first = heap.blocks().try_for_each(|block| ControlFlow::Break(block.start));
    assert_eq!(first, ControlFlow::Break(blocks[0].as_ptr()));
}

#[cfg(not(miri))] // it is about the library itself
#[test]
fn runs_are_all_pages_of_the_heap() {
    let mut heap = mapped();
    heap.try_allocate(layout(64, 8)).expect("there is room");
    heap.try_allocate(layout(10_000, 8)).expect("there is room");
    let (mut bytes, mut live, mut kinds) = (0, 0, Vec::new());
    heap.runs().for_each(|run| {
        bytes += run.bytes;
        live += run.used.count_ones();
        kinds.push(run.kind);
    });
    assert_eq!((bytes, live), (heap.total_bytes(), 2));
    assert!(kinds.contains(&RunKind::Set) && kinds.contains(&RunKind::Large) && kinds.contains(&RunKind::Free));
}

#[test]
fn a_walk_within_a_walk_only_reads() {
    let mut heap = mapped();
    heap.try_allocate(layout(64, 8)).expect("there is room");
    let mut inner = 0;
    heap.blocks().for_each(|_| heap.blocks().for_each(|_| inner += heap.stats().live_blocks));
    assert_eq!(inner, 1);
}

#[test]
fn reset_frees_every_block_and_keeps_the_counters() {
    let mut heap = mapped();
    for size in [10, 1000, 100_000] {
        heap.try_allocate(layout(size, 8)).expect("there is room");
    }
    heap.reset();
    let stats = heap.stats();
    assert_eq!((stats.live_blocks, stats.used_bytes, stats.allocations, stats.deallocations), (0, 0, 3, 3));
    heap.trim();
    assert!(heap.stats().largest_free_bytes >= MIB / 2);
    assert_eq!(heap.check(), Ok(()));
}

#[test]
fn memory_can_be_added_by_address_and_by_mapping() {
    let mut more = vec![0_u8; MIB];
    let mut heap = mapped();
    // SAFETY: the memory outlives the heap, and nobody else looks at it.
    unsafe {
        assert_eq!(heap.try_add_memory(more.as_mut_ptr(), MIB), Ok(()));
        assert_eq!(heap.try_add_memory(more.as_mut_ptr(), MIB), Err(Error::Overlap));
        assert_eq!(heap.try_add_memory(std::ptr::null_mut(), MIB), Err(Error::InvalidArgument));
    }
    assert_eq!(heap.map_memory(MIB), Ok(()));
    assert_eq!(heap.stats().region_count, 3);
    drop(heap);
    more[0] = 1;
}

#[test]
fn a_rescue_is_asked_once_before_a_request_fails() {
    fn add_or_refuse(heap: &Rescue<'_>, request: Layout) -> bool {
        assert_eq!(heap.stats().region_count, 1);
        request.align() == 8 && heap.map_memory(4 * request.size()).is_ok()
    }
    let mut heap = Heap::builder().rescue(add_or_refuse).map(256 << 10).expect("it can be made");
    assert_eq!(heap.try_allocate(layout(MIB, 16)), Err(AllocError));
    assert_eq!(heap.stats().failed_allocations, 1);
    assert!(heap.try_allocate(layout(MIB, 8)).is_ok());
    assert_eq!((heap.stats().failed_allocations, heap.stats().region_count), (1, 2));
}

#[test]
fn a_heap_goes_through_the_c_interface_and_back() {
    let mut heap = mapped();
    heap.try_allocate(layout(64, 8)).expect("there is room");
    let raw = NonNull::new(heap.into_raw()).expect("a heap is somewhere");
    // SAFETY: nobody else has the heap.
    let heap = unsafe { Heap::from_raw(raw) };
    assert_eq!(heap.stats().live_blocks, 1);
    assert!(format!("{heap:?}").contains("live_blocks: 1"));
}

#[test]
fn a_heap_moves_to_another_thread() {
    let mut heap = mapped();
    heap.try_allocate(layout(64, 8)).expect("there is room");
    let stats: Stats = std::thread::spawn(move || heap.stats()).join().expect("it ends well");
    assert_eq!(stats.live_blocks, 1);
}

#[cfg(not(miri))] // it is about the library itself
#[test]
fn the_library_is_of_the_version_of_the_crate() {
    assert_eq!(slabheap::version(), env!("CARGO_PKG_VERSION"));
}
