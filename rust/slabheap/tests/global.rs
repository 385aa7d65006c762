//! A program whose global allocator is a `GlobalHeap`.
#![cfg(feature = "os")]

use bumpalo::Bump;
use slabheap::{Arena, Block, Builder, Error, GlobalHeap, Heap, Preset};
use std::alloc::{GlobalAlloc, Layout};
use std::ops::ControlFlow::{Break, Continue};
use std::sync::atomic::{AtomicUsize, Ordering};

#[cfg(miri)]
use slabheap_mock as _;

const MIB: usize = 1 << 20;

#[global_allocator]
static HEAP: GlobalHeap = GlobalHeap::mapped(64 * MIB);

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a layout")
}

#[test]
fn the_program_allocates_from_it() {
    let before = HEAP.stats().allocations;
    let words: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    assert!(HEAP.stats().allocations >= before + 100);
    assert!(HEAP.stats().used_bytes >= words.len() * 64);
    assert_eq!((HEAP.check(), HEAP.stats().rejected_frees), (Ok(()), 0));
}

/// Whether an address lies in a live block of a heap.
fn holds<T>(heap: &GlobalHeap, address: *const T) -> bool {
    let lies_in = |block: Block| (block.start.addr()..block.start.addr() + block.bytes).contains(&address.addr());
    let walk = |heap: &Heap| heap.blocks().try_for_each(|block| if lies_in(block) { Break(()) } else { Continue(()) });
    heap.inspect(walk).is_ok_and(|found| found.is_break())
}

#[test]
fn bumpalo_takes_its_chunks_from_it() {
    let bump = Bump::new();
    let mut numbers = bumpalo::collections::Vec::new_in(&bump);
    numbers.extend(0..1000_u64);
    let mut squares = allocator_api2::vec::Vec::new_in(&bump);
    squares.extend(numbers.iter().map(|number| number * number));
    assert_eq!(squares.iter().sum::<u64>(), 332_833_500);
    let on_the_stack = 0_u64;
    assert!(holds(&HEAP, numbers.as_ptr()) && holds(&HEAP, squares.as_ptr()) && !holds(&HEAP, &raw const on_the_stack));
}

#[test]
fn threads_free_what_others_allocated() {
    let (send, receive) = std::sync::mpsc::channel::<Vec<usize>>();
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let send = send.clone();
            std::thread::spawn(move || (0..100).for_each(|length| send.send(vec![length; length]).expect("somebody listens")))
        })
        .collect();
    drop(send);
    let sum: usize = receive.iter().flatten().sum();
    threads.into_iter().for_each(|thread| thread.join().expect("it ends well"));
    assert_eq!(sum, 3 * (0..100).map(|length| length * length).sum::<usize>());
    assert_eq!(HEAP.check(), Ok(()));
}

#[test]
fn a_block_grows_in_place_where_the_pages_behind_it_are_free() {
    static ALONE: GlobalHeap = GlobalHeap::mapped(4 * MIB);
    // SAFETY: the block is ours.
    unsafe {
        let block = ALONE.alloc(layout(8192, 8));
        block.write_bytes(5, 8192);
        let grown = ALONE.realloc(block, layout(8192, 8), 16_384);
        assert_eq!(grown, block);
        let shrunk = ALONE.realloc(grown, layout(16_384, 8), 5000);
        assert_eq!(shrunk, block);
        assert_eq!(std::slice::from_raw_parts(shrunk, 5000), [5; 5000]);
        ALONE.dealloc(shrunk, layout(5000, 8));
    }
    assert_eq!((ALONE.stats().allocations, ALONE.stats().live_blocks), (1, 0));
}

#[test]
fn zeroed_blocks_are_zero() {
    static ALONE: GlobalHeap = GlobalHeap::mapped(MIB);
    // SAFETY: the blocks are ours.
    unsafe {
        let block = ALONE.alloc(layout(3000, 8));
        block.write_bytes(0xFF, 3000);
        ALONE.dealloc(block, layout(3000, 8));
        let zeroed = ALONE.alloc_zeroed(layout(3000, 8));
        assert_eq!(std::slice::from_raw_parts(zeroed, 3000), [0; 3000]);
        ALONE.dealloc(zeroed, layout(3000, 8));
    }
}

#[test]
fn a_rescue_runs_without_the_lock_before_a_request_fails() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    static SMALL: GlobalHeap = GlobalHeap::mapped(256 << 10).rescue(|heap, request| {
        CALLS.fetch_add(1, Ordering::Relaxed);
        // To allocate and to look is allowed here: nothing is locked.
        assert_eq!(heap.stats().region_count, 1);
        drop(vec![0_u8; 100]);
        request.size() < 2 * MIB && heap.map_memory(4 * MIB).is_ok()
    });
    // SAFETY: the blocks are ours.
    unsafe {
        assert!(SMALL.alloc(layout(2 * MIB, 8)).is_null());
        let block = SMALL.alloc(layout(MIB, 8));
        assert!(!block.is_null());
        SMALL.dealloc(block, layout(MIB, 8));
    }
    assert_eq!((CALLS.load(Ordering::Relaxed), SMALL.stats().live_blocks), (2, 0));
}

#[test]
fn it_is_made_of_an_array_with_the_choices_of_a_builder() {
    static ARENA: Arena<{ 128 << 10 }> = Arena::new();
    static TINY: GlobalHeap = GlobalHeap::over(&ARENA).with(Builder::new().preset(Preset::Compact));
    static LATE: GlobalHeap = GlobalHeap::over(&ARENA);
    // SAFETY: the block is ours, and stays so.
    assert!(!unsafe { TINY.alloc(layout(20, 4)) }.is_null());
    let classes = TINY.inspect(|heap| heap.class_stats().count());
    assert_eq!((classes, TINY.stats().used_bytes), (Ok(27), 24));
    // SAFETY: nothing is allocated.
    assert!(unsafe { LATE.alloc(layout(20, 4)) }.is_null());
    assert_eq!(LATE.check(), Err(Error::Overlap));
}

#[test]
fn it_is_made_of_memory_that_is_found_later() {
    static ARENA: Arena<{ 128 << 10 }> = Arena::new();
    static KERNEL: GlobalHeap = GlobalHeap::new();
    // SAFETY: nothing is allocated.
    assert!(unsafe { KERNEL.alloc(layout(64, 8)) }.is_null());
    let memory = ARENA.take().expect("nobody took it before");
    // SAFETY: the memory is the heap's for good.
    unsafe { KERNEL.add_memory(memory.as_mut_ptr().cast(), memory.len()) }.expect("it is enough");
    // SAFETY: the block is ours, and stays so.
    assert!(!unsafe { KERNEL.alloc(layout(64, 8)) }.is_null());
    assert_eq!(KERNEL.stats().region_count, 1);
}

#[test]
fn a_refused_free_is_counted() {
    static ALONE: GlobalHeap = GlobalHeap::mapped(MIB);
    // SAFETY: no block is freed that is used.
    unsafe {
        let block = ALONE.alloc(layout(64, 8));
        ALONE.dealloc(block, layout(64, 8));
        ALONE.dealloc(block, layout(64, 8));
    }
    assert_eq!((ALONE.stats().rejected_frees, ALONE.check()), (1, Ok(())));
}
