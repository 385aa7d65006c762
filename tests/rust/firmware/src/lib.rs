//! The heap in a device: a static array as the global allocator, called from C.
#![no_std]

extern crate alloc;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::panic::PanicInfo;
use slabheap::{Arena, GlobalHeap};

static ARENA: Arena<{ 64 << 10 }> = Arena::new();

#[global_allocator]
static HEAP: GlobalHeap = GlobalHeap::over(&ARENA);

#[panic_handler]
fn halt(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Counts how often each reading occurs, and returns the most frequent.
#[unsafe(no_mangle)]
pub extern "C" fn most_frequent(seed: u32, count: u32) -> u32 {
    let readings: Vec<u32> = (0..count).map(|n| n.wrapping_mul(seed) % 17).collect();
    let mut counts = BTreeMap::new();
    for reading in readings {
        *counts.entry(reading).or_insert(0u32) += 1;
    }
    counts.into_iter().max_by_key(|&(_, count)| count).map_or(0, |(reading, _)| reading)
}

/// Bytes that live blocks take up.
#[unsafe(no_mangle)]
pub extern "C" fn heap_in_use() -> usize {
    HEAP.stats().used_bytes
}
