//! The comparison in time.

use std::time::Duration;

use serde::Serialize;

use crate::arena::Arena;
use crate::machine::Machine;
use crate::operations::OperationList;
use crate::peer::Entry;
use crate::replay::Passes;
use crate::statistics::{Quartiles, geometric_mean};
use crate::workloads::{SEED, Workload};

/// Bytes that an arena peer gets.
pub const ARENA_BYTES: usize = 64 << 20;

/// A sample is four replays of a list after one that is not timed. The first is for those that cannot start afresh because
/// they are the process's heap, and for the caches; everyone gets it.
const PASSES: Passes = Passes { warm_up: 1, timed: 4, patience: PATIENCE };

/// Some hundred times what a list takes most peers.
const PATIENCE: Duration = Duration::from_secs(2);

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
    /// Of the medians, in nanoseconds an operation; none unless the peer can do every workload.
    pub geometric_mean: Option<f64>,
    pub workloads: Vec<WorkloadSpeed>,
}

/// A cell of the table, in nanoseconds an operation; without figures if the peer cannot do the workload.
#[derive(Clone, Debug, Serialize)]
pub struct WorkloadSpeed {
    pub workload: &'static str,
    #[serde(flatten)]
    pub quartiles: Option<Quartiles>,
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
            self.workloads.iter().map(|workload| workload.operations(workload.length, SEED)).collect();
        let mut arena = Arena::new(ARENA_BYTES);
        let mut samples = vec![vec![Vec::new(); lists.len()]; self.peers.len()];
        for round in 0..self.rounds {
            progress(round);
            for (column, list) in lists.iter().enumerate() {
                for turn in 0..self.peers.len() {
                    let row = (turn + round) % self.peers.len();
                    if round > 0 && samples[row][column].is_empty() {
                        continue; // what could not be done in the first round
                    }
                    let timing = self.peers[row].replay(&mut arena, self.workloads[column], list, PASSES);
                    samples[row][column].extend(timing.map(|timing| timing.nanoseconds()));
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
            .map(|(workload, samples)| WorkloadSpeed { workload: workload.name, quartiles: quartiles_of(&samples), samples })
            .collect();
        PeerSpeed {
            peer: (peer.name)(),
            version: (peer.version)(),
            geometric_mean: medians(&workloads).map(|medians| geometric_mean(medians.into_iter())),
            workloads,
        }
    }
}

fn quartiles_of(samples: &[f64]) -> Option<Quartiles> {
    (!samples.is_empty()).then(|| Quartiles::of(samples))
}

/// None unless there is one of every workload.
fn medians(workloads: &[WorkloadSpeed]) -> Option<Vec<f64>> {
    workloads.iter().map(|workload| workload.quartiles.map(|quartiles| quartiles.median)).collect()
}
