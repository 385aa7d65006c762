//! The trait `Allocator` of allocator-api2.

use crate::access::Access;
use crate::lock::Lock;
use crate::raw::Raw;
use crate::{GlobalHeap, Heap, SharedHeap};
use allocator_api2::alloc::{AllocError, Allocator};
use core::alloc::Layout;
use core::ptr::NonNull;

impl Access for Heap {
    fn access<R>(&self, call: impl FnOnce(Raw) -> R) -> Option<R> {
        Some(self.change(call))
    }
}

type Block = Result<NonNull<[u8]>, AllocError>;

/// A block as the trait has it. It says no more bytes than were asked for, so that the layout to free it by is the one it was asked with.
fn block(start: Option<NonNull<u8>>, layout: Layout) -> Block {
    start.map(|start| NonNull::slice_from_raw_parts(start, layout.size())).ok_or(AllocError)
}

/// # Safety
/// The block is a live one of `heap` and of `old`, and its owner gives it up if it gets another.
unsafe fn resize(heap: &impl Access, start: NonNull<u8>, old: Layout, new: Layout) -> Block {
    if old.align() == new.align() {
        // SAFETY: the caller's promise.
        return block(heap.request(new, |raw| unsafe { raw.reallocate(start, old, new.size()) }), new);
    }
    // A block is freed by its new layout, whose class may be another although the size would fit.
    let moved = heap.request(new, |raw| raw.allocate(new)).ok_or(AllocError)?;
    // SAFETY: two live blocks, each of so many bytes.
    unsafe { start.copy_to_nonoverlapping(moved, old.size().min(new.size())) };
    // SAFETY: the caller's promise.
    let _ = heap.access(|raw| unsafe { raw.deallocate(start.as_ptr(), old) });
    block(Some(moved), new)
}

macro_rules! allocator {
    ($heap:ty $(, $lock:ident)?) => {
        // SAFETY: blocks are the heap's, of at least the layout's size and alignment, and stay until they are freed, as long as there is a
        // copy of the handle: of references, none outlives the heap, nor a `&mut Heap` that could reset it; of a `SharedHeap`, each is
        // an owner. Copies are the same heap.
        unsafe impl$(<$lock: Lock>)? Allocator for $heap {
            fn allocate(&self, layout: Layout) -> Block {
                block(self.request(layout, |raw| raw.allocate(layout)), layout)
            }

            fn allocate_zeroed(&self, layout: Layout) -> Block {
                block(self.request(layout, |raw| raw.allocate_zeroed(layout)), layout)
            }

            unsafe fn deallocate(&self, start: NonNull<u8>, layout: Layout) {
                // SAFETY: the caller gives the block up. What is refused is counted; there is nobody to tell.
                let _ = self.access(|raw| unsafe { raw.deallocate(start.as_ptr(), layout) });
            }

            unsafe fn grow(&self, start: NonNull<u8>, old: Layout, new: Layout) -> Block {
                // SAFETY: the caller's promise.
                unsafe { resize(self, start, old, new) }
            }

            unsafe fn grow_zeroed(&self, start: NonNull<u8>, old: Layout, new: Layout) -> Block {
                // SAFETY: the caller's promise.
                let grown = unsafe { resize(self, start, old, new) }?;
                // SAFETY: the block has `new.size()` bytes, and the new size is not less than the old.
                unsafe { grown.cast::<u8>().add(old.size()).write_bytes(0, new.size() - old.size()) };
                Ok(grown)
            }

            unsafe fn shrink(&self, start: NonNull<u8>, old: Layout, new: Layout) -> Block {
                // SAFETY: the caller's promise.
                unsafe { resize(self, start, old, new) }
            }
        }
    };
}

allocator!(&Heap);
allocator!(SharedHeap<L>, L);
allocator!(&GlobalHeap<L>, L);
