//! Heaps of slabheap over memory that they map themselves, of which only what they write to is there.

use std::ffi::c_void;
use std::fmt;
use std::ptr;

use serde::{Serialize, Serializer};
use slabheap_sys::{
    Heap, HeapFreedRuns, HeapPageLayer, HeapPreset, HeapRun, HeapRunKind, HeapStats, HeapStatus, heap_add_memory, heap_destroy,
    heap_new_with, heap_options_default, heap_stats, heap_visit_runs,
};

/// A preset, and the page layer that is chosen instead of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    pub name: &'static str,
    pub preset: HeapPreset,
    pub pages: HeapPageLayer,
    pub page_bytes: usize,
}

pub const CLASSIC: Kind = Kind { name: "classic", preset: HeapPreset::Classic, pages: HeapPageLayer::Preset, page_bytes: 4096 };
pub const COMPACT: Kind = Kind { name: "compact", preset: HeapPreset::Compact, pages: HeapPageLayer::Preset, page_bytes: 1024 };

/// Classic's classes and pages, over the page layer whose bound is a constant.
pub const CLASSIC_BEST_FIT: Kind = Kind { name: "classic-best-fit", pages: HeapPageLayer::BestFit, ..CLASSIC };

/// Both presets.
pub const PRESETS: [Kind; 2] = [CLASSIC, COMPACT];

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

/// A number of bytes as people say it; a multiple of 1 MiB.
pub struct Bytes(pub usize);

impl fmt::Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = *self;
        if bytes < 1 << 30 { write!(formatter, "{} MiB", bytes >> 20) } else { write!(formatter, "{} GiB", bytes >> 30) }
    }
}

/// A heap, which goes when this does.
#[derive(Debug)]
pub struct MappedHeap(*mut Heap);

impl MappedHeap {
    /// A fresh heap of so many regions of equal length.
    pub fn new(kind: Kind, freed_runs: HeapFreedRuns, region_bytes: usize, regions: usize) -> Self {
        // SAFETY: it has no preconditions.
        let mut options = unsafe { heap_options_default() };
        options.bytes = region_bytes;
        options.preset = kind.preset;
        options.pages = kind.pages;
        options.freed_runs = freed_runs;
        let mut heap = ptr::null_mut();
        // SAFETY: the options are valid, and the heap maps its memory.
        let status = unsafe { heap_new_with(&raw const options, &raw mut heap) };
        assert_eq!(status, HeapStatus::Ok, "a {} heap of {region_bytes} bytes can be made", kind.name);
        for _ in 1..regions {
            // SAFETY: the heap is live, and maps the memory itself.
            let status = unsafe { heap_add_memory(heap, ptr::null_mut(), region_bytes) };
            assert_eq!(status, HeapStatus::Ok, "a region of {region_bytes} bytes can be added");
        }
        Self(heap)
    }

    /// For calls of the C interface; live for as long as this is.
    pub fn as_ptr(&self) -> *mut Heap {
        self.0
    }

    /// What it holds.
    pub fn stats(&self) -> HeapStats {
        // SAFETY: the heap is live.
        unsafe { heap_stats(self.0) }
    }

    /// Its free runs, each that it keeps counted.
    pub fn free_runs(&self) -> usize {
        unsafe extern "C" fn count(context: *mut c_void, run: *const HeapRun) -> bool {
            // SAFETY: the context is the count below, and the run is lent for this call.
            unsafe { *context.cast::<usize>() += usize::from((*run).kind == HeapRunKind::Free) };
            true
        }
        let mut free_runs = 0usize;
        // SAFETY: the heap is live, and the visitor changes nothing but the count.
        let status = unsafe { heap_visit_runs(self.0, Some(count), (&raw mut free_runs).cast()) };
        assert_eq!(status, HeapStatus::Ok, "the runs of a heap can be visited");
        free_runs
    }
}

impl Drop for MappedHeap {
    fn drop(&mut self) {
        // SAFETY: the heap is live, and nobody uses it from here on.
        unsafe { heap_destroy(self.0) };
    }
}
