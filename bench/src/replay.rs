//! The timed loop.

use std::hint::black_box;
use std::ptr;
use std::time::{Duration, Instant};

use crate::arena::Arena;
use crate::operations::OperationList;
use crate::peer::Peer;

/// The alignment of every request.
pub const ALIGN: usize = 8;

/// How often a list is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passes {
    /// Before the clock starts.
    pub warm_up: usize,
    /// While it runs.
    pub timed: usize,
}

/// How long so many operations took.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    pub elapsed: Duration,
    pub operations: usize,
}

impl Timing {
    /// Nanoseconds an operation.
    pub fn nanoseconds(&self) -> f64 {
        self.elapsed.as_secs_f64() * 1e9 / self.operations as f64
    }
}

/// Opens a peer on the arena and replays a list.
pub fn replay<P: Peer>(arena: &mut Arena, list: &OperationList, passes: Passes) -> Timing {
    let region = arena.region(arena.bytes());
    // SAFETY: the arena is borrowed for as long as the peer lives.
    let mut peer = unsafe { P::open(region) };
    let mut slots = vec![ptr::null_mut(); list.slot_count()];
    for _ in 0..passes.warm_up {
        pass(&mut peer, list, &mut slots);
    }
    let start = Instant::now();
    for _ in 0..passes.timed {
        pass(&mut peer, list, &mut slots);
    }
    Timing { elapsed: start.elapsed(), operations: passes.timed * list.operations().len() }
}

/// Replays a list once. Never inlined, so that tools that count instructions can tell it by its name.
#[inline(never)]
fn pass<P: Peer>(peer: &mut P, list: &OperationList, slots: &mut [*mut u8]) {
    // Hidden, or the compiler would specialise the peers that it can see for this alignment.
    let align = black_box(ALIGN);
    for operation in list.operations() {
        let slot = &mut slots[operation.slot()];
        if operation.is_free() {
            // SAFETY: in an operation list a free finds the block that was allocated for its slot with its size.
            unsafe { peer.deallocate(*slot, operation.size(), align) };
        } else {
            let block = peer.allocate(operation.size(), align);
            assert!(!block.is_null(), "the arena holds every workload");
            // SAFETY: the block has at least one byte. Touched, because nobody allocates a block to leave it alone.
            unsafe { block.write_volatile(1) };
            *slot = block;
        }
    }
}
