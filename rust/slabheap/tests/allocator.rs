//! Collections in a heap, by the trait `Allocator`.
#![cfg(all(feature = "os", feature = "allocator-api2"))]

use allocator_api2::alloc::{Allocator, Layout};
use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use hashbrown::{DefaultHashBuilder, HashMap};
use slabheap::{GlobalHeap, Heap, SharedHeap, SpinLock};
use std::ptr::NonNull;

#[cfg(miri)]
use slabheap_mock as _;

const MIB: usize = 1 << 20;

/// Fewer where each step is interpreted.
const MANY: u32 = if cfg!(miri) { 100 } else { 10_000 };

fn mapped() -> Heap {
    Heap::builder().map(8 * MIB).expect("memory can be mapped")
}

fn shared() -> SharedHeap {
    SharedHeap::new(mapped()).expect("there is room")
}

/// What collections do, on any allocator.
fn use_collections<A: Allocator + Clone>(allocator: A) {
    let mut numbers = Vec::new_in(allocator.clone());
    numbers.extend(0..MANY);
    numbers.retain(|number| number % 3 == 0);
    numbers.shrink_to_fit();
    assert!(numbers.iter().copied().eq((0..MANY).step_by(3)));

    let boxed = Box::new_in([1_u64; 100], allocator.clone());
    assert_eq!(boxed.iter().sum::<u64>(), 100);

    let mut squares = HashMap::with_hasher_in(DefaultHashBuilder::default(), allocator.clone());
    for number in 0..MANY {
        squares.insert(number, Box::new_in(u64::from(number) * u64::from(number), allocator.clone()));
    }
    for number in (0..MANY).step_by(2) {
        assert_eq!(squares.remove(&number).as_deref(), Some(&(u64::from(number) * u64::from(number))));
    }
    assert_eq!(squares.len(), MANY as usize / 2);
    squares.shrink_to_fit();
    assert!(squares.iter().all(|(number, square)| **square == u64::from(*number).pow(2)));
}

#[test]
fn collections_live_in_a_heap_of_one_thread() {
    let heap = mapped();
    use_collections(&heap);
    let stats = heap.stats();
    assert_eq!((stats.live_blocks, stats.rejected_frees), (0, 0));
    assert!(stats.allocations > u64::from(MANY));
    assert_eq!(heap.check(), Ok(()));
}

#[test]
fn collections_live_in_a_shared_heap() {
    let heap = shared();
    let own = heap.stats().live_blocks;
    use_collections(heap.clone());
    assert_eq!((heap.stats().live_blocks, heap.stats().rejected_frees), (own, 0));
    assert_eq!(heap.check(), Ok(()));
}

#[test]
fn collections_live_in_a_static_heap() {
    static HEAP: GlobalHeap = GlobalHeap::mapped(8 * MIB);
    use_collections(&HEAP);
    assert_eq!((HEAP.stats().live_blocks, HEAP.stats().rejected_frees), (0, 0));
    assert_eq!(HEAP.check(), Ok(()));
}

#[test]
fn a_heap_lends_itself_again_when_its_collections_are_gone() {
    let mut heap = mapped();
    let numbers = {
        let mut numbers = Vec::new_in(&heap);
        numbers.extend(0..10);
        numbers.iter().sum::<i32>()
    };
    heap.reset();
    assert_eq!((numbers, heap.stats().live_blocks), (45, 0));
}

#[test]
fn what_was_made_in_a_shared_heap_keeps_it() {
    let numbers = {
        let heap = shared();
        let mut numbers = Vec::new_in(heap.clone());
        numbers.extend(0..1000);
        numbers
    };
    assert_eq!(numbers.iter().sum::<i32>(), 499_500);
    let heap = numbers.allocator().clone();
    drop(numbers);
    assert_eq!(heap.check(), Ok(()));
}

#[test]
fn threads_share_a_heap_and_free_what_others_made() {
    let heap = shared();
    let own = heap.stats().live_blocks;
    let threads: std::vec::Vec<_> = (0..4_u32)
        .map(|thread| {
            let heap = heap.clone();
            std::thread::spawn(move || {
                let mut lists = Vec::new_in(heap.clone());
                for length in 0..MANY / 20 {
                    let mut list = Vec::with_capacity_in(length as usize, heap.clone());
                    list.resize(length as usize, thread);
                    lists.push(list);
                }
                lists
            })
        })
        .collect();
    for (thread, lists) in (0..).zip(threads) {
        let lists = lists.join().expect("it ends well");
        assert!(lists.iter().flatten().all(|number| *number == thread));
    }
    assert_eq!((heap.stats().live_blocks, heap.stats().rejected_frees), (own, 0));
    assert_eq!(heap.check(), Ok(()));
}

#[test]
fn a_heap_too_full_to_be_shared_is_given_back() {
    let mut heap = Heap::builder().map(256 << 10).expect("memory can be mapped");
    while heap.try_allocate(Layout::new::<u8>()).is_ok() {}
    let heap = SharedHeap::<SpinLock>::new(heap).expect_err("there is no room");
    assert_eq!(heap.check(), Ok(()));
}

fn bytes(block: NonNull<[u8]>) -> &'static [u8] {
    // SAFETY: the tests look at blocks that are live and written.
    unsafe { block.as_ref() }
}

#[test]
fn a_block_can_change_its_size_and_its_alignment() {
    let heap = mapped();
    let layout = |size, align| Layout::from_size_align(size, align).expect("a layout");
    // SAFETY: each block is used until it is given up, and by its last layout.
    unsafe {
        let block = (&heap).allocate(layout(100, 8)).expect("there is room");
        block.cast::<u8>().write_bytes(3, 100);
        let block = (&heap).grow(block.cast(), layout(100, 8), layout(200, 4096)).expect("there is room");
        assert!(block.cast::<u8>().addr().get() % 4096 == 0 && bytes(block)[..100] == [3; 100]);
        let block = (&heap).grow_zeroed(block.cast(), layout(100, 4096), layout(5000, 4096)).expect("there is room");
        assert!(bytes(block)[..100] == [3; 100] && bytes(block)[100..] == [0; 4900]);
        let block = (&heap).shrink(block.cast(), layout(5000, 4096), layout(50, 1)).expect("there is room");
        assert_eq!(bytes(block), [3; 50]);
        (&heap).deallocate(block.cast(), layout(50, 1));
    }
    assert_eq!((heap.stats().live_blocks, heap.stats().rejected_frees), (0, 0));
}

#[test]
fn a_block_of_no_bytes_is_a_block() {
    let heap = mapped();
    let (nothing, something) = (Layout::new::<()>(), Layout::new::<[u8; 100]>());
    let (first, second) = ((&heap).allocate(nothing), (&heap).allocate(nothing));
    let (first, second) = (first.expect("there is room").cast(), second.expect("there is room").cast());
    assert_ne!(first, second);
    // SAFETY: each block is given up by its last layout.
    unsafe {
        let grown = (&heap).grow(first, nothing, something).expect("there is room");
        (&heap).deallocate(grown.cast(), something);
        (&heap).deallocate(second, nothing);
    }
    assert_eq!((heap.stats().live_blocks, heap.stats().rejected_frees), (0, 0));
}

#[test]
fn a_full_heap_is_an_error_and_not_a_crash() {
    let heap = Heap::builder().map(256 << 10).expect("memory can be mapped");
    let mut numbers: Vec<u64, _> = Vec::new_in(&heap);
    assert!(numbers.try_reserve(MIB).is_err());
    assert!(numbers.try_reserve(100).is_ok());
}
