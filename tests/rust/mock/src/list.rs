//! A list that grows by the system's allocator: the mock may itself be the global one.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ops::{Deref, DerefMut};

/// Items one behind the other.
pub struct List<T: Copy> {
    start: *mut T,
    length: usize,
    room: usize,
}

impl<T: Copy> List<T> {
    pub const fn new() -> Self {
        Self { start: std::ptr::NonNull::dangling().as_ptr(), length: 0, room: 0 }
    }

    fn layout(room: usize) -> Layout {
        Layout::array::<T>(room).expect("a list is short")
    }

    pub fn insert(&mut self, index: usize, item: T) {
        assert!(index <= self.length);
        if self.length == self.room {
            let room = 2 * self.room + 8;
            // SAFETY: the layout is not empty, and the old items fit into the new room.
            unsafe {
                let start = System.alloc(Self::layout(room)).cast::<T>();
                assert!(!start.is_null());
                start.copy_from_nonoverlapping(self.start, self.length);
                self.free();
                (self.start, self.room) = (start, room);
            }
        }
        // SAFETY: there is room for one more.
        unsafe {
            let place = self.start.add(index);
            place.copy_to(place.add(1), self.length - index);
            place.write(item);
        }
        self.length += 1;
    }

    pub fn push(&mut self, item: T) {
        self.insert(self.length, item);
    }

    pub fn remove(&mut self, index: usize) -> T {
        let item = self[index];
        self.copy_within(index + 1.., index);
        self.length -= 1;
        item
    }

    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// SAFETY: the items are not used any more.
    unsafe fn free(&mut self) {
        if self.room != 0 {
            // SAFETY: it was allocated with this layout.
            unsafe { System.dealloc(self.start.cast(), Self::layout(self.room)) };
        }
    }
}

impl<T: Copy> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: so many items were written.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

impl<T: Copy> DerefMut for List<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: so many items were written, and the list is borrowed for writing.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.length) }
    }
}

impl<T: Copy> Drop for List<T> {
    fn drop(&mut self) {
        // SAFETY: the list goes.
        unsafe { self.free() }
    }
}
