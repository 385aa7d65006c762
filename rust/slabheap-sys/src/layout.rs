//! Types, sizes and offsets of everything that crosses the boundary, asserted here and, in the same words, on the side of C.

use super::{
    Heap, HeapClassStats, HeapFreedRuns, HeapHugePages, HeapInvalidFree, HeapOptions, HeapPageLayer, HeapPreset, HeapRun,
};
use super::{HeapOutOfMemory, HeapRunKind, HeapRunVisitor, HeapStats, HeapStatus, HeapUsableSize, HeapVisitor, known};
use core::ffi::c_void;
use core::mem::{align_of, offset_of, size_of};

/// Bytes of a `size_t` and of every pointer.
const WORD: usize = size_of::<usize>();

/// Where a `uint64_t` can start: some 32-bit systems align it to four bytes, others to eight.
const fn aligned_to_u64(offset: usize) -> usize {
    offset.next_multiple_of(align_of::<u64>())
}

macro_rules! layout {
    ($name:ident, $bytes:expr, { $($field:ident: $type:ty = $offset:expr,)* }) => {
        const _: () = assert!(size_of::<$name>() == $bytes, concat!(stringify!($name), " has another size"));
        $(
            const _: fn(&$name) -> &$type = |value| &value.$field;
            const _: () = assert!(offset_of!($name, $field) == $offset, concat!(stringify!($name), ".", stringify!($field), " is elsewhere"));
        )*
    };
}

layout!(HeapOptions, 10 * WORD + 16, {
    options_bytes: usize = 0,
    memory: *mut c_void = WORD,
    bytes: usize = 2 * WORD,
    preset: HeapPreset = 3 * WORD,
    pages: HeapPageLayer = 3 * WORD + 4,
    classes: *const usize = 3 * WORD + 8,
    class_count: usize = 4 * WORD + 8,
    set_blocks: usize = 5 * WORD + 8,
    page_bytes: usize = 6 * WORD + 8,
    invalid_free: HeapInvalidFree = 7 * WORD + 8,
    freed_runs: HeapFreedRuns = 7 * WORD + 12,
    huge_pages: HeapHugePages = 7 * WORD + 16,
    out_of_memory: HeapOutOfMemory = 8 * WORD + 16,
    context: *mut c_void = 9 * WORD + 16,
});

layout!(HeapUsableSize, 2 * WORD, {
    min: usize = 0,
    max: usize = WORD,
});

layout!(HeapStats, aligned_to_u64(13 * WORD) + 32, {
    total_bytes: usize = 0,
    used_bytes: usize = WORD,
    available_bytes: usize = 2 * WORD,
    slab_total_bytes: usize = 3 * WORD,
    slab_used_bytes: usize = 4 * WORD,
    buddy_total_bytes: usize = 5 * WORD,
    buddy_used_bytes: usize = 6 * WORD,
    metadata_bytes: usize = 7 * WORD,
    used_metadata_bytes: usize = 8 * WORD,
    peak_page_bytes: usize = 9 * WORD,
    largest_free_bytes: usize = 10 * WORD,
    region_count: usize = 11 * WORD,
    live_blocks: usize = 12 * WORD,
    allocations: u64 = aligned_to_u64(13 * WORD),
    deallocations: u64 = aligned_to_u64(13 * WORD) + 8,
    failed_allocations: u64 = aligned_to_u64(13 * WORD) + 16,
    rejected_frees: u64 = aligned_to_u64(13 * WORD) + 24,
});

layout!(HeapClassStats, aligned_to_u64(5 * WORD) + 16, {
    block_size: usize = 0,
    total_blocks: usize = WORD,
    used_blocks: usize = 2 * WORD,
    sets: usize = 3 * WORD,
    partial_sets: usize = 4 * WORD,
    allocations: u64 = aligned_to_u64(5 * WORD),
    deallocations: u64 = aligned_to_u64(5 * WORD) + 8,
});

layout!(HeapRun, aligned_to_u64(5 * WORD) + 8, {
    kind: HeapRunKind = 0,
    start: *mut c_void = WORD,
    bytes: usize = 2 * WORD,
    block_size: usize = 3 * WORD,
    total_blocks: usize = 4 * WORD,
    used: u64 = aligned_to_u64(5 * WORD),
});

/// An enum of C's, a `uint32_t`; what stands for it in Rust; a callback that may be NULL.
macro_rules! sizes {
    ($($name:ty: $bytes:expr,)+) => {
        $(const _: () = assert!(size_of::<$name>() == $bytes, concat!(stringify!($name), " has another size"));)+
    };
}

sizes! {
    HeapStatus: 4,
    known::HeapStatus: 4,
    HeapPreset: 4,
    HeapPageLayer: 4,
    HeapInvalidFree: 4,
    HeapFreedRuns: 4,
    HeapHugePages: 4,
    HeapRunKind: 4,
    known::HeapRunKind: 4,
    HeapOutOfMemory: WORD,
    HeapVisitor: WORD,
    HeapRunVisitor: WORD,
    *mut Heap: WORD,
}
