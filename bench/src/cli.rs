//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::peer::Entry;
use crate::workloads::Workload;
use crate::{peers, workloads, worst};

/// Compares slabheap with other allocators in one process.
///
/// Figures depend on the machine and on what else it does; compare those of one run only.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Times every workload with every peer, in interleaved rounds
    ///
    /// In each round and workload a peer starts with a fresh heap, if it is a heap of an arena, and replays a list of some
    /// 200,000 operations five times, of which the last four are timed. The peer "none" tells what the measuring costs; its
    /// figures are part of everyone's.
    Speed(SpeedArgs),
    /// Fills arenas until the first request fails, with every peer that manages one
    ///
    /// Two blocks are allocated and a random one is freed, in turn. Sizes are log-uniform. And tells what slabheap needs for itself.
    Space(SpaceArgs),
    /// Replays recorded traces with every peer, in interleaved rounds
    ///
    /// Each replay that is timed follows one that is not, of which every block was freed. Peers that manage an arena also tell how much
    /// of a fresh one a replay touches. An arena has eight times the bytes that are live at the peak of the trace; if that
    /// is more than 1 GiB, the trace is refused.
    Traces(TracesArgs),
    /// Counts the instructions of single operations, and tells the worst
    ///
    /// Of slabheap in heaps of 1 MiB to 64 GiB of address space and of 1 and 64 regions, of its first call, and of the peers that
    /// manage an arena. Instructions are counted one by one, by the processor's trap flag, so it wants x86-64.
    Worst(WorstArgs),
    /// Lists peers and workloads
    List(ListArgs),
    /// Replays one workload with one peer, for tools that count instructions
    ///
    /// Nothing else is done with the peer. `slabheap_bench instructions` runs it under callgrind, counts in the replays behind
    /// --warm-up only, and adds up what the functions take that their loop calls. So the loop is not in its figures, and nothing has
    /// to be subtracted from them.
    Run(RunArgs),
}

#[derive(Args, Debug)]
pub struct SpeedArgs {
    #[command(flatten)]
    pub peers: PeerArgs,
    /// Workloads to time, separated by commas [default: W1 to W5]
    #[arg(long, value_delimiter = ',', value_parser = parse_workload, value_name = "NAMES")]
    pub workloads: Vec<&'static Workload>,
    /// Times the workloads that slabheap has reasons to be slow at
    #[arg(long, conflicts_with = "workloads")]
    pub hurtful: bool,
    /// Samples to take of every workload and peer
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub rounds: u32,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Args, Debug)]
pub struct SpaceArgs {
    #[command(flatten)]
    pub peers: PeerArgs,
    /// Fillings of every arena with every peer
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..), value_name = "N")]
    pub seeds: u64,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Args, Debug)]
pub struct TracesArgs {
    /// Traces as `slabheap_bench operations` writes them
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub peers: PeerArgs,
    /// Samples to take of every trace and peer
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub rounds: u32,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Args, Debug)]
pub struct WorstArgs {
    /// Operations to count in each state of each heap
    #[arg(long, default_value_t = worst::OPERATIONS, value_name = "N")]
    pub operations: usize,
    /// Counts only what is described by a text with this in it: "classic, kept", "64 GiB", "first calls", "peer rlsf"; may be
    /// repeated [default: all]
    #[arg(long, value_name = "TEXT")]
    pub shapes: Vec<String>,
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Args, Debug)]
pub struct ListArgs {
    /// As JSON, with the standard workloads only, for programs
    #[arg(long)]
    pub json: bool,
}

#[derive(Args, Debug)]
pub struct RunArgs {
    /// The peer
    #[arg(long, value_parser = parse_peer, value_name = "NAME")]
    pub peer: &'static Entry,
    /// The workload
    #[arg(long, value_parser = parse_workload, value_name = "NAME")]
    pub workload: &'static Workload,
    /// How often its list is replayed
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub repeat: usize,
    /// How often it is replayed before, on the same heap
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub warm_up: usize,
}

#[derive(Args, Debug)]
pub struct PeerArgs {
    /// Peers to compare, separated by commas [default: all]
    #[arg(long, value_delimiter = ',', value_parser = parse_peer, value_name = "NAMES")]
    peers: Vec<&'static Entry>,
}

#[derive(Args, Debug)]
pub struct OutputArgs {
    /// Also write every sample, the machine and the versions to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl PeerArgs {
    /// Those asked for.
    pub fn chosen(&self) -> Vec<&'static Entry> {
        or_all(&self.peers, peers::ALL)
    }
}

impl SpeedArgs {
    /// Those asked for.
    pub fn chosen_workloads(&self) -> Vec<&'static Workload> {
        or_all(&self.workloads, if self.hurtful { workloads::HURTFUL } else { workloads::STANDARD })
    }
}

/// Who asks for nothing gets everything.
fn or_all<T>(asked: &[&'static T], all: &'static [T]) -> Vec<&'static T> {
    if asked.is_empty() { all.iter().collect() } else { asked.to_vec() }
}

fn parse_peer(name: &str) -> Result<&'static Entry, String> {
    peers::find(name).ok_or_else(|| unknown("peer", peers::ALL.iter().map(|peer| (peer.name)())))
}

fn parse_workload(name: &str) -> Result<&'static Workload, String> {
    Workload::find(name).ok_or_else(|| unknown("workload", workloads::all().map(|workload| workload.name)))
}

fn unknown<'a>(what: &str, known: impl Iterator<Item = &'a str>) -> String {
    format!("no such {what}; there are {}", known.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn nothing_asked_for_is_every_peer_and_the_standard_workloads() {
        let Command::Speed(args) = Cli::parse_from(["bench", "speed"]).command else { unreachable!() };
        assert_eq!(args.peers.chosen().len(), peers::ALL.len());
        assert_eq!(args.chosen_workloads().len(), workloads::STANDARD.len());
    }

    #[test]
    fn names_are_separated_by_commas() {
        let line = ["bench", "speed", "--peers", "none,glibc", "--workloads", "W3,W5"];
        let Command::Speed(args) = Cli::parse_from(line).command else { unreachable!() };
        let names: Vec<_> = args.peers.chosen().iter().map(|peer| (peer.name)()).collect();
        assert_eq!(names, ["none", "glibc"]);
        assert_eq!(args.chosen_workloads()[1].name, "W5");
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = Cli::try_parse_from(["bench", "run", "--peer", "x", "--workload", "W1"]).unwrap_err();
        assert!(error.to_string().contains("slabheap-classic"));
    }
}
