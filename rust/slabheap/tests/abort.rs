//! Misuse that ends the program, since neither Rust nor C++ may go on after it. Each test runs itself once more, and sees how that ends.
#![cfg(all(feature = "os", feature = "allocator-api2", unix, not(miri)))]

use allocator_api2::boxed::Box;
use allocator_api2::vec::Vec;
use slabheap::{GlobalHeap, Heap, InvalidFree, Rescue};
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

const MIB: usize = 1 << 20;
const SIGABRT: i32 = 6;
const IS_CHILD: &str = "SLABHEAP_TEST_IS_CHILD";

/// Runs the misuse of a test in a process of its own, and looks for what it says before it aborts.
fn aborts(test: &str, says: &str, misuse: impl FnOnce()) {
    if std::env::var_os(IS_CHILD).is_some() {
        misuse();
        return;
    }
    let program = std::env::current_exe().expect("a program knows where it is");
    let child = Command::new(program).args(["--exact", test, "--nocapture"]).env(IS_CHILD, "1").output().expect("it can be run");
    let said = String::from_utf8_lossy(&child.stderr);
    assert_eq!(child.status.signal(), Some(SIGABRT), "it said: {said}");
    assert!(said.contains(says), "it said: {said}");
}

fn mapped() -> Heap {
    Heap::builder().map(MIB).expect("memory can be mapped")
}

#[test]
fn a_visitor_that_allocates_aborts() {
    aborts("a_visitor_that_allocates_aborts", "a heap is not changed while it is walked", || {
        let heap = mapped();
        let _block = Box::new_in(1, &heap);
        heap.blocks().for_each(|_| drop(Box::new_in(2, &heap)));
    });
}

#[test]
fn a_visitor_that_panics_aborts() {
    aborts("a_visitor_that_panics_aborts", "panic in a function that cannot unwind", || {
        let heap = mapped();
        heap.runs().for_each(|_| panic!("on purpose"));
    });
}

thread_local! {
    static OWN: Cell<Option<&'static Heap>> = const { Cell::new(None) };
}

#[test]
fn a_rescue_that_comes_by_its_heap_another_way_aborts() {
    fn allocate(_: &Rescue<'_>, _: Layout) -> bool {
        let heap = OWN.get().expect("the test has set it");
        drop(Box::new_in(1, heap));
        false
    }
    aborts("a_rescue_that_comes_by_its_heap_another_way_aborts", "or by its rescue", || {
        let heap = Heap::builder().rescue(allocate).map(MIB).expect("memory can be mapped");
        OWN.set(Some(std::boxed::Box::leak(std::boxed::Box::new(heap))));
        let mut bytes: Vec<u8, _> = Vec::new_in(OWN.get().expect("it was set"));
        let _ = bytes.try_reserve(2 * MIB);
    });
}

#[test]
fn a_rescue_that_panics_aborts() {
    static HEAP: GlobalHeap = GlobalHeap::mapped(MIB).rescue(|_, _| panic!("on purpose"));
    aborts("a_rescue_that_panics_aborts", "a rescue must not panic", || {
        // SAFETY: nothing is done with what is returned.
        unsafe { HEAP.alloc(Layout::new::<[u8; 2 * MIB]>()) };
    });
}

#[test]
fn an_invalid_free_aborts_where_that_was_chosen() {
    aborts("an_invalid_free_aborts_where_that_was_chosen", "in no live block", || {
        let mut heap = Heap::builder().invalid_free(InvalidFree::Abort).map(MIB).expect("memory can be mapped");
        let block = heap.try_allocate(Layout::new::<u64>()).expect("there is room");
        // SAFETY: the block is not used.
        let _ = unsafe { (heap.try_free(block), heap.try_free(block)) };
    });
}
