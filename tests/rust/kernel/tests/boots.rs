//! The kernel boots: its heap is the global allocator of this program.

use kernel::KernelHeap;
use std::alloc::{GlobalAlloc, Layout};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem::MaybeUninit;
use std::ptr::addr_of;
use std::sync::Once;

const MIB: usize = 1 << 20;

#[repr(align(4096))]
struct Memory([MaybeUninit<u8>; 32 * MIB]);

static mut AT_BOOT: Memory = Memory([MaybeUninit::uninit(); 32 * MIB]);
static mut FOUND_LATER: Memory = Memory([MaybeUninit::uninit(); 32 * MIB]);

/// Boots when it is first used.
struct Booting(KernelHeap, Once);

impl Booting {
    fn heap(&self) -> &KernelHeap {
        // SAFETY: nobody else knows of the memory.
        self.1.call_once(|| unsafe { self.0.init(addr_of!(AT_BOOT) as usize, 32 * MIB) });
        &self.0
    }
}

// SAFETY: the heap is a global allocator, and this is it.
unsafe impl GlobalAlloc for Booting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.heap().alloc(layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.heap().dealloc(block, layout)
    }
}

#[global_allocator]
static HEAP: Booting = Booting(KernelHeap::new(), Once::new());

#[test]
fn the_kernel_runs_its_processes() {
    let mut ready = VecDeque::new();
    let mut names = HashMap::new();
    for process in 0..2000u32 {
        names.insert(process, format!("process {process}"));
        ready.push_back((process, vec![process as u8; 100 + 7 * (process as usize % 600)]));
    }
    let mut ran = BTreeMap::new();
    while let Some((process, stack)) = ready.pop_front() {
        assert!(stack.iter().all(|&byte| byte == process as u8));
        *ran.entry(process).or_insert(0) += 1;
        if ran[&process] < 3 {
            ready.push_back((process, stack.clone()));
        }
    }
    assert!(ran.values().all(|&times| times == 3));
    assert_eq!(names[&1999], "process 1999");
}

#[test]
fn the_shell_prints_figures_that_add_up() {
    let before = HEAP.heap().figures();
    assert_eq!(before.total, before.used + before.available);
    let page = Layout::from_size_align(4096, 4096).unwrap();
    let block = HEAP.heap().allocate(page).unwrap();
    assert_eq!(block % 4096, 0);
    // SAFETY: the block is ours.
    unsafe { HEAP.heap().deallocate(block, page) };
    let layout = Layout::from_size_align(100, 8).unwrap();
    assert_eq!(HEAP.heap().usable_size(layout), (100, 128));
}

#[test]
fn a_driver_finds_memory_and_a_large_buffer_fits() {
    let large = Layout::from_size_align(16 * MIB, 4096).unwrap();
    let total = HEAP.heap().figures().total;
    // SAFETY: nobody else knows of the memory.
    unsafe { HEAP.heap().add_memory(addr_of!(FOUND_LATER) as usize, 32 * MIB) };
    assert!(HEAP.heap().figures().total > total + 31 * MIB);
    let buffer = HEAP.heap().allocate(large).unwrap();
    // SAFETY: the block is ours, and so large.
    unsafe {
        (buffer as *mut u8).write_bytes(0x5A, large.size());
        HEAP.heap().deallocate(buffer, large);
    }
}

#[test]
fn threads_share_the_heap() {
    let threads: Vec<_> = (0..4u64)
        .map(|thread| {
            std::thread::spawn(move || {
                let mut lists: Vec<Vec<u64>> = (0..100).map(|_| Vec::new()).collect();
                for number in 0..20_000 {
                    lists[(number % 100) as usize].push(number ^ thread);
                }
                lists.iter().flatten().sum::<u64>()
            })
        })
        .collect();
    let sums: Vec<u64> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let expected: Vec<u64> = (0..4).map(|thread| (0..20_000u64).map(|number| number ^ thread).sum()).collect();
    assert_eq!(sums, expected);
}
