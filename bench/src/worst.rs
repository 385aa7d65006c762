//! The worst single operation of slabheap, in instructions, over heaps of many shapes.
//!
//! Every operation is counted, and the worst of each state that a heap can be in is told:
//!
//! - *warm*: a mixed workload in a heap that is mostly empty, replayed after it was replayed before;
//! - *cold*: the first allocation and the first free of each size in a fresh heap, in a heap that has served every other size, and the
//!   first replay of the mixed workload;
//! - *spread*: the heap has been full, blocks in all of its regions are left, and are replaced by others at random;
//! - *short*: the heap is as good as full, and blocks are replaced at random;
//! - *fails*: requests that there is no memory for;
//! - *emptying*: what makes a heap that keeps as many freed runs as it can give them up.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::{iter, thread};

use serde::Serialize;

use crate::machine::Machine;
use crate::random::Random;
use crate::shapes::{Block, CountedHeap, Free, Shape};
use crate::sizes::Sizes;
use crate::stepping::Stepper;
use crate::tally::{Figures, Tally};

/// Operations that are counted in each state and shape, about.
pub const OPERATIONS: usize = 2_000;

/// The largest block of the mixed workload, unless it would not fit into a region twice.
const MIXED_LARGEST: usize = 64 << 10;

/// Blocks that the mixed workload holds, about half of them at a time: in all, an eighth of the smallest heap.
const MIXED_SLOTS: usize = 40;

/// Freed runs that a heap may keep, and some more.
const MANY_RUNS: usize = 300;

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

/// A row of the table.
#[derive(Clone, Debug, Serialize)]
pub struct ShapeFigures {
    #[serde(flatten)]
    pub shape: Shape,
    pub states: Vec<State>,
}

impl ShapeFigures {
    /// The figures of the state of this name, if the heap can be in it.
    pub fn state(&self, name: &str) -> Option<&State> {
        self.states.iter().find(|state| state.name == name)
    }
}

/// What came out, and how.
#[derive(Clone, Debug, Serialize)]
pub struct WorstReport {
    pub command: String,
    pub machine: Machine,
    pub operations: usize,
    pub shapes: Vec<ShapeFigures>,
}

