//! What the benchmark asks of an allocator.

use std::alloc::Layout;
use std::ptr;

use crate::arena::{Arena, Region};
use crate::operations::OperationList;
use crate::recording::Recording;
use crate::replay::{self, Passes, Timing};
use crate::traces;
use crate::workloads::Workload;

/// Where a peer's blocks come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// The region that it was opened with.
    Arena,
    /// The operating system.
    Own,
    /// Nowhere: it is no allocator, and its blocks may overlap.
    None,
}

/// An allocator.
///
/// Each operation should cost one call that is not inlined, for everyone: a peer written in C is called as it is, from
/// methods that are `#[inline]`; so is a Rust crate whose functions are compiled in the crate itself. Methods around functions
/// that could be inlined are `#[inline(never)]`.
pub trait Peer {
    /// Its name on the command line and in tables.
    fn name() -> &'static str
    where
        Self: Sized;

    /// The version measured, asked of the library itself where it can tell.
    fn version() -> String
    where
        Self: Sized;

    /// Where its blocks come from.
    fn memory() -> Memory
    where
        Self: Sized;

    /// Opens it: makes a fresh heap of the region, if it is a heap of a region.
    ///
    /// # Safety
    ///
    /// As long as the peer or one of its blocks is in use, nothing else uses the region.
    unsafe fn open(region: Region) -> Self
    where
        Self: Sized;

    /// Adds a region, if it is a heap of regions that can have more than one; false if it cannot.
    ///
    /// # Safety
    ///
    /// As [`Peer::open`].
    unsafe fn add(&mut self, _region: Region) -> bool
    where
        Self: Sized,
    {
        false
    }

    /// Allocates `size` bytes, at least one, at a multiple of `align`, a power of two; null if it cannot.
    fn allocate(&mut self, size: usize, align: usize) -> *mut u8;

    /// Frees a block.
    ///
    /// # Safety
    ///
    /// The block was allocated by this peer with this size and alignment, and has not been freed.
    unsafe fn deallocate(&mut self, block: *mut u8, size: usize, align: usize);

    /// As [`Peer::allocate`], with every byte zero. Nobody's own way is used, so everyone clears as many bytes.
    fn allocate_zeroed(&mut self, size: usize, align: usize) -> *mut u8 {
        let block = self.allocate(size, align);
        if !block.is_null() {
            // SAFETY: the block has so many bytes.
            unsafe { block.write_bytes(0, size) };
        }
        block
    }

    /// Gives a block another size, at least one, at the same alignment; null if it stays as it was. A peer that has no way of its
    /// own allocates, copies and frees.
    ///
    /// # Safety
    ///
    /// As [`Peer::deallocate`].
    unsafe fn reallocate(&mut self, block: *mut u8, size: usize, align: usize, new_size: usize) -> *mut u8 {
        // SAFETY: passed on to the caller.
        unsafe { move_block(self, block, size, align, new_size) }
    }
}

/// A reallocation of those who have none: allocates, copies and frees.
///
/// # Safety
///
/// As [`Peer::reallocate`].
pub unsafe fn move_block<P: Peer + ?Sized>(peer: &mut P, block: *mut u8, size: usize, align: usize, new_size: usize) -> *mut u8 {
    let moved = peer.allocate(new_size, align);
    if !moved.is_null() {
        // SAFETY: both blocks have as many bytes, and blocks do not overlap; the rest is passed on to the caller.
        unsafe {
            ptr::copy_nonoverlapping(block, moved, size.min(new_size));
            peer.deallocate(block, size, align);
        }
    }
    moved
}

/// What every `malloc` aligns to without being asked, blocks of 8 bytes too; the alignment that workloads ask for.
pub const NATURAL_ALIGN: usize = 8;
/// What it aligns blocks to that are as large.
const LARGE_ALIGN: usize = 16;

/// Whether the plain call of an allocator serves this layout: of one that has a call with an alignment beside it, everyone's peer
/// takes the plain one then, as a compiler or a library would.
#[inline(always)]
pub fn is_natural(size: usize, align: usize) -> bool {
    align <= NATURAL_ALIGN || (align <= LARGE_ALIGN && size >= LARGE_ALIGN)
}

/// The layout of a request.
#[inline(always)]
pub fn layout(size: usize, align: usize) -> Layout {
    // SAFETY: workloads ask for powers of two and for sizes far below isize::MAX.
    unsafe { Layout::from_size_align_unchecked(size, align) }
}

/// A peer in the list of peers: what can be done with it without knowing its type.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub name: fn() -> &'static str,
    pub version: fn() -> String,
    pub memory: fn() -> Memory,
    open: unsafe fn(Region) -> Box<dyn Peer>,
    // Compiled for each type, so that the calls in the timed loop are direct ones.
    replay: fn(&mut Arena, &Workload, &OperationList, Passes) -> Option<Timing>,
    replay_recording: fn(&mut Arena, &Recording, Passes) -> Option<Timing>,
    touch_recording: fn(&mut Arena, &Recording) -> Option<usize>,
}

impl Entry {
    /// The entry of a type.
    pub const fn of<P: Peer + 'static>() -> Self {
        Self {
            name: P::name,
            version: P::version,
            memory: P::memory,
            open: open::<P>,
            replay: replay::replay::<P>,
            replay_recording: traces::replay::<P>,
            touch_recording: traces::touched_bytes::<P>,
        }
    }

    /// Replays a list of a workload with a fresh heap, or with the process's heap if that is what the peer is. None if the peer
    /// cannot have as many regions, or its arena does not hold the blocks.
    pub fn replay(&self, arena: &mut Arena, workload: &Workload, list: &OperationList, passes: Passes) -> Option<Timing> {
        (self.replay)(arena, workload, list, passes)
    }

    /// Replays a recorded trace likewise. None if the arena does not hold its blocks.
    pub fn replay_recording(&self, arena: &mut Arena, recording: &Recording, passes: Passes) -> Option<Timing> {
        (self.replay_recording)(arena, recording, passes)
    }

    /// The bytes of the arena that are resident behind a replay in a fresh one, if the peer manages it.
    pub fn touch_recording(&self, arena: &mut Arena, recording: &Recording) -> Option<usize> {
        (self.touch_recording)(arena, recording)
    }

    /// Opens the peer on the first `bytes` bytes of the arena for the length of a call.
    pub fn with<R>(&self, arena: &mut Arena, bytes: usize, body: impl FnOnce(&mut dyn Peer) -> R) -> R {
        // SAFETY: the arena is borrowed until the peer is dropped, and the body gets no way to keep it.
        let mut peer = unsafe { (self.open)(arena.region(bytes)) };
        body(peer.as_mut())
    }
}

/// # Safety
///
/// As [`Peer::open`].
unsafe fn open<P: Peer + 'static>(region: Region) -> Box<dyn Peer> {
    // SAFETY: passed on to the caller.
    Box::new(unsafe { P::open(region) })
}
