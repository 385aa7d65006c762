//! slabheap through its C interface, with every check on.

use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr;

use slabheap_sys::{
    Heap, HeapPreset, HeapStatus, heap_add_memory, heap_allocate, heap_deallocate, heap_destroy, heap_new_with,
    heap_options_default, heap_reallocate, heap_version,
};

use crate::arena::Region;
use crate::peer::{Memory, Peer};

/// A preset, as a type.
pub trait Preset {
    const NAME: &'static str;
    const PRESET: HeapPreset;
}

pub struct Classic;

impl Preset for Classic {
    const NAME: &'static str = "slabheap-classic";
    const PRESET: HeapPreset = HeapPreset::Classic;
}

pub struct Compact;

impl Preset for Compact {
    const NAME: &'static str = "slabheap-compact";
    const PRESET: HeapPreset = HeapPreset::Compact;
}

pub struct Slabheap<P: Preset> {
    heap: *mut Heap,
    preset: PhantomData<P>,
}

impl<P: Preset> Peer for Slabheap<P> {
    fn name() -> &'static str {
        P::NAME
    }

    fn version() -> String {
        // SAFETY: the text is static.
        unsafe { CStr::from_ptr(heap_version()) }.to_string_lossy().into_owned()
    }

    fn memory() -> Memory {
        Memory::Arena
    }

    unsafe fn open(region: Region) -> Self {
        // SAFETY: it has no preconditions.
        let mut options = unsafe { heap_options_default() };
        options.memory = region.start.cast();
        options.bytes = region.bytes;
        options.preset = P::PRESET;
        let mut heap = ptr::null_mut();
        // SAFETY: the options are valid, and the region is the heap's alone.
        let status = unsafe { heap_new_with(&raw const options, &raw mut heap) };
        assert_eq!(status, HeapStatus::Ok, "a heap fits into the region");
        Self { heap, preset: PhantomData }
    }

    unsafe fn add(&mut self, region: Region) -> bool {
        // SAFETY: the heap is live, and the region is its alone.
        let status = unsafe { heap_add_memory(self.heap, region.start.cast(), region.bytes) };
        status == HeapStatus::Ok
    }

    #[inline]
    fn allocate(&mut self, size: usize, align: usize) -> *mut u8 {
        // SAFETY: the heap is live, and only this peer uses it.
        unsafe { heap_allocate(self.heap, size, align) }.cast()
    }

    #[inline]
    unsafe fn deallocate(&mut self, block: *mut u8, size: usize, align: usize) {
        // SAFETY: the heap is live, and only this peer uses it. The block is checked.
        let status = unsafe { heap_deallocate(self.heap, block.cast(), size, align) };
        debug_assert_eq!(status, HeapStatus::Ok, "a right free is accepted");
    }

    #[inline]
    unsafe fn reallocate(&mut self, block: *mut u8, size: usize, align: usize, new_size: usize) -> *mut u8 {
        // SAFETY: the heap is live, and only this peer uses it. The block is checked.
        unsafe { heap_reallocate(self.heap, block.cast(), size, align, new_size) }.cast()
    }
}

impl<P: Preset> Drop for Slabheap<P> {
    fn drop(&mut self) {
        // SAFETY: the heap is live, and nobody uses it from here on.
        unsafe { heap_destroy(self.heap) };
    }
}
