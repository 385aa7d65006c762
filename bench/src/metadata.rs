//! What heaps of slabheap need for themselves.

use serde::Serialize;
use slabheap_sys::HeapFreedRuns;

use crate::mapped::{Kind, MappedHeap, PRESETS};

/// Bytes of the heaps in the table.
pub const SIZES: [usize; 5] = [1 << 20, 16 << 20, 64 << 20, 1 << 30, 64 << 30];

/// A cell of the table.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Metadata {
    pub heap: Kind,
    /// Of the heap.
    pub bytes: usize,
    pub metadata_bytes: usize,
}

impl Metadata {
    /// That of a fresh heap of one region, which is all that it will ever need.
    pub fn of(heap: Kind, bytes: usize) -> Self {
        let stats = MappedHeap::new(heap, HeapFreedRuns::Kept, bytes, 1).stats();
        Self { heap, bytes, metadata_bytes: stats.metadata_bytes }
    }

    /// The part of the heap that it takes.
    pub fn share(&self) -> f64 {
        self.metadata_bytes as f64 / self.bytes as f64
    }
}

/// The cells of the table, a preset after the other.
pub fn run() -> Vec<Metadata> {
    PRESETS.iter().flat_map(|&heap| SIZES.iter().map(move |&bytes| Metadata::of(heap, bytes))).collect()
}
