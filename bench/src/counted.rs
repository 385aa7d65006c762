//! Heaps whose calls are counted one by one, of slabheap and of others.

use crate::arena::Arena;
use crate::peer::{Entry, Peer};
use crate::replay::ALIGN;
use crate::stepping::Stepper;

/// How a block is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Free {
    /// With its layout.
    Deallocate,
    /// Without, where there is such a call.
    Free,
}

/// A block and the size that it was asked for with.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    pub start: *mut u8,
    pub size: usize,
}

/// A heap.
pub trait Counted {
    /// A block, or none if the heap has no memory for it, and the instructions of the call.
    fn allocate(&mut self, size: usize) -> (Option<Block>, u64);

    /// Frees a live block of this heap; the instructions of the call.
    fn free(&mut self, block: Block, how: Free) -> u64;

    /// As `allocate`, at full speed.
    fn allocate_uncounted(&mut self, size: usize) -> Option<Block>;

    /// As `free`, at full speed.
    fn free_uncounted(&mut self, block: Block);
}

/// Where fresh heaps of one shape come from.
pub trait Heaps {
    /// Bytes of a region of them.
    fn region_bytes(&self) -> usize;

    /// How many regions each has.
    fn regions(&self) -> usize;

    /// Makes a heap for the length of a call.
    fn with_fresh<R>(&mut self, body: impl FnOnce(&mut dyn Counted) -> R) -> R;
}

/// Heaps of a peer, in an arena whose pages are there only where they were written to.
pub struct PeerHeaps {
    peer: &'static Entry,
    arena: Arena,
    stepper: Stepper,
}

impl PeerHeaps {
    pub fn new(peer: &'static Entry, bytes: usize, stepper: Stepper) -> Self {
        Self { peer, arena: Arena::untouched(bytes), stepper }
    }
}

impl Heaps for PeerHeaps {
    fn region_bytes(&self) -> usize {
        self.arena.bytes()
    }

    fn regions(&self) -> usize {
        1
    }

    fn with_fresh<R>(&mut self, body: impl FnOnce(&mut dyn Counted) -> R) -> R {
        let (bytes, stepper) = (self.arena.bytes(), self.stepper);
        self.peer.with(&mut self.arena, bytes, |peer| body(&mut CountedPeer { peer, stepper }))
    }
}

/// The same call for everyone, through a table of functions.
struct CountedPeer<'peer> {
    peer: &'peer mut dyn Peer,
    stepper: Stepper,
}

impl Counted for CountedPeer<'_> {
    fn allocate(&mut self, size: usize) -> (Option<Block>, u64) {
        let (start, count) = self.stepper.count(|| self.peer.allocate(size, ALIGN));
        ((!start.is_null()).then_some(Block { start, size }), count)
    }

    fn free(&mut self, block: Block, _how: Free) -> u64 {
        // SAFETY: the block is live, and was allocated with this size and alignment.
        self.stepper.count(|| unsafe { self.peer.deallocate(block.start, block.size, ALIGN) }).1
    }

    fn allocate_uncounted(&mut self, size: usize) -> Option<Block> {
        let start = self.peer.allocate(size, ALIGN);
        (!start.is_null()).then_some(Block { start, size })
    }

    fn free_uncounted(&mut self, block: Block) {
        // SAFETY: the block is live, and was allocated with this size and alignment.
        unsafe { self.peer.deallocate(block.start, block.size, ALIGN) };
    }
}
