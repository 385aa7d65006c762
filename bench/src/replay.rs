//! The timed loop.

use std::hint::black_box;
use std::ptr;
use std::time::{Duration, Instant};

use crate::arena::Arena;
use crate::operations::{Operation, OperationList};
use crate::peer::{Memory, NATURAL_ALIGN, Peer};
use crate::workloads::Workload;

/// The alignment of every request.
pub const ALIGN: usize = NATURAL_ALIGN;

/// How often a list is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passes {
    /// Before the clock starts.
    pub warm_up: usize,
    /// While it runs.
    pub timed: usize,
    /// How long one may take before the clock starts; longer is more than the peer can do.
    pub patience: Duration,
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

/// Operations between two looks at the clock.
const STRETCH: usize = 1000;

/// Opens a peer on the arena and replays a list of a workload. None if the peer cannot have as many regions, cannot hold the blocks,
/// or takes too long.
pub fn replay<P: Peer>(arena: &mut Arena, workload: &Workload, list: &OperationList, passes: Passes) -> Option<Timing> {
    let mut peer = open_regions::<P>(arena, workload.regions)?;
    let mut slots = vec![ptr::null_mut(); list.slot_count()];
    time(list.operations(), passes, |operations| pass(&mut peer, operations, &mut slots))
}

/// Does all operations of a list some times before the clock starts, and some while it runs. `pass` does a few, and is false as soon as a
/// request fails. None if one does, or it takes too long.
pub(crate) fn time<O>(operations: &[O], passes: Passes, mut pass: impl FnMut(&[O]) -> bool) -> Option<Timing> {
    if !(0..passes.warm_up).all(|_| try_pass(operations, passes.patience, &mut pass)) {
        return None;
    }
    let start = Instant::now();
    let is_whole = counted(passes.timed, operations, pass);
    let elapsed = start.elapsed();
    is_whole.then_some(Timing { elapsed, operations: passes.timed * operations.len() })
}

/// Opens a peer on all of the arena, cut into so many regions if it is a heap of an arena.
fn open_regions<P: Peer>(arena: &mut Arena, regions: usize) -> Option<P> {
    if regions == 1 || P::memory() != Memory::Arena {
        // SAFETY: the arena is borrowed for as long as the peer lives.
        return Some(unsafe { P::open(arena.region(arena.bytes())) });
    }
    let mut parts = arena.parts(regions);
    // SAFETY: the same.
    let mut peer = unsafe { P::open(parts.next()?) };
    // SAFETY: the same.
    parts.all(|part| unsafe { peer.add(part) }).then_some(peer)
}

/// What is timed and counted. Never inlined, so that tools that count instructions can tell it by its name.
#[inline(never)]
fn counted<O>(times: usize, operations: &[O], mut pass: impl FnMut(&[O]) -> bool) -> bool {
    (0..times).all(|_| pass(operations))
}

/// Does all operations of a list once; false as soon as a request fails, or if it takes too long.
pub(crate) fn try_pass<O>(operations: &[O], patience: Duration, mut pass: impl FnMut(&[O]) -> bool) -> bool {
    let start = Instant::now();
    operations.chunks(STRETCH).all(|stretch| pass(stretch) && start.elapsed() < patience)
}

/// Does some operations of a list; false as soon as a request fails. Never inlined, so that the warm-up runs the same code.
#[inline(never)]
fn pass<P: Peer>(peer: &mut P, operations: &[Operation], slots: &mut [*mut u8]) -> bool {
    // Hidden, or the compiler would specialise the peers that it can see for this alignment.
    let align = black_box(ALIGN);
    for operation in operations {
        let slot = &mut slots[operation.slot()];
        if operation.is_free() {
            // SAFETY: in an operation list a free finds the block that was allocated for its slot with its size.
            unsafe { peer.deallocate(*slot, operation.size(), align) };
        } else {
            let block = peer.allocate(operation.size(), align);
            if block.is_null() {
                return false;
            }
            // SAFETY: the block has at least one byte. Touched, because nobody allocates a block to leave it alone.
            unsafe { block.write_volatile(1) };
            *slot = block;
        }
    }
    true
}
