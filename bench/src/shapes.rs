//! Heaps of slabheap of many shapes, whose operations are counted one by one.

use std::fmt;

use serde::{Serialize, Serializer};
use slabheap_sys::{HeapFreedRuns, HeapStats, HeapStatus, heap_allocate, heap_deallocate, heap_free};

use crate::counted::{Block, Counted, Free, Heaps};
use crate::mapped::{Bytes, CLASSIC, CLASSIC_BEST_FIT, COMPACT, Kind, MappedHeap};
use crate::replay::ALIGN;
use crate::stepping::Stepper;

/// What a heap is made as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shape {
    pub kind: Kind,
    #[serde(serialize_with = "serialize_word")]
    pub freed_runs: HeapFreedRuns,
    /// Of address space, over all regions.
    pub bytes: usize,
    pub regions: usize,
}

/// Both presets, and what is between them.
pub const KINDS: [Kind; 3] = [CLASSIC, COMPACT, CLASSIC_BEST_FIT];

/// What becomes of freed runs.
pub const FREED_RUNS: [HeapFreedRuns; 2] = [HeapFreedRuns::Kept, HeapFreedRuns::Merged];

/// Bytes and regions of the heaps that are compared.
pub const SIZES: [(usize, usize); 6] = [(1 << 20, 1), (1 << 30, 1), (64 << 30, 1), (1 << 20, 64), (1 << 30, 64), (64 << 30, 64)];

/// What tables and reports call it.
fn word(freed_runs: HeapFreedRuns) -> &'static str {
    match freed_runs {
        HeapFreedRuns::Kept => "kept",
        HeapFreedRuns::Merged => "merged",
    }
}

fn serialize_word<S: Serializer>(freed_runs: &HeapFreedRuns, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(word(*freed_runs))
}

impl Shape {
    /// Every shape.
    pub fn all() -> impl Iterator<Item = Shape> {
        let policies = KINDS.iter().flat_map(|&kind| FREED_RUNS.iter().map(move |&freed_runs| (kind, freed_runs)));
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
        write!(formatter, "{}, {}, {}, {regions}", self.kind.name, word(self.freed_runs), Bytes(self.bytes))
    }
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
        Self { heap: MappedHeap::new(shape.kind, shape.freed_runs, shape.region_bytes(), shape.regions), stepper }
    }

    /// What the heap holds.
    pub fn stats(&self) -> HeapStats {
        self.heap.stats()
    }

    /// Its free runs, each that it keeps counted.
    pub fn free_runs(&self) -> usize {
        self.heap.free_runs()
    }
}

impl Counted for CountedHeap {
    fn allocate(&mut self, size: usize) -> (Option<Block>, u64) {
        let heap = self.heap.as_ptr();
        // SAFETY: the heap is live.
        let (start, count) = self.stepper.count(|| unsafe { heap_allocate(heap, size, ALIGN) });
        ((!start.is_null()).then_some(Block { start: start.cast(), size }), count)
    }

    fn free(&mut self, block: Block, how: Free) -> u64 {
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

    fn allocate_uncounted(&mut self, size: usize) -> Option<Block> {
        // SAFETY: the heap is live.
        let start = unsafe { heap_allocate(self.heap.as_ptr(), size, ALIGN) };
        (!start.is_null()).then_some(Block { start: start.cast(), size })
    }

    fn free_uncounted(&mut self, block: Block) {
        // SAFETY: the heap is live, and checks the block.
        let status = unsafe { heap_free(self.heap.as_ptr(), block.start.cast()) };
        assert_eq!(status, HeapStatus::Ok, "a live block is freed");
    }
}

/// Heaps of a shape.
#[derive(Clone, Copy, Debug)]
pub struct ShapeHeaps {
    pub shape: Shape,
    pub stepper: Stepper,
}

impl Heaps for ShapeHeaps {
    fn region_bytes(&self) -> usize {
        self.shape.region_bytes()
    }

    fn regions(&self) -> usize {
        self.shape.regions
    }

    fn with_fresh<R>(&mut self, body: impl FnOnce(&mut dyn Counted) -> R) -> R {
        body(&mut CountedHeap::new(&self.shape, self.stepper))
    }
}
