//! The workloads that peers are timed with.

use std::fmt;

use crate::operations::{OperationList, Recorder};
use crate::random::Random;
use crate::sizes::Sizes;

/// How allocations and frees follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// So many allocations, then as many frees in the same order.
    Batches { blocks: usize },
    /// So many slots, of which a random one is filled if it is empty and emptied if it is full: about half are full.
    Slots { slots: usize },
}

/// A named pattern and its sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    pub name: &'static str,
    pub pattern: Pattern,
    pub sizes: Sizes,
}

/// Operations in a list; a list is a few longer, where its last batch or its last live blocks are freed. The list stays in
/// the second-level cache for the most part, and is too long for a branch predictor to learn.
pub const LIST_OPERATIONS: usize = 200_000;

/// The seed of the lists.
pub const SEED: u64 = 1;

/// Every workload, in the order of the tables' columns.
pub const ALL: &[Workload] = &[
    batches("W1", 1, 64),
    batches("W2-16", 1_000, 16),
    batches("W2-64", 1_000, 64),
    batches("W2-256", 1_000, 256),
    batches("W2-1024", 1_000, 1_024),
    batches("W2-4096", 1_000, 4_096),
    slots("W3", 5_000, Sizes::LogUniform { min: 1, max: 4 << 10 }),
    slots("W4", 500, Sizes::LogUniform { min: 1, max: 256 << 10 }),
    slots("W5", 200, Sizes::Uniform { min: (4 << 10) + 1, max: 64 << 10 }),
];

const fn batches(name: &'static str, blocks: usize, size: usize) -> Workload {
    Workload { name, pattern: Pattern::Batches { blocks }, sizes: Sizes::Fixed(size) }
}

const fn slots(name: &'static str, slots: usize, sizes: Sizes) -> Workload {
    Workload { name, pattern: Pattern::Slots { slots }, sizes }
}

impl Workload {
    /// The workload of this name.
    pub fn find(name: &str) -> Option<&'static Workload> {
        ALL.iter().find(|workload| workload.name == name)
    }

    /// A list of at least `length` operations, the same for the same seed.
    pub fn operations(&self, length: usize, seed: u64) -> OperationList {
        let mut random = Random::new(seed);
        match self.pattern {
            Pattern::Batches { blocks } => self.batches(blocks, length, &mut random),
            Pattern::Slots { slots } => self.slots(slots, length, &mut random),
        }
    }

    fn batches(&self, blocks: usize, length: usize, random: &mut Random) -> OperationList {
        let mut recorder = Recorder::new(blocks);
        while recorder.count() < length {
            (0..blocks).for_each(|slot| recorder.allocate(slot, self.sizes.draw(random)));
            (0..blocks).for_each(|slot| recorder.free(slot));
        }
        recorder.finish()
    }

    fn slots(&self, slots: usize, length: usize, random: &mut Random) -> OperationList {
        let mut recorder = Recorder::new(slots);
        while recorder.count() < length {
            let slot = random.below(slots);
            if recorder.is_full(slot) {
                recorder.free(slot);
            } else {
                recorder.allocate(slot, self.sizes.draw(random));
            }
        }
        recorder.finish()
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pattern {
            Pattern::Batches { blocks: 1 } => write!(formatter, "pairs of an allocation and its free")?,
            Pattern::Batches { blocks } => write!(formatter, "batches of {blocks}, freed in order")?,
            Pattern::Slots { slots } => write!(formatter, "{slots} slots, a random one filled or emptied")?,
        }
        write!(formatter, "; {}", self.sizes)
    }
}
