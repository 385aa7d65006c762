//! The C interface over the model. Only what Rust's tests ask of it: no statistics of sets, no limits of options, no abort.
#![allow(clippy::missing_safety_doc, reason = "the declarations have it")]

mod list;
mod model;

use model::{Block, Model};
use slabheap_sys::known::HeapStatus as Status;
use slabheap_sys::{
    Heap, HeapClassStats, HeapFreedRuns, HeapHugePages, HeapInvalidFree, HeapOptions, HeapOutOfMemory, HeapPageLayer, HeapPreset,
    HeapRunVisitor, HeapStats, HeapStatus, HeapUsableSize, HeapVisitor,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_char, c_void};
use std::ptr::{null, null_mut};

const LAYOUT: Layout = Layout::new::<Model>();

unsafe fn of<'a>(heap: *const Heap) -> &'a Model {
    // SAFETY: a heap is a model, and nobody changes it in the meantime.
    unsafe { &*heap.cast() }
}

unsafe fn of_mut<'a>(heap: *mut Heap) -> &'a mut Model {
    // SAFETY: a heap is a model, and the caller has it to itself.
    unsafe { &mut *heap.cast() }
}

#[unsafe(no_mangle)]
pub extern "C" fn heap_options_default() -> HeapOptions {
    HeapOptions {
        options_bytes: size_of::<HeapOptions>(),
        memory: null_mut(),
        bytes: 0,
        preset: HeapPreset::Classic,
        pages: HeapPageLayer::Preset,
        classes: null(),
        class_count: 0,
        set_blocks: 0,
        page_bytes: 0,
        invalid_free: HeapInvalidFree::Report,
        freed_runs: HeapFreedRuns::Kept,
        huge_pages: HeapHugePages::System,
        out_of_memory: None,
        context: null_mut(),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_new_with(options: *const HeapOptions, heap: *mut *mut Heap) -> HeapStatus {
    // SAFETY: the caller's options, with their memory and their classes.
    unsafe {
        if !heap_options_problem(options).is_null() {
            return Status::InvalidArgument.into();
        }
        let mut model = Model::new(*options);
        let status = model.add_region((*options).memory.cast(), (*options).bytes);
        if status == Status::Ok {
            let place = System.alloc(LAYOUT).cast::<Model>();
            place.write(model);
            heap.write(place.cast());
        }
        status.into()
    }
}

/// The problems that the tests know.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_options_problem(options: *const HeapOptions) -> *const c_char {
    // SAFETY: the caller's options.
    let options = unsafe { &*options };
    let page = options.page_bytes;
    if page != 0 && !(page.is_power_of_two() && (512..=65536).contains(&page)) {
        return c"a page must have a power of two of bytes, 512 to 65536".as_ptr();
    }
    if options.set_blocks > 64 {
        return c"a set has at most 64 blocks".as_ptr();
    }
    if options.classes.is_null() {
        return null();
    }
    // SAFETY: the caller's classes.
    let classes = unsafe { std::slice::from_raw_parts(options.classes, options.class_count) };
    match classes {
        [] => c"there must be at least one size class".as_ptr(),
        _ if !classes.is_sorted_by(|a, b| a < b) => c"size classes must ascend".as_ptr(),
        [first, ..] if *first < 8 => c"a size class is too small".as_ptr(),
        _ => null(),
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_destroy(heap: *mut Heap) {
    // SAFETY: the caller gives the heap up; it was made with this layout.
    unsafe {
        of_mut(heap).destroy();
        heap.cast::<Model>().drop_in_place();
        System.dealloc(heap.cast(), LAYOUT);
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_add_memory(heap: *mut Heap, memory: *mut c_void, bytes: usize) -> HeapStatus {
    // SAFETY: the caller's memory.
    unsafe { of_mut(heap).add_region(memory.cast(), bytes) }.into()
}

/// A request, repeated if the callback says so; it is called without a reference to the heap.
unsafe fn request<R>(heap: *mut Heap, size: usize, align: usize, attempt: impl Fn(&mut Model) -> Option<R>) -> Option<R> {
    // SAFETY: the caller has the heap to itself, and lends it to the callback.
    unsafe {
        let first = attempt(of_mut(heap));
        let (callback, context): (HeapOutOfMemory, _) = (of(heap).options.out_of_memory, of(heap).options.context);
        let again = || if callback.is_some_and(|call| call(context, heap, size, align)) { attempt(of_mut(heap)) } else { None };
        let got = first.or_else(again);
        of_mut(heap).stats.failed_allocations += u64::from(got.is_none());
        got
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_allocate(heap: *mut Heap, size: usize, align: usize) -> *mut c_void {
    // SAFETY: the caller has the heap to itself.
    let block = unsafe { request(heap, size, align, |model| model.allocate(size, align)) };
    block.map_or(null_mut(), |block| block.start.cast())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_allocate_zeroed(heap: *mut Heap, size: usize, align: usize) -> *mut c_void {
    // SAFETY: the caller has the heap to itself; a block has as many bytes as it was asked for.
    unsafe {
        let block = heap_allocate(heap, size, align);
        if !block.is_null() {
            block.write_bytes(0, size);
        }
        block
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_reallocate(
    heap: *mut Heap,
    block: *mut c_void,
    size: usize,
    align: usize,
    new_size: usize,
) -> *mut c_void {
    // SAFETY: the caller has the heap and the block to itself.
    unsafe {
        let model = of_mut(heap);
        let Ok(index) = model.find(block.addr(), Some((size, align))) else {
            model.stats.rejected_frees += 1;
            return null_mut();
        };
        let old: Block = model.blocks[index];
        match model.fitting(new_size, align) {
            Some((bytes, class, _)) if (bytes, class) == (old.bytes, old.class) => return block,
            Some((bytes, None, _)) if old.class.is_none() && model.resize(index, bytes) => return block,
            _ => {}
        }
        let new = heap_allocate(heap, new_size, align);
        if !new.is_null() {
            new.copy_from_nonoverlapping(block, size.min(new_size));
            let model = of_mut(heap);
            let index = model.find(block.addr(), None).expect("it is still live");
            model.free(index);
        }
        new
    }
}

unsafe fn free(heap: *mut Heap, block: *mut c_void, layout: Option<(usize, usize)>) -> HeapStatus {
    // SAFETY: the caller has the heap to itself.
    let model = unsafe { of_mut(heap) };
    if block.is_null() {
        return Status::Ok.into();
    }
    match model.find(block.addr(), layout) {
        Ok(index) => {
            model.free(index);
            Status::Ok.into()
        }
        Err(status) => {
            model.stats.rejected_frees += 1;
            status.into()
        }
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_deallocate(heap: *mut Heap, block: *mut c_void, size: usize, align: usize) -> HeapStatus {
    // SAFETY: the caller has the heap to itself.
    unsafe { free(heap, block, Some((size, align))) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_free(heap: *mut Heap, block: *mut c_void) -> HeapStatus {
    // SAFETY: the caller has the heap to itself.
    unsafe { free(heap, block, None) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_usable_size(heap: *const Heap, size: usize, align: usize) -> HeapUsableSize {
    // SAFETY: the caller's heap.
    let fitting = unsafe { of(heap) }.fitting(size, align);
    fitting.map_or(HeapUsableSize { min: 0, max: 0 }, |(bytes, _, _)| HeapUsableSize { min: size, max: bytes })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_block_size(heap: *const Heap, block: *const c_void) -> usize {
    // SAFETY: the caller's heap.
    let model = unsafe { of(heap) };
    model.find(block.addr(), None).map_or(0, |index| model.blocks[index].bytes)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_stats(heap: *const Heap) -> HeapStats {
    // SAFETY: the caller's heap.
    let stats = unsafe { of(heap) }.stats;
    HeapStats {
        available_bytes: stats.total_bytes - stats.used_bytes,
        largest_free_bytes: stats.total_bytes - stats.used_bytes,
        ..stats
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_total_bytes(heap: *const Heap) -> usize {
    // SAFETY: the caller's heap.
    unsafe { heap_stats(heap) }.total_bytes
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_used_bytes(heap: *const Heap) -> usize {
    // SAFETY: the caller's heap.
    unsafe { heap_stats(heap) }.used_bytes
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_available_bytes(heap: *const Heap) -> usize {
    // SAFETY: the caller's heap.
    unsafe { heap_stats(heap) }.available_bytes
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_class_count(heap: *const Heap) -> usize {
    // SAFETY: the caller's heap.
    unsafe { of(heap) }.classes.len()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_class_stats(heap: *const Heap, index: usize, stats: *mut HeapClassStats) -> HeapStatus {
    // SAFETY: the caller's heap.
    let Some(class) = unsafe { of(heap) }.classes.get(index) else { return Status::InvalidArgument.into() };
    let sets = usize::from(class.used > 0);
    let content = HeapClassStats {
        block_size: class.size,
        total_blocks: class.used,
        used_blocks: class.used,
        sets,
        partial_sets: sets,
        allocations: class.allocations,
        deallocations: class.deallocations,
    };
    // SAFETY: the caller's room.
    unsafe { stats.write(content) };
    Status::Ok.into()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_visit(heap: *const Heap, visitor: HeapVisitor, context: *mut c_void) -> HeapStatus {
    let Some(visitor) = visitor else { return Status::InvalidArgument.into() };
    // SAFETY: the caller's heap and visitor, which changes nothing.
    unsafe { of(heap).blocks.iter().all(|block| visitor(context, block.start.cast(), block.bytes)) };
    Status::Ok.into()
}

/// The model has no sets.
#[unsafe(no_mangle)]
pub extern "C" fn heap_visit_runs(_: *const Heap, _: HeapRunVisitor, _: *mut c_void) -> HeapStatus {
    Status::Unsupported.into()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_check(heap: *const Heap) -> HeapStatus {
    // SAFETY: the caller's heap.
    let blocks = &unsafe { of(heap) }.blocks;
    let is_sound = blocks.windows(2).all(|pair| pair[0].start.addr() + pair[0].bytes <= pair[1].start.addr());
    if is_sound { Status::Ok.into() } else { Status::Corrupt.into() }
}

#[unsafe(no_mangle)]
pub extern "C" fn heap_trim(_: *mut Heap) -> usize {
    0
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn heap_reset(heap: *mut Heap) -> HeapStatus {
    // SAFETY: the caller has the heap to itself.
    unsafe { of_mut(heap) }.reset();
    Status::Ok.into()
}

#[unsafe(no_mangle)]
pub extern "C" fn heap_status_message(status: HeapStatus) -> *const c_char {
    let text = if status == Status::Overlap.into() { c"the memory overlaps" } else { c"a status of the mock" };
    text.as_ptr()
}

#[unsafe(no_mangle)]
pub extern "C" fn heap_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
