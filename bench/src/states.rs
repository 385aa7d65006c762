//! The states that a heap can be in, and what its calls take there.
//!
//! - *warm*: a mixed workload in a heap that is mostly empty, replayed after it was replayed before;
//! - *cold*: the first allocation and the first free of each size in a fresh heap, in a heap that has served every other size, and the
//!   first replay of the mixed workload;
//! - *spread*: the heap has been full, blocks in all of its regions are left, and are replaced by others at random;
//! - *short*: the heap is as good as full, and blocks are replaced at random;
//! - *emptying*: what makes a heap that keeps as many freed runs as it can give them up.
//!
//! In each, calls that found no memory are told apart.

use serde::Serialize;
use slabheap_sys::HeapFreedRuns;

use crate::counted::{Block, Counted, Free, Heaps};
use crate::random::Random;
use crate::shapes::{CountedHeap, Shape, ShapeHeaps};
use crate::sizes::Sizes;
use crate::stepping::Stepper;
use crate::tally::{Figures, Tally};

/// The largest block of the mixed workload, unless it would not fit into a region twice.
const MIXED_LARGEST: usize = 64 << 10;

/// Blocks that the mixed workload holds, about half of them at a time: in all, an eighth of the smallest heap.
const MIXED_SLOTS: usize = 40;

/// Tallies by what the heap was asked.
#[derive(Debug, Default)]
struct Tallies {
    allocate: Tally,
    deallocate: Tally,
    free: Tally,
    fails: Tally,
}

/// The figures of a state.
#[derive(Clone, Debug, Serialize)]
pub struct State {
    pub name: &'static str,
    pub allocate: Figures,
    pub deallocate: Figures,
    pub free: Figures,
    /// Requests that gave no block.
    pub fails: Figures,
}

/// Counts some operations in each state that a heap of this shape can be in.
pub fn states(shape: &Shape, operations: usize, stepper: Stepper) -> Vec<State> {
    let heaps = &mut ShapeHeaps { shape: *shape, stepper };
    let mut states = states_of_anyone(heaps, operations);
    states.push(replaced(heaps, operations, Level::Full).state("short"));
    if shape.freed_runs == HeapFreedRuns::Kept {
        states.push(emptying(shape, stepper));
    }
    states
}

/// The first three states, which are those that peers are compared in.
pub fn states_of_anyone(heaps: &mut impl Heaps, operations: usize) -> Vec<State> {
    let (mut cold, warm) = mixed(heaps, operations);
    cold.merge(first_of_each(heaps));
    vec![warm.state("warm"), cold.state("cold"), replaced(heaps, operations, Level::Third).state("spread")]
}

impl Tallies {
    fn allocate(&mut self, heap: &mut dyn Counted, size: usize) -> Option<Block> {
        let (block, count) = heap.allocate(size);
        let tally = if block.is_some() { &mut self.allocate } else { &mut self.fails };
        tally.add(count, size);
        block
    }

    fn free(&mut self, heap: &mut dyn Counted, block: Block, how: Free) {
        let tally = if how == Free::Deallocate { &mut self.deallocate } else { &mut self.free };
        tally.add(heap.free(block, how), block.size);
    }

    fn merge(&mut self, other: Tallies) {
        self.allocate.merge(other.allocate);
        self.deallocate.merge(other.deallocate);
        self.free.merge(other.free);
        self.fails.merge(other.fails);
    }

    fn state(&self, name: &'static str) -> State {
        let [allocate, deallocate, free, fails] = [&self.allocate, &self.deallocate, &self.free, &self.fails].map(Tally::figures);
        State { name, allocate, deallocate, free, fails }
    }
}

/// Frees as often with a layout as without.
fn either(random: &mut Random) -> Free {
    if random.below(2) == 0 { Free::Deallocate } else { Free::Free }
}

/// The sizes whose first requests are counted: at both ends of every doubling up to half a region, and no more than 16 MiB.
fn sizes(region_bytes: usize) -> Vec<usize> {
    let largest = (region_bytes / 2).min(16 << 20);
    let doublings = (4..).map(|shift| 1 << shift).take_while(|&size| size <= largest);
    doublings.flat_map(|size| [size, size + 1]).filter(|&size| size <= largest).collect()
}

/// The first operations of each size: in a fresh heap of their own, and in one that has served every other size before.
fn first_of_each(heaps: &mut impl Heaps) -> Tallies {
    let mut tallies = Tallies::default();
    let ascending = sizes(heaps.region_bytes());
    let descending: Vec<usize> = ascending.iter().rev().copied().collect();
    for how in [Free::Deallocate, Free::Free] {
        for &size in &ascending {
            heaps.with_fresh(|heap| {
                if let Some(block) = tallies.allocate(heap, size) {
                    tallies.free(heap, block, how);
                }
            });
        }
        for order in [&ascending, &descending] {
            heaps.with_fresh(|heap| {
                let blocks: Vec<Block> = order.iter().filter_map(|&size| tallies.allocate(heap, size)).collect();
                blocks.into_iter().for_each(|block| tallies.free(heap, block, how));
            });
        }
    }
    tallies
}

