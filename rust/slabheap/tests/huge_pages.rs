//! What a heap asks of Linux about huge pages.
#![cfg(all(feature = "os", target_os = "linux", not(miri)))] // it is about the library itself

use slabheap::{Builder, GlobalHeap, Heap, HugePages};
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{c_int, c_void};
use std::fs::read_to_string;

const BYTES: usize = 4 << 20;
const CHOICES: [(HugePages, &str); 3] = [(HugePages::System, ""), (HugePages::Wanted, "hg"), (HugePages::Unwanted, "nh")];
const MADV_HUGEPAGE: c_int = 14;

unsafe extern "C" {
    fn madvise(start: *mut c_void, bytes: usize, advice: c_int) -> c_int;
}

/// What was asked for the mapping that holds an address: "hg", huge pages; "nh", none; "", nothing.
fn asked_at(address: *const u8) -> &'static str {
    let mappings = read_to_string("/proc/self/smaps").expect("it can be read");
    let mut lines = mappings.lines();
    let holds = |line: &str| {
        let ends = line.split(' ').next().and_then(|range| range.split_once('-'));
        let [start, end] = ends.map_or([None; 2], |(start, end)| [start, end].map(|end| usize::from_str_radix(end, 16).ok()));
        start.is_some_and(|start| start <= address.addr()) && end.is_some_and(|end| address.addr() < end)
    };
    lines.find(|line| holds(line)).expect("there is a mapping");
    let flags = lines.find_map(|line| line.strip_prefix("VmFlags:")).unwrap_or_default();
    flags.split(' ').find_map(|flag| ["hg", "nh"].into_iter().find(|&asked| asked == flag)).unwrap_or_default()
}

fn block_of(heap: &mut Heap, bytes: usize) -> *mut u8 {
    heap.try_allocate(Layout::from_size_align(bytes, 4096).expect("a layout")).expect("there is room").as_ptr()
}

/// Whether Linux tells what it was asked: not if it has no huge pages, nor through some emulators.
fn is_told() -> bool {
    let mut heap = Heap::builder().map(BYTES).expect("memory can be mapped");
    let block = block_of(&mut heap, BYTES / 2);
    // SAFETY: it is advice on memory of the heap's.
    let is_told = unsafe { madvise(block.cast(), BYTES / 2, MADV_HUGEPAGE) } == 0 && asked_at(block) == "hg";
    if !is_told {
        println!("nothing is told of huge pages here");
    }
    is_told
}

#[test]
fn a_heap_asks_for_all_memory_that_it_maps_and_leaves_what_it_is_given_alone() {
    if !is_told() {
        return;
    }
    for (choice, asked) in CHOICES {
        let mut lender = Heap::builder().map(BYTES).expect("memory can be mapped");
        let lent = block_of(&mut lender, BYTES / 2);
        let builder = Heap::builder().huge_pages(choice);
        // SAFETY: the memory is used by nobody else, and outlives the heap.
        let over = unsafe { builder.at(lent, BYTES / 2) }.expect("it is enough");
        for mut heap in [builder.map(BYTES / 2).expect("memory can be mapped"), over] {
            heap.map_memory(2 * BYTES).expect("memory can be mapped");
            assert_eq!(asked_at(block_of(&mut heap, BYTES)), asked, "{choice:?}");
        }
        let mut mapped = builder.map(BYTES).expect("memory can be mapped");
        assert_eq!((asked_at(block_of(&mut mapped, BYTES / 2)), asked_at(lent)), (asked, ""), "{choice:?}");
    }
}

#[test]
fn a_global_heap_asks_as_its_builder_says() {
    static HEAP: GlobalHeap = GlobalHeap::mapped(BYTES).with(Builder::new().huge_pages(HugePages::Wanted));
    if is_told() {
        // SAFETY: the block is ours, and stays so.
        assert_eq!(asked_at(unsafe { HEAP.alloc(Layout::new::<[u8; 4096]>()) }), "hg");
    }
}
