//! The functions of `ax_slab_allocator`.

use slabheap::{AllocError, Heap};
use std::alloc::Layout;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[cfg(miri)]
use slabheap_mock as _;

const PAGE: usize = 4096;

/// Pages for a heap, as a kernel has them.
#[repr(align(4096))]
struct Pages<const BYTES: usize>([MaybeUninit<u8>; BYTES]);

impl<const BYTES: usize> Pages<BYTES> {
    fn new() -> Box<Self> {
        Box::new(Self([const { MaybeUninit::uninit() }; BYTES]))
    }

    fn start(&mut self) -> usize {
        self.0.as_mut_ptr().expose_provenance()
    }
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).expect("a layout")
}

#[test]
fn a_heap_of_the_smallest_size_serves_every_class() {
    let mut pages = Pages::<{ 8 * PAGE }>::new();
    // SAFETY: the pages outlive the heap.
    let mut heap = unsafe { Heap::new(pages.start(), 8 * PAGE) };
    for size in [1, 64, 65, 513, 1024, 4096] {
        let block = heap.allocate(layout(size, 8)).expect("there is room for one");
        // SAFETY: the block is ours, and freed once.
        unsafe {
            std::ptr::with_exposed_provenance_mut::<u8>(block).write_bytes(0xA5, size);
            heap.deallocate(block, layout(size, 8));
        }
    }
    assert_eq!(heap.used_bytes(), 0);
    heap.check().expect("every invariant holds");
}

#[test]
fn the_three_figures_belong_together() {
    let mut pages = Pages::<{ 64 * PAGE }>::new();
    // SAFETY: the pages outlive the heap.
    let mut heap = unsafe { Heap::new(pages.start(), 64 * PAGE) };
    let all = heap.total_bytes();
    assert!(all <= 64 * PAGE && heap.available_bytes() == all);
    heap.allocate(layout(100, 8)).expect("there is room");
    assert_eq!((heap.total_bytes(), heap.used_bytes(), heap.available_bytes()), (all, 128, all - 128));
}

#[test]
fn a_request_without_memory_is_an_error() {
    let mut pages = Pages::<{ 8 * PAGE }>::new();
    // SAFETY: the pages outlive the heap.
    let mut heap = unsafe { Heap::new(pages.start(), 8 * PAGE) };
    assert_eq!(heap.allocate(layout(8 * PAGE, 8)), Err(AllocError));
}

#[test]
fn usable_size_goes_by_size_and_alignment() {
    let mut pages = Pages::<{ 8 * PAGE }>::new();
    // SAFETY: the pages outlive the heap.
    let heap = unsafe { Heap::new(pages.start(), 8 * PAGE) };
    assert_eq!(heap.usable_size(layout(1, 1)), (1, 64));
    assert_eq!(heap.usable_size(layout(64, 128)), (64, 128));
    assert_eq!(heap.usable_size(layout(4096, 4096)), (4096, 4096));
    assert_eq!(heap.usable_size(layout(4097, 8)), (4097, 8192));
}

#[test]
fn alignment_above_a_page_is_honoured() {
    let mut pages = Pages::<{ 64 * PAGE }>::new();
    // SAFETY: the pages outlive the heap.
    let mut heap = unsafe { Heap::new(pages.start(), 64 * PAGE) };
    for _ in 0..3 {
        assert_eq!(heap.allocate(layout(64, 4 * PAGE)).expect("there is room") % (4 * PAGE), 0);
    }
}

#[test]
fn added_memory_is_used_and_too_little_of_it_is_left_alone() {
    let (mut first, mut second, mut third) = (Pages::<{ 8 * PAGE }>::new(), Pages::<{ 16 * PAGE }>::new(), Pages::<PAGE>::new());
    // SAFETY: the pages outlive the heap.
    unsafe {
        let mut heap = Heap::new(first.start(), 8 * PAGE);
        let before = heap.total_bytes();
        heap.add_memory(second.start(), 16 * PAGE);
        let after = heap.total_bytes();
        assert!(after > before + 8 * PAGE);
        heap.add_memory(third.start(), PAGE);
        heap.add_memory(third.start(), 0);
        assert_eq!(heap.total_bytes(), after);
        assert!(heap.allocate(layout(8 * PAGE, 8)).is_ok());
    }
}

#[test]
fn a_refused_free_changes_nothing_but_the_count() {
    let mut pages = Pages::<{ 8 * PAGE }>::new();
    // SAFETY: the pages outlive the heap.
    let mut heap = unsafe { Heap::new(pages.start(), 8 * PAGE) };
    let block = heap.allocate(layout(100, 8)).expect("there is room");
    // SAFETY: no block is freed that is used.
    unsafe {
        heap.deallocate(block, layout(500, 8));
        heap.deallocate(block + 8, layout(100, 8));
        assert_eq!((heap.used_bytes(), heap.stats().rejected_frees), (128, 2));
        heap.deallocate(block, layout(100, 8));
        heap.deallocate(block, layout(100, 8));
        heap.deallocate(0, layout(100, 8));
    }
    assert_eq!((heap.used_bytes(), heap.stats().rejected_frees), (0, 3));
    heap.check().expect("every invariant holds");
}

fn panics_with(message: &str, call: impl FnOnce()) {
    let panic = catch_unwind(AssertUnwindSafe(call)).expect_err("it panics");
    let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    assert!(said.is_some_and(|said| said.contains(message)), "it says {said:?}");
}

#[test]
fn it_panics_where_ax_slab_allocator_asserts() {
    let mut pages = Pages::<{ 24 * PAGE }>::new();
    let start = pages.start();
    // SAFETY: the pages outlive the heaps, and those that panic are none.
    unsafe {
        panics_with("page aligned", || drop(Heap::new(start + 8, 8 * PAGE)));
        panics_with("greater or equal to minimum heap size", || drop(Heap::new(start, 4 * PAGE)));
        panics_with("greater or equal to minimum heap size", || drop(Heap::new(start, 0)));
        panics_with("multiple of minimum heap size", || drop(Heap::new(start, 9 * PAGE)));
        let mut heap = Heap::new(start, 16 * PAGE);
        panics_with("page aligned", || heap.add_memory(start + 16 * PAGE + 8, PAGE));
        panics_with("multiple of page size", || heap.add_memory(start + 16 * PAGE, 100));
        panics_with("overlaps", || heap.add_memory(start, 8 * PAGE));
        heap.check().expect("every invariant holds");
    }
}
