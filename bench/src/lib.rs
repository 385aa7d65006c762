//! slabheap side by side with other allocators.
//!
//! From the bottom up: [`random`] and [`sizes`] make [`operations`] for [`workloads`]; a [`peer`] serves them from an
//! [`arena`] or from memory of its own, in the timed loop of [`replay`]; [`speed`] and [`space`] compare [`peers`], and
//! [`tables`] shows what came out. [`traces`] compares them on a [`recording`].
//!
//! Single operations: [`stepping`] counts the instructions of a call, [`counted`] those of a heap's calls, be it one of the peers or one of
//! [`shapes`], which are [`mapped`]; [`states`] brings heaps into states, and [`worst`] tells what is worst in each.

pub mod arena;
pub mod cli;
pub mod counted;
pub mod machine;
pub mod mapped;
pub mod metadata;
pub mod operations;
pub mod peer;
pub mod peers;
pub mod random;
pub mod recording;
pub mod replay;
pub mod shapes;
pub mod sizes;
pub mod space;
pub mod speed;
pub mod states;
pub mod statistics;
pub mod stepping;
pub mod tables;
pub mod tally;
pub mod traces;
pub mod workloads;
pub mod worst;
