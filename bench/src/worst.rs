//! The worst single operation, in instructions: of slabheap over heaps of many shapes, and of its peers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fmt, iter, thread};

use serde::Serialize;
use slabheap_sys::HeapFreedRuns;

use crate::counted::{Heaps, PeerHeaps};
use crate::machine::Machine;
use crate::mapped::{Bytes, Kind};
use crate::peer::{Entry, Memory};
use crate::peers;
use crate::shapes::{KINDS, Shape, ShapeHeaps};
use crate::states::{State, states, states_of_anyone};
use crate::stepping::Stepper;

/// Operations that are counted in each state and shape, about.
pub const OPERATIONS: usize = 2_000;

/// Bytes of the arenas in which peers are counted.
const PEER_BYTES: [usize; 2] = [1 << 20, 1 << 30];

/// Bytes of the heaps whose first calls are counted, and of what they ask for.
const FIRST_HEAPS: [usize; 3] = [1 << 20, 1 << 30, 64 << 30];
const FIRST_SIZES: [usize; 2] = [64, 64 << 10];

/// A row of the table of slabheap.
#[derive(Clone, Debug, Serialize)]
pub struct ShapeFigures {
    #[serde(flatten)]
    pub shape: Shape,
    pub states: Vec<State>,
}

/// What the first call of a fresh heap takes.
#[derive(Clone, Debug, Serialize)]
pub struct FirstCall {
    pub kind: Kind,
    /// Of the request.
    pub size: usize,
    /// Of the heap.
    pub bytes: usize,
    pub instructions: u64,
}

/// A row of the table of peers, slabheap among them.
#[derive(Clone, Debug, Serialize)]
pub struct PeerFigures {
    pub peer: &'static str,
    pub version: String,
    pub bytes: usize,
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
    pub first_calls: Vec<FirstCall>,
    pub peers: Vec<PeerFigures>,
}

/// What one thread counts at a time.
#[derive(Clone, Copy, Debug)]
pub enum Task {
    Shape(Shape),
    FirstCalls(Kind),
    Peer(&'static Entry, usize),
}

impl Task {
    /// Those whose descriptions contain one of the texts; all if there is none.
    pub fn chosen(texts: &[String]) -> Vec<Task> {
        let shapes = Shape::all().map(Self::Shape);
        let first_calls = KINDS.iter().map(|&kind| Self::FirstCalls(kind));
        let in_arenas = || peers::ALL.iter().filter(|peer| (peer.memory)() != Memory::Own);
        let peers = PEER_BYTES.iter().flat_map(|&bytes| in_arenas().map(move |peer| Self::Peer(peer, bytes)));
        let is_chosen = |task: &Task| texts.is_empty() || texts.iter().any(|text| task.to_string().contains(text));
        shapes.chain(first_calls).chain(peers).filter(is_chosen).collect()
    }

    fn count_into(self, report: &mut WorstReport, stepper: Stepper) {
        match self {
            Self::Shape(shape) => {
                report.shapes.push(ShapeFigures { shape, states: states(&shape, report.operations, stepper) });
            }
            Self::FirstCalls(kind) => report.first_calls.extend(first_calls(kind, stepper)),
            Self::Peer(peer, bytes) => report.peers.push(PeerFigures {
                peer: (peer.name)(),
                version: (peer.version)(),
                bytes,
                states: states_of_anyone(&mut PeerHeaps::new(peer, bytes, stepper), report.operations),
            }),
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(shape) => shape.fmt(formatter),
            Self::FirstCalls(kind) => write!(formatter, "{}, first calls", kind.name),
            Self::Peer(peer, bytes) => write!(formatter, "peer {}, {}", (peer.name)(), Bytes(*bytes)),
        }
    }
}

/// Does some tasks, several at a time, and tells `progress` each before it begins.
pub fn run(tasks: &[Task], operations: usize, command: String, progress: impl Fn(&Task) + Sync) -> WorstReport {
    let empty = |command| WorstReport {
        command,
        machine: Machine::read(),
        operations,
        shapes: Vec::new(),
        first_calls: Vec::new(),
        peers: Vec::new(),
    };
    let mut report = empty(command);
    let next = AtomicUsize::new(0);
    let count_some = || {
        let stepper = Stepper::new();
        let mine = iter::from_fn(|| {
            let index = next.fetch_add(1, Ordering::Relaxed);
            tasks.get(index).map(|task| (index, task))
        });
        let parts = mine.map(|(index, task)| {
            progress(task);
            let mut part = empty(String::new());
            task.count_into(&mut part, stepper);
            (index, part)
        });
        parts.collect::<Vec<_>>()
    };
    let mut parts: Vec<(usize, WorstReport)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..report.machine.processors.max(1)).map(|_| scope.spawn(count_some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("counting ends")).collect()
    });
    parts.sort_by_key(|(index, _)| *index);
    for (_, part) in parts {
        report.shapes.extend(part.shapes);
        report.first_calls.extend(part.first_calls);
        report.peers.extend(part.peers);
    }
    report
}

/// The first call of fresh heaps, for each size of them and of the request.
fn first_calls(kind: Kind, stepper: Stepper) -> Vec<FirstCall> {
    let pairs = FIRST_SIZES.iter().flat_map(|&size| FIRST_HEAPS.iter().map(move |&bytes| (size, bytes)));
    let count = |(size, bytes)| {
        let shape = Shape { kind, freed_runs: HeapFreedRuns::Kept, bytes, regions: 1 };
        let (block, instructions) = ShapeHeaps { shape, stepper }.with_fresh(|heap| heap.allocate(size));
        assert!(block.is_some(), "a fresh heap serves its first request");
        FirstCall { kind, size, bytes, instructions }
    };
    pairs.map(count).collect()
}
