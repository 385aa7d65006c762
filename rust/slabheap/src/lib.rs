#![doc = include_str!("../README.md")]
#![no_std]

mod access;
#[cfg(feature = "allocator-api2")]
mod allocator;
mod arena;
mod builder;
mod drop_in;
mod error;
mod global;
mod heap;
mod lock;
mod raw;
mod rescue;
#[cfg(feature = "allocator-api2")]
mod shared;
pub mod soundness;
mod walk;

pub use arena::Arena;
pub use builder::Builder;
pub use error::{AllocError, Error};
pub use global::{GlobalHeap, GlobalRescueFn};
pub use heap::Heap;
pub use lock::{Lock, SpinLock};
pub use raw::version;
pub use rescue::{Rescue, RescueFn};
#[cfg(feature = "allocator-api2")]
pub use shared::SharedHeap;
pub use slabheap_sys as sys;
pub use slabheap_sys::{
    HeapClassStats as ClassStats, HeapFreedRuns as FreedRuns, HeapHugePages as HugePages, HeapInvalidFree as InvalidFree,
    HeapPageLayer as PageLayer, HeapPreset as Preset, HeapRun as Run, HeapRunKind as RunKind, HeapStats as Stats,
};
pub use walk::{Block, Blocks, Runs};
