//! The memory management of a small kernel: a heap behind a lock as the global allocator, more memory when a driver finds some, and
//! figures for a shell. Only Cargo.toml says which crate it is that it calls `ax_slab_allocator`.
#![no_std]

use ax_slab_allocator::{AllocError, Heap};
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicBool, Ordering};

/// The heap of the kernel, once there is memory.
pub struct KernelHeap {
    is_locked: AtomicBool,
    heap: UnsafeCell<Option<Heap>>,
}

/// What the shell prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    /// Bytes that the heap manages.
    pub total: usize,
    /// Bytes that blocks take up.
    pub used: usize,
    /// Bytes that are left.
    pub available: usize,
}

// SAFETY: the heap is only used under the lock.
unsafe impl Sync for KernelHeap {}

impl KernelHeap {
    /// A heap without memory.
    pub const fn new() -> Self {
        KernelHeap { is_locked: AtomicBool::new(false), heap: UnsafeCell::new(None) }
    }

    fn with<R>(&self, call: impl FnOnce(&mut Option<Heap>) -> R) -> R {
        while self.is_locked.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            core::hint::spin_loop();
        }
        // SAFETY: whoever holds the lock is alone.
        let result = call(unsafe { &mut *self.heap.get() });
        self.is_locked.store(false, Ordering::Release);
        result
    }

    /// Gives it its memory.
    ///
    /// # Safety
    /// The memory is nobody else's.
    pub unsafe fn init(&self, start: usize, size: usize) {
        self.with(|heap| *heap = Some(unsafe { Heap::new(start, size) }));
    }

    /// Gives it more.
    ///
    /// # Safety
    /// The memory is nobody else's.
    pub unsafe fn add_memory(&self, start: usize, size: usize) {
        self.with(|heap| unsafe { heap.as_mut().expect("init came first").add_memory(start, size) });
    }

    /// A block, or an error.
    pub fn allocate(&self, layout: Layout) -> Result<usize, AllocError> {
        self.with(|heap| heap.as_mut().ok_or(AllocError)?.allocate(layout))
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// The block is one of this heap, of this layout, and nobody uses it any more.
    pub unsafe fn deallocate(&self, block: usize, layout: Layout) {
        self.with(|heap| {
            if let Some(heap) = heap {
                unsafe { heap.deallocate(block, layout) }
            }
        });
    }

    /// The least and the most bytes that a block of the layout has.
    pub fn usable_size(&self, layout: Layout) -> (usize, usize) {
        self.with(|heap| heap.as_ref().expect("init came first").usable_size(layout))
    }

    /// What the shell prints.
    pub fn figures(&self) -> Figures {
        self.with(|heap| {
            let heap = heap.as_ref().expect("init came first");
            Figures { total: heap.total_bytes(), used: heap.used_bytes(), available: heap.available_bytes() }
        })
    }
}

impl Default for KernelHeap {
    fn default() -> Self {
        Self::new()
    }
}

unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.allocate(layout).map_or(null_mut(), |address| address as *mut u8)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.deallocate(block as usize, layout);
    }
}
