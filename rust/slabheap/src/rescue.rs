//! The last chance of a request that there is no memory for.

use crate::raw::Raw;
use crate::{Error, Stats};
use core::alloc::Layout;
use core::ffi::c_void;
use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;
use slabheap_sys as sys;

/// What is called before a request fails for want of memory. True has it tried once more. A panic in it aborts the program.
pub type RescueFn = fn(&Rescue<'_>, Layout) -> bool;

/// A heap in the midst of a request that there is no memory for: memory can be added, or given back to the pages.
///
/// ```
/// # #[cfg(feature = "os")] {
/// use slabheap::{Heap, Rescue};
/// use std::alloc::Layout;
///
/// fn map_more(heap: &Rescue<'_>, layout: Layout) -> bool {
///     heap.map_memory(2 * layout.size() + (1 << 20)).is_ok()
/// }
///
/// let mut heap = Heap::builder().rescue(map_more).map(64 << 10)?;
/// assert!(heap.allocate(Layout::new::<[u8; 1 << 20]>()).is_ok());
/// assert_eq!(heap.stats().region_count, 2);
/// # }
/// # Ok::<(), slabheap::Error>(())
/// ```
pub struct Rescue<'a> {
    raw: Raw,
    request: PhantomData<&'a mut sys::Heap>,
}

impl Rescue<'_> {
    /// Adds `bytes` bytes at `start`, of any alignment.
    ///
    /// # Safety
    /// As [`Heap::try_add_memory`](crate::Heap::try_add_memory).
    pub unsafe fn add_memory(&self, start: *mut u8, bytes: usize) -> Result<(), Error> {
        if start.is_null() {
            return Err(Error::InvalidArgument); // the C interface would map memory
        }
        // SAFETY: the caller's promise.
        unsafe { self.raw.add_memory(start, bytes) }
    }

    /// Adds `bytes` bytes mapped from the operating system.
    #[cfg(feature = "os")]
    pub fn map_memory(&self, bytes: usize) -> Result<(), Error> {
        // SAFETY: mapped memory is nobody else's.
        unsafe { self.raw.add_memory(crate::raw::MAPPED, bytes) }
    }

    /// What [`Heap::trim`](crate::Heap::trim) does.
    pub fn trim(&self) -> usize {
        self.raw.trim()
    }

    /// What the heap holds.
    pub fn stats(&self) -> Stats {
        self.raw.stats()
    }
}

impl fmt::Debug for Rescue<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Rescue").field(&self.stats()).finish()
    }
}

/// What the library calls.
///
/// # Safety
/// The context is a [`RescueFn`].
pub(crate) unsafe extern "C" fn call_rescue(context: *mut c_void, heap: *mut sys::Heap, size: usize, align: usize) -> bool {
    // SAFETY: it was made from one, in `Builder::options`.
    let rescue = unsafe { core::mem::transmute::<*mut c_void, RescueFn>(context) };
    let (Some(heap), Ok(layout)) = (NonNull::new(heap), Layout::from_size_align(size, align)) else {
        return false; // a size that, rounded up to its alignment, no Rust layout has
    };
    // SAFETY: the request that calls this has the heap to itself, and lends it to what `Rescue` offers.
    let raw = unsafe { Raw::of(heap) };
    rescue(&Rescue { raw, request: PhantomData }, layout)
}
