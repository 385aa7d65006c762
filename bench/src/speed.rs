//! The comparison in time.

use serde::Serialize;

use crate::arena::Arena;
use crate::machine::Machine;
use crate::operations::OperationList;
use crate::peer::Entry;
use crate::replay::Passes;
use crate::statistics::{Quartiles, geometric_mean};
use crate::workloads::{LIST_OPERATIONS, SEED, Workload};

/// Bytes that an arena peer gets.
pub const ARENA_BYTES: usize = 64 << 20;

/// A sample is four replays of a list after one that is not timed. The first is for those that cannot start afresh because
/// they are the process's heap, and for the caches; everyone gets it.
const PASSES: Passes = Passes { warm_up: 1, timed: 4 };

/// What is compared.
#[derive(Clone, Debug)]
pub struct Comparison {
    pub peers: Vec<&'static Entry>,
    pub workloads: Vec<&'static Workload>,
    pub rounds: usize,
}

/// What came out, and how.
#[derive(Clone, Debug, Serialize)]
pub struct SpeedReport {
    pub command: String,
    pub machine: Machine,
    pub arena_bytes: usize,
    pub seed: u64,
    pub rounds: usize,
    pub peers: Vec<PeerSpeed>,
}

/// A row of the table.
#[derive(Clone, Debug, Serialize)]
pub struct PeerSpeed {
    pub peer: &'static str,
    pub version: String,
    /// Of the medians, in nanoseconds an operation.
    pub geometric_mean: f64,
    pub workloads: Vec<WorkloadSpeed>,
}

/// A cell of the table, in nanoseconds an operation.
#[derive(Clone, Debug, Serialize)]
pub struct WorkloadSpeed {
    pub workload: &'static str,
    #[serde(flatten)]
    pub quartiles: Quartiles,
    /// One a round.
    pub samples: Vec<f64>,
}

impl Comparison {
    /// Takes every sample, and tells `progress` the number of each round before it begins.
    ///
    /// Rounds are outermost and peers innermost, so a disturbance that lasts hits everyone; each round begins with another
    /// peer, so that nobody always follows the same one.
    pub fn run(&self, command: String, mut progress: impl FnMut(usize)) -> SpeedReport {
        let machine = Machine::read();
        let lists: Vec<OperationList> =
            self.workloads.iter().map(|workload| workload.operations(LIST_OPERATIONS, SEED)).collect();
        let mut arena = Arena::new(ARENA_BYTES);
        let mut samples = vec![vec![Vec::new(); lists.len()]; self.peers.len()];
        for round in 0..self.rounds {
            progress(round);
            for (column, list) in lists.iter().enumerate() {
                for turn in 0..self.peers.len() {
                    let row = (turn + round) % self.peers.len();
                    let timing = self.peers[row].replay(&mut arena, list, PASSES);
                    samples[row][column].push(timing.nanoseconds());
                }
            }
        }
        let peers = self.peers.iter().zip(samples).map(|(peer, samples)| self.row(peer, samples)).collect();
        SpeedReport { command, machine, arena_bytes: ARENA_BYTES, seed: SEED, rounds: self.rounds, peers }
    }

    fn row(&self, peer: &Entry, samples: Vec<Vec<f64>>) -> PeerSpeed {
        let workloads: Vec<WorkloadSpeed> = self
            .workloads
            .iter()
            .zip(samples)
            .map(|(workload, samples)| WorkloadSpeed { workload: workload.name, quartiles: Quartiles::of(&samples), samples })
            .collect();
        PeerSpeed {
            peer: (peer.name)(),
            version: (peer.version)(),
            geometric_mean: geometric_mean(workloads.iter().map(|workload| workload.quartiles.median)),
            workloads,
        }
    }
}