/// A mixed workload's first replay on a fresh heap, and its second.
fn mixed(heaps: &mut impl Heaps, operations: usize) -> (Tallies, Tallies) {
    let sizes = Sizes::LogUniform { min: 1, max: MIXED_LARGEST.min(heaps.region_bytes() / 2) };
    heaps.with_fresh(|heap| {
        let mut replay = || {
            let mut random = Random::new(1);
            let mut tallies = Tallies::default();
            let mut slots: Vec<Option<Block>> = vec![None; MIXED_SLOTS];
            for _ in 0..operations {
                let slot = random.below(MIXED_SLOTS);
                let how = either(&mut random);
                let size = sizes.draw(&mut random);
                match slots[slot].take() {
                    Some(block) => tallies.free(heap, block, how),
                    None => slots[slot] = tallies.allocate(heap, size),
                }
            }
            slots.into_iter().flatten().for_each(|block| tallies.free(heap, block, Free::Deallocate));
            tallies
        };
        (replay(), replay())
    })
}

/// How much of a heap is in use while blocks are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Third,
    Full,
}

/// Blocks, and how many bytes were asked for in all.
#[derive(Debug, Default)]
struct Live {
    blocks: Vec<Block>,
    bytes: usize,
}

impl Live {
    fn add(&mut self, block: Block) {
        self.bytes += block.size;
        self.blocks.push(block);
    }

    fn remove_any(&mut self, random: &mut Random) -> Option<Block> {
        let index = (!self.blocks.is_empty()).then(|| random.below(self.blocks.len()))?;
        let block = self.blocks.swap_remove(index);
        self.bytes -= block.size;
        Some(block)
    }
}

/// Fills the heap until nothing but small blocks fit, frees at random down to the level, and replaces blocks at random. Sizes grow
/// with the region, so that some hundred blocks fill one of any size.
fn replaced(heaps: &mut impl Heaps, operations: usize, level: Level) -> Tallies {
    let (bytes, regions) = (heaps.region_bytes() * heaps.regions(), heaps.regions());
    let sizes = Sizes::LogUniform { min: 1, max: heaps.region_bytes() / 4 };
    let most = if level == Level::Full { bytes } else { bytes / 3 };
    let mut random = Random::new(2);
    heaps.with_fresh(|heap| {
        let mut live = Live::default();
        for _ in 0..4 * regions {
            // The first that fails ends it; small ones that still fit follow. (Who hands out the same bytes again never fails.)
            while live.bytes < bytes
                && let Some(block) = heap.allocate_uncounted(sizes.draw(&mut random))
            {
                live.add(block);
            }
        }
        while live.bytes > most
            && let Some(block) = live.remove_any(&mut random)
        {
            heap.free_uncounted(block);
        }
        let mut tallies = Tallies::default();
        for _ in 0..operations / 2 {
            if let Some(block) = live.remove_any(&mut random) {
                tallies.free(heap, block, either(&mut random));
            }
            if live.bytes <= most
                && let Some(block) = tallies.allocate(heap, sizes.draw(&mut random))
            {
                live.add(block);
            }
        }
        tallies
    })
}

/// What a heap keeps at the most, as `HeapFreedRuns::Kept` says: a third of its pages, and so many runs.
const KEPT_RUNS: usize = 512;

/// Makes a fresh heap keep as many freed runs of large blocks as it can, of so many lengths, from the shortest up; how many.
///
/// # Panics
///
/// If the heap did not keep each of them.
pub fn keep(heap: &mut CountedHeap, shape: &Shape, lengths: usize) -> usize {
    let page = shape.kind.page_bytes;
    let pages = heap.stats().total_bytes / page;
    let limit = pages / 3;
    let shortest = 4096 / page + 1; // what is shorter is a block of a set
    let mut room = limit;
    let mut blocks = Vec::new();
    for index in 0..KEPT_RUNS {
        let length = shortest + index % lengths;
        let Some(block) = (length <= room).then(|| heap.allocate_uncounted(length * page)).flatten() else { break };
        room -= length;
        blocks.push(block);
    }
    let (count, others) = (blocks.len(), heap.free_runs());
    // Neighbours do not follow each other, as they would not in a program.
    let (later, sooner): (Vec<_>, Vec<_>) = blocks.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
    sooner.into_iter().chain(later).for_each(|(_, block)| heap.free_uncounted(block));
    assert_eq!(heap.free_runs(), others + count, "every run is kept, and none merged");
    count
}

/// What makes a heap give up the runs that it keeps: a request for all of it, or more, and one that is made when more than half of the
/// heap is in use.
pub fn emptying(shape: &Shape, stepper: Stepper) -> State {
    let mut tallies = Tallies::default();
    for lengths in [1, 5] {
        let kept = || {
            let mut heap = CountedHeap::new(shape, stepper);
            keep(&mut heap, shape, lengths);
            heap
        };
        // One that can only succeed if everything is merged, one that cannot, and the largest of which the heap says that it would.
        for request in [
            |heap: &CountedHeap| heap.stats().total_bytes,
            |heap: &CountedHeap| 2 * heap.stats().total_bytes,
            |heap: &CountedHeap| heap.stats().largest_free_bytes,
        ] {
            let mut heap = kept();
            let size = request(&heap);
            tallies.allocate(&mut heap, size);
        }
        // Of another length than any that is kept, and of an order, so that there is room for as many.
        let piece = shape.region_bytes() / 32;
        let mut heap = kept();
        while heap.stats().used_bytes < heap.stats().total_bytes / 2 && heap.allocate_uncounted(piece).is_some() {}
        tallies.allocate(&mut heap, piece);
    }
    tallies.state("emptying")
}
