//! Heaps of slabheap of many shapes, whose operations are counted one by one.

use std::fmt;

use serde::Serialize;
use slabheap_sys::{HeapFreedRuns, HeapStats, HeapStatus, heap_allocate, heap_deallocate, heap_free};

use crate::mapped::{Bytes, Kind, MappedHeap, PRESETS};
use crate::replay::ALIGN;
use crate::stepping::Stepper;

/// What a heap is made as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shape {
    pub kind: Kind,
    pub freed_runs: &'static str,
    /// Of address space, over all regions.
    pub bytes: usize,
    pub regions: usize,
}

/// What becomes of freed runs.
pub const FREED_RUNS: [&str; 2] = ["kept", "merged"];

/// Bytes and regions of the heaps that are compared.
pub const SIZES: [(usize, usize); 6] = [(1 << 20, 1), (1 << 30, 1), (64 << 30, 1), (1 << 20, 64), (1 << 30, 64), (64 << 30, 64)];

impl Shape {
    /// Every shape.
    pub fn all() -> impl Iterator<Item = Shape> {
        let policies = PRESETS.iter().flat_map(|&kind| FREED_RUNS.iter().map(move |&freed_runs| (kind, freed_runs)));
        policies
            .flat_map(|(kind, freed_runs)| SIZES.iter().map(move |&(bytes, regions)| Shape { kind, freed_runs, bytes, regions }))
    }

    /// Bytes of a region.
    pub fn region_bytes(&self) -> usize {
        self.bytes / self.regions
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let regions = if self.regions == 1 { "1 region".to_owned() } else { format!("{} regions", self.regions) };
        write!(formatter, "{}, {}, {}, {regions}", self.kind.name, self.freed_runs, Bytes(self.bytes))
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

/// A heap whose calls are counted.
#[derive(Debug)]
pub struct CountedHeap {
    heap: MappedHeap,
    stepper: Stepper,
}

impl CountedHeap {
    /// A fresh heap.
    pub fn new(shape: &Shape, stepper: Stepper) -> Self {
        let freed_runs = if shape.freed_runs == "merged" { HeapFreedRuns::Merged } else { HeapFreedRuns::Kept };
        Self { heap: MappedHeap::new(shape.kind, freed_runs, shape.region_bytes(), shape.regions), stepper }
    }

    /// A block, or none if the heap has no memory for it, and the instructions of the call.
    pub fn allocate(&mut self, size: usize) -> (Option<Block>, u64) {
        let heap = self.heap.as_ptr();
        // SAFETY: the heap is live.
        let (start, count) = self.stepper.count(|| unsafe { heap_allocate(heap, size, ALIGN) });
        ((!start.is_null()).then_some(Block { start: start.cast(), size }), count)
    }

    /// As [`Self::allocate`], at full speed.
    pub fn allocate_uncounted(&mut self, size: usize) -> Option<Block> {
        // SAFETY: the heap is live.
        let start = unsafe { heap_allocate(self.heap.as_ptr(), size, ALIGN) };
        (!start.is_null()).then_some(Block { start: start.cast(), size })
    }

    /// Frees a live block; the instructions of the call.
    pub fn free(&mut self, block: Block, how: Free) -> u64 {
        let (heap, start, size) = (self.heap.as_ptr(), block.start.cast(), block.size);
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
        let status = unsafe { heap_free(self.heap.as_ptr(), block.start.cast()) };
        assert_eq!(status, HeapStatus::Ok, "a live block is freed");
    }

    /// What the heap holds.
    pub fn stats(&self) -> HeapStats {
        self.heap.stats()
    }
}
