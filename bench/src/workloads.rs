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
    /// So many blocks, of which a random one is freed and allocated anew, with another size.
    Full { blocks: usize },
    /// So many blocks, above which a few more are allocated and freed, last in, first out: again and again.
    Edge { blocks: usize, above: usize },
    /// As `Batches`, with one size for the blocks of a batch.
    Phases { blocks: usize },
    /// So many blocks; the oldest is freed for each that is allocated.
    Queue { blocks: usize },
}

/// A named pattern and its sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    pub name: &'static str,
    pub pattern: Pattern,
    pub sizes: Sizes,
    /// Operations of a list, at the least.
    pub length: usize,
    /// Regions that the arena is cut into.
    pub regions: usize,
}

/// Operations in a list; a list is a few longer, where its last batch or its last live blocks are freed. The list stays in
/// the second-level cache for the most part, and is too long for a branch predictor to learn.
pub const LIST_OPERATIONS: usize = 200_000;

/// The seed of the lists.
pub const SEED: u64 = 1;

/// What everyone is compared by, in the order of the tables' columns.
pub const STANDARD: &[Workload] = &[
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

/// What slabheap has reasons to be slow at.
pub const HURTFUL: &[Workload] = &[
    // Every set is full; each free makes one partial, the next allocation full again.
    of("flip", Pattern::Full { blocks: 6_400 }, Sizes::Fixed(64)),
    // One block more than a set has: what the page layer gives for it may go back at once.
    of("edge", Pattern::Edge { blocks: 64, above: 2 }, Sizes::Fixed(4_096)),
    // The pages of one class are wanted by the next.
    of("phases", Pattern::Phases { blocks: 1_000 }, Sizes::LogUniform { min: 64, max: 4 << 10 }),
    // Blocks lie in many regions, and each free has to find its own.
    Workload { regions: 64, ..of("regions", Pattern::Slots { slots: 12_000 }, Sizes::LogUniform { min: 1, max: 16 << 10 }) },
    // Two thirds of the arena are in use, and no run is like the last.
    of("fragmented", Pattern::Slots { slots: 2_300 }, Sizes::Uniform { min: (4 << 10) + 1, max: 64 << 10 }),
    // Every block, and what is known about it, has left the caches.
    Workload {
        length: 4 * LIST_OPERATIONS,
        ..of("cold", Pattern::Slots { slots: 400_000 }, Sizes::Uniform { min: 1, max: 128 })
    },
    // The same in order: what is freed is what was not touched for longest.
    of("queue", Pattern::Queue { blocks: 20_000 }, Sizes::LogUniform { min: 1, max: 4 << 10 }),
];

const fn batches(name: &'static str, blocks: usize, size: usize) -> Workload {
    of(name, Pattern::Batches { blocks }, Sizes::Fixed(size))
}

const fn slots(name: &'static str, slots: usize, sizes: Sizes) -> Workload {
    of(name, Pattern::Slots { slots }, sizes)
}

const fn of(name: &'static str, pattern: Pattern, sizes: Sizes) -> Workload {
    Workload { name, pattern, sizes, length: LIST_OPERATIONS, regions: 1 }
}

/// Every workload.
pub fn all() -> impl Iterator<Item = &'static Workload> {
    STANDARD.iter().chain(HURTFUL)
}

impl Workload {
    /// The workload of this name.
    pub fn find(name: &str) -> Option<&'static Workload> {
        all().find(|workload| workload.name == name)
    }

    /// A list of at least `length` operations, the same for the same seed.
    pub fn operations(&self, length: usize, seed: u64) -> OperationList {
        let mut random = Random::new(seed);
        let mut recorder = Recorder::new(self.pattern.slots());
        self.pattern.begin(self.sizes, &mut recorder, &mut random);
        while recorder.count() < length {
            self.pattern.step(self.sizes, &mut recorder, &mut random);
        }
        recorder.finish()
    }
}

impl Pattern {
    /// Slots that its blocks lie in.
    fn slots(self) -> usize {
        match self {
            Self::Batches { blocks } | Self::Full { blocks } | Self::Phases { blocks } | Self::Queue { blocks } => blocks,
            Self::Slots { slots } => slots,
            Self::Edge { blocks, above } => blocks + above,
        }
    }

    /// What comes before anything is repeated.
    fn begin(self, sizes: Sizes, recorder: &mut Recorder, random: &mut Random) {
        if let Self::Full { blocks } | Self::Edge { blocks, .. } | Self::Queue { blocks } = self {
            (0..blocks).for_each(|slot| recorder.allocate(slot, sizes.draw(random)));
        }
    }

    /// What is repeated.
    fn step(self, sizes: Sizes, recorder: &mut Recorder, random: &mut Random) {
        let slots = self.slots();
        match self {
            Self::Batches { .. } => batch(slots, || sizes.draw(random), recorder),
            Self::Phases { .. } => {
                let size = sizes.draw(random);
                batch(slots, || size, recorder);
            }
            Self::Slots { .. } => {
                let slot = random.below(slots);
                if recorder.is_full(slot) {
                    recorder.free(slot);
                } else {
                    recorder.allocate(slot, sizes.draw(random));
                }
            }
            Self::Full { .. } => renew(random.below(slots), sizes.draw(random), recorder),
            Self::Queue { .. } => (0..slots).for_each(|slot| renew(slot, sizes.draw(random), recorder)),
            Self::Edge { blocks, .. } => {
                (blocks..slots).for_each(|slot| recorder.allocate(slot, sizes.draw(random)));
                (blocks..slots).rev().for_each(|slot| recorder.free(slot));
            }
        }
    }
}

fn batch(blocks: usize, mut size: impl FnMut() -> usize, recorder: &mut Recorder) {
    (0..blocks).for_each(|slot| recorder.allocate(slot, size()));
    (0..blocks).for_each(|slot| recorder.free(slot));
}

fn renew(slot: usize, size: usize, recorder: &mut Recorder) {
    recorder.free(slot);
    recorder.allocate(slot, size);
}

impl fmt::Display for Workload {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pattern {
            Pattern::Batches { blocks: 1 } => write!(formatter, "pairs of an allocation and its free")?,
            Pattern::Batches { blocks } => write!(formatter, "batches of {blocks}, freed in order")?,
            Pattern::Slots { slots } => write!(formatter, "{slots} slots, a random one filled or emptied")?,
            Pattern::Full { blocks } => write!(formatter, "{blocks} blocks, a random one freed and allocated anew")?,
            Pattern::Edge { blocks, above } => write!(formatter, "{blocks} blocks, {above} more allocated and freed above them")?,
            Pattern::Phases { blocks } => write!(formatter, "batches of {blocks} of one size each, freed in order")?,
            Pattern::Queue { blocks } => write!(formatter, "{blocks} blocks, the oldest freed for each that is allocated")?,
        }
        write!(formatter, "; {}", self.sizes)?;
        if self.regions > 1 { write!(formatter, "; {} regions", self.regions) } else { Ok(()) }
    }
}