/// Counts in every shape, several at a time, and tells `progress` each before it begins.
pub fn run(operations: usize, command: String, progress: impl Fn(&Shape) + Sync) -> WorstReport {
    let machine = Machine::read();
    let shapes: Vec<Shape> = Shape::all().collect();
    let next = AtomicUsize::new(0);
    let count_some = || {
        let stepper = Stepper::new();
        let mine = iter::from_fn(|| shapes.get(next.fetch_add(1, Ordering::Relaxed)));
        let figures = mine.map(|&shape| {
            progress(&shape);
            ShapeFigures { shape, states: states(&shape, operations, stepper) }
        });
        figures.collect::<Vec<_>>()
    };
    let mut figures: Vec<ShapeFigures> = thread::scope(|scope| {
        let threads: Vec<_> = (0..machine.processors.max(1)).map(|_| scope.spawn(count_some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("counting ends")).collect()
    });
    figures.sort_by_key(|row| shapes.iter().position(|shape| *shape == row.shape));
    WorstReport { command, machine, operations, shapes: figures }
}

/// Counts some operations in each state that a heap of this shape can be in.
pub fn states(shape: &Shape, operations: usize, stepper: Stepper) -> Vec<State> {
    let (mut cold, warm) = mixed(shape, operations, stepper);
    cold.merge(first_of_each(shape, stepper));
    let mut states = vec![warm.state("warm"), cold.state("cold")];
    states.push(replaced(shape, operations, Level::Third, stepper).state("spread"));
    states.push(replaced(shape, operations, Level::Full, stepper).state("short"));
    if shape.freed_runs == "kept" {
        states.push(emptying(shape, stepper).state("emptying"));
    }
    states
}

impl Tallies {
    fn allocate(&mut self, heap: &mut CountedHeap, size: usize) -> Option<Block> {
        let (block, count) = heap.allocate(size);
        let tally = if block.is_some() { &mut self.allocate } else { &mut self.fails };
        tally.add(count, size);
        block
    }

    fn free(&mut self, heap: &mut CountedHeap, block: Block, how: Free) {
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
fn sizes(shape: &Shape) -> Vec<usize> {
    let largest = (shape.region_bytes() / 2).min(16 << 20);
    let doublings = (4..).map(|shift| 1 << shift).take_while(|&size| size <= largest);
    doublings.flat_map(|size| [size, size + 1]).filter(|&size| size <= largest).collect()
}

/// The first operations of each size: in a fresh heap of their own, and in one that has served every other size before.
fn first_of_each(shape: &Shape, stepper: Stepper) -> Tallies {
    let mut tallies = Tallies::default();
    for how in [Free::Deallocate, Free::Free] {
        for &size in &sizes(shape) {
            let mut heap = CountedHeap::new(shape, stepper);
            if let Some(block) = tallies.allocate(&mut heap, size) {
                tallies.free(&mut heap, block, how);
            }
        }
        let ascending = sizes(shape);
        let descending = ascending.iter().rev().copied().collect();
        for order in [ascending, descending] {
            let mut heap = CountedHeap::new(shape, stepper);
            let blocks: Vec<Block> = order.into_iter().filter_map(|size| tallies.allocate(&mut heap, size)).collect();
            blocks.into_iter().for_each(|block| tallies.free(&mut heap, block, how));
        }
    }
    tallies
}

/// A mixed workload's first replay on a fresh heap, and its second.
fn mixed(shape: &Shape, operations: usize, stepper: Stepper) -> (Tallies, Tallies) {
    let sizes = Sizes::LogUniform { min: 1, max: MIXED_LARGEST.min(shape.region_bytes() / 2) };
    let mut heap = CountedHeap::new(shape, stepper);
    let mut replay = || {
        let mut random = Random::new(1);
        let mut tallies = Tallies::default();
        let mut slots: Vec<Option<Block>> = vec![None; MIXED_SLOTS];
        for _ in 0..operations {
            let slot = random.below(MIXED_SLOTS);
            let how = either(&mut random);
            let size = sizes.draw(&mut random);
            match slots[slot].take() {
                Some(block) => tallies.free(&mut heap, block, how),
                None => slots[slot] = tallies.allocate(&mut heap, size),
            }
        }
        slots.into_iter().flatten().for_each(|block| tallies.free(&mut heap, block, Free::Deallocate));
        tallies
    };
    (replay(), replay())
}

/// How much of a heap is in use while blocks are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Third,
    Full,
}

/// Fills the heap until nothing but small blocks fit, frees at random down to the level, and replaces blocks at random. Sizes grow
/// with the region, so that some thousand blocks fill any heap.
fn replaced(shape: &Shape, operations: usize, level: Level, stepper: Stepper) -> Tallies {
    let sizes = Sizes::LogUniform { min: 1, max: shape.region_bytes() / 4 };
    let mut random = Random::new(2);
    let mut heap = CountedHeap::new(shape, stepper);
    let mut blocks: Vec<Block> = Vec::new();
    for _ in 0..4 * shape.regions {
        // The first that fails ends it; small ones that still fit follow.
        while let Some(block) = heap.allocate_uncounted(sizes.draw(&mut random)) {
            blocks.push(block);
        }
    }
    while level == Level::Third && heap.stats().used_bytes > heap.stats().total_bytes / 3 && !blocks.is_empty() {
        heap.free_uncounted(blocks.swap_remove(random.below(blocks.len())));
    }
    let mut tallies = Tallies::default();
    for _ in 0..operations / 2 {
        if !blocks.is_empty() {
            let block = blocks.swap_remove(random.below(blocks.len()));
            tallies.free(&mut heap, block, either(&mut random));
        }
        let is_room = level == Level::Full || heap.stats().used_bytes <= heap.stats().total_bytes / 3;
        if is_room {
            blocks.extend(tallies.allocate(&mut heap, sizes.draw(&mut random)));
        }
    }
    tallies
}

/// What makes a heap give up the runs that it keeps: a request for all of it, or more, and one that is made when more than half of the
/// heap is in use.
fn emptying(shape: &Shape, stepper: Stepper) -> Tallies {
    let mut tallies = Tallies::default();
    let keep = |heap: &mut CountedHeap| {
        // Every other one stays, so that none merges with the next, and runs of many lengths are kept.
        let page = shape.kind.page_bytes;
        let budget = heap.stats().total_bytes / 4;
        let mut taken = 0;
        let mut blocks = Vec::new();
        for index in 0..2 * MANY_RUNS {
            let size = page * (2 + index % 5);
            if taken + size > budget {
                break;
            }
            taken += size;
            blocks.extend(heap.allocate_uncounted(size.max(4097)));
        }
        let (left, freed): (Vec<_>, Vec<_>) = blocks.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
        freed.into_iter().for_each(|(_, block)| heap.free_uncounted(block));
        left.into_iter().for_each(|(_, block)| heap.free_uncounted(block));
    };
    // One that can only succeed if everything is merged, one that cannot, and the largest of which the heap says that it would.
    for request in [
        |heap: &CountedHeap| heap.stats().total_bytes,
        |heap: &CountedHeap| 2 * heap.stats().total_bytes,
        |heap: &CountedHeap| heap.stats().largest_free_bytes,
    ] {
        let mut heap = CountedHeap::new(shape, stepper);
        keep(&mut heap);
        let size = request(&heap);
        tallies.allocate(&mut heap, size);
    }
    let mut heap = CountedHeap::new(shape, stepper);
    keep(&mut heap);
    while heap.stats().used_bytes <= heap.stats().total_bytes / 2 {
        if tallies.allocate(&mut heap, shape.region_bytes() / 8 + 1).is_none() {
            break;
        }
    }
    tallies.allocate(&mut heap, shape.region_bytes() / 16 + 1);
    tallies
}
