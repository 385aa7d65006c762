//! The comparison in space: how full an arena is when the first request fails.

use serde::Serialize;

use crate::arena::Arena;
use crate::machine::Machine;
use crate::metadata::{self, Metadata};
use crate::peer::{Entry, Memory, Peer};
use crate::random::Random;
use crate::replay::ALIGN;
use crate::sizes::Sizes;
use crate::statistics::mean;

/// A column of the table.
#[derive(Clone, Copy, Debug)]
pub struct SpaceTest {
    pub name: &'static str,
    pub arena_bytes: usize,
    /// Requests are log-uniform from one byte up to this.
    pub largest: usize,
}

/// Every column, the largest arenas last.
pub const TESTS: [SpaceTest; 4] = [
    SpaceTest { name: "1 MiB, <=4 KiB", arena_bytes: 1 << 20, largest: 4 << 10 },
    SpaceTest { name: "1 MiB, <=64 KiB", arena_bytes: 1 << 20, largest: 64 << 10 },
    SpaceTest { name: "16 MiB, <=4 KiB", arena_bytes: 16 << 20, largest: 4 << 10 },
    SpaceTest { name: "16 MiB, <=64 KiB", arena_bytes: 16 << 20, largest: 64 << 10 },
];

/// What came out, and how.
#[derive(Clone, Debug, Serialize)]
pub struct SpaceReport {
    pub command: String,
    pub machine: Machine,
    pub seeds: u64,
    pub peers: Vec<PeerSpace>,
    /// What slabheap needs for itself.
    pub metadata: Vec<Metadata>,
}

/// A row of the table.
#[derive(Clone, Debug, Serialize)]
pub struct PeerSpace {
    pub peer: &'static str,
    pub version: String,
    pub tests: Vec<Fill>,
}

/// A cell of the table: live requested bytes over the bytes of the arena.
#[derive(Clone, Debug, Serialize)]
pub struct Fill {
    pub test: &'static str,
    pub mean: f64,
    /// One a seed.
    pub samples: Vec<f64>,
}

/// Fills arenas with those of the peers that manage one, with the seeds 1 to `seeds`.
pub fn run(peers: &[&Entry], seeds: u64, command: String) -> SpaceReport {
    let mut arena = Arena::new(TESTS[TESTS.len() - 1].arena_bytes);
    let rows = peers.iter().filter(|peer| (peer.memory)() == Memory::Arena).map(|peer| PeerSpace {
        peer: (peer.name)(),
        version: (peer.version)(),
        tests: TESTS.iter().map(|test| test.run(peer, &mut arena, seeds)).collect(),
    });
    SpaceReport { command, machine: Machine::read(), seeds, peers: rows.collect(), metadata: metadata::run() }
}

impl SpaceTest {
    fn run(&self, peer: &Entry, arena: &mut Arena, seeds: u64) -> Fill {
        let mut fill = |seed| {
            let live_bytes = peer.with(arena, self.arena_bytes, |peer| fill(peer, self.largest, seed));
            live_bytes as f64 / self.arena_bytes as f64
        };
        let samples: Vec<f64> = (1..=seeds).map(&mut fill).collect();
        Fill { test: self.name, mean: mean(&samples), samples }
    }
}

/// Allocates two blocks and frees a random one, again and again, until a request fails; the requested bytes then live.
pub fn fill(peer: &mut dyn Peer, largest: usize, seed: u64) -> usize {
    let mut random = Random::new(seed);
    let sizes = Sizes::LogUniform { min: 1, max: largest };
    let mut live: Vec<(*mut u8, usize)> = Vec::new();
    loop {
        for _ in 0..2 {
            let size = sizes.draw(&mut random);
            let block = peer.allocate(size, ALIGN);
            if block.is_null() {
                return live.iter().map(|&(_, size)| size).sum();
            }
            live.push((block, size));
        }
        let (block, size) = live.swap_remove(random.below(live.len()));
        // SAFETY: the block was allocated with this size and alignment, and left the live ones just now.
        unsafe { peer.deallocate(block, size, ALIGN) };
    }
}
