//! How a request reaches a heap that is shared.

use crate::raw::Raw;
use core::alloc::Layout;
use core::ptr::NonNull;

/// A heap that can be used through `&self`, for one call at a time.
pub(crate) trait Access {
    /// Runs a call alone with the heap; none if there is no heap yet, and no memory to make it of.
    fn access<R>(&self, call: impl FnOnce(Raw) -> R) -> Option<R>;

    /// Whether a request that there is no memory for is to be tried once more.
    fn rescue(&self, _layout: Layout) -> bool {
        false
    }

    /// Runs a call that asks for memory.
    fn request(&self, layout: Layout, call: impl Fn(Raw) -> Option<NonNull<u8>>) -> Option<NonNull<u8>> {
        let once = || self.access(&call).flatten();
        once().or_else(|| if self.rescue(layout) { once() } else { None })
    }
}

impl<A: Access> Access for &A {
    fn access<R>(&self, call: impl FnOnce(Raw) -> R) -> Option<R> {
        (**self).access(call)
    }

    fn rescue(&self, layout: Layout) -> bool {
        (**self).rescue(layout)
    }
}
