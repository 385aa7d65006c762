//! Heaps of slabheap of many shapes, whose operations are counted one by one.

use std::fmt;
use std::ptr;

use serde::Serialize;
use slabheap_sys::{
    Heap, HeapFreedRuns, HeapPreset, HeapStats, HeapStatus, heap_add_memory, heap_allocate, heap_deallocate, heap_destroy,
    heap_free, heap_new_with, heap_options_default, heap_stats,
};

use crate::replay::ALIGN;
use crate::stepping::Stepper;

/// What a heap is made as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shape {
    pub preset: &'static str,
    pub freed_runs: &'static str,
    /// Of address space, over all regions.
    pub bytes: usize,
    pub regions: usize,
}

/// Names of presets and of what becomes of freed runs.
pub const PRESETS: [&str; 2] = ["classic", "compact"];
pub const FREED_RUNS: [&str; 2] = ["kept", "merged"];

/// Bytes and regions of the heaps that are compared.
pub const SIZES: [(usize, usize); 6] = [(1 << 20, 1), (1 << 30, 1), (64 << 30, 1), (1 << 20, 64), (1 << 30, 64), (64 << 30, 64)];

impl Shape {
    /// Every shape.
    pub fn all() -> impl Iterator<Item = Shape> {
        let policies = PRESETS.iter().flat_map(|&preset| FREED_RUNS.iter().map(move |&freed_runs| (preset, freed_runs)));
        policies.flat_map(|(preset, freed_runs)| {
            SIZES.iter().map(move |&(bytes, regions)| Shape { preset, freed_runs, bytes, regions })
        })
    }

    /// Bytes of a region.
    pub fn region_bytes(&self) -> usize {
        self.bytes / self.regions
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = if self.bytes < 1 << 30 { format!("{} MiB", self.bytes >> 20) } else { format!("{} GiB", self.bytes >> 30) };
        let regions = if self.regions == 1 { "1 region".to_owned() } else { format!("{} regions", self.regions) };
        write!(formatter, "{}, {}, {size}, {regions}", self.preset, self.freed_runs)
    }
}

/// How a block is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Free {
    /// With its layout.
    Deallocate,
    /// Without.
    Free,
}

/// A block and the size that it was asked for with.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    pub start: *mut u8,
    pub size: usize,
}

/// A heap over memory that it maps itself, of which only what it writes to is there.
#[derive(Debug)]
pub struct CountedHeap {
    heap: *mut Heap,
    stepper: Stepper,
}

impl CountedHeap {
    /// A fresh heap.
    pub fn new(shape: &Shape, stepper: Stepper) -> Self {
        // SAFETY: it has no preconditions.
        let mut options = unsafe { heap_options_default() };
        options.bytes = shape.region_bytes();
        options.preset = if shape.preset == "compact" { HeapPreset::Compact } else { HeapPreset::Classic };
        options.freed_runs = if shape.freed_runs == "merged" { HeapFreedRuns::Merged } else { HeapFreedRuns::Kept };
        let mut heap = ptr::null_mut();
        // SAFETY: the options are valid, and the heap maps its memory.
        let status = unsafe { heap_new_with(&raw const options, &raw mut heap) };
        assert_eq!(status, HeapStatus::Ok, "a heap of {shape:?} can be made");
        for _ in 1..shape.regions {
            // SAFETY: the heap is live, and maps the memory itself.
            let status = unsafe { heap_add_memory(heap, ptr::null_mut(), shape.region_bytes()) };
            assert_eq!(status, HeapStatus::Ok, "a region of {shape:?} can be added");
        }
        Self { heap, stepper }
    }

    /// A block, or none if the heap has no memory for it, and the instructions of the call.
    pub fn allocate(&mut self, size: usize) -> (Option<Block>, u64) {
        // SAFETY: the heap is live.
        let (start, count) = self.stepper.count(|| unsafe { heap_allocate(self.heap, size, ALIGN) });
        ((!start.is_null()).then_some(Block { start: start.cast(), size }), count)
    }

    /// As [`Self::allocate`], at full speed.
    pub fn allocate_uncounted(&mut self, size: usize) -> Option<Block> {
        // SAFETY: the heap is live.
        let start = unsafe { heap_allocate(self.heap, size, ALIGN) };
        (!start.is_null()).then_some(Block { start: start.cast(), size })
    }

    /// Frees a live block; the instructions of the call.
    pub fn free(&mut self, block: Block, how: Free) -> u64 {
        let (heap, start, size) = (self.heap, block.start.cast(), block.size);
        let (status, count) = match how {
            // SAFETY: the heap is live, and checks the block.
            Free::Deallocate => self.stepper.count(|| unsafe { heap_deallocate(heap, start, size, ALIGN) }),
            // SAFETY: the same.
            Free::Free => self.stepper.count(|| unsafe { heap_free(heap, start) }),
        };
        assert_eq!(status, HeapStatus::Ok, "a live block is freed");
        count
    }

    /// As [`Self::free`], at full speed.
    pub fn free_uncounted(&mut self, block: Block) {
        // SAFETY: the heap is live, and checks the block.
        let status = unsafe { heap_free(self.heap, block.start.cast()) };
        assert_eq!(status, HeapStatus::Ok, "a live block is freed");
    }

    /// What the heap holds.
    pub fn stats(&self) -> HeapStats {
        // SAFETY: the heap is live.
        unsafe { heap_stats(self.heap) }
    }
}

impl Drop for CountedHeap {
    fn drop(&mut self) {
        // SAFETY: the heap is live, and nobody uses it from here on.
        unsafe { heap_destroy(self.heap) };
    }
}
