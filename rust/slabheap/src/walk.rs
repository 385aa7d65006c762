//! Walks over what a heap holds.

use crate::{Heap, Run};
use core::ops::ControlFlow;

/// A live block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// Where it starts.
    pub start: *mut u8,
    /// How many bytes it holds.
    pub bytes: usize,
}

/// The live blocks of a heap, in order of address. See [`Heap::blocks`].
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is walked until there is something to do for each block"]
pub struct Blocks<'a>(pub(crate) &'a Heap);

impl Blocks<'_> {
    /// Does something for each block.
    pub fn for_each(self, mut visit: impl FnMut(Block)) {
        let _: ControlFlow<()> = self.try_for_each(|block| {
            visit(block);
            ControlFlow::Continue(())
        });
    }

    /// Does something for each block until it breaks.
    pub fn try_for_each<B>(self, visit: impl FnMut(Block) -> ControlFlow<B>) -> ControlFlow<B> {
        self.0.walk(|raw| raw.visit_blocks(visit))
    }
}

/// The runs of pages of a heap, in order of address: sets, large blocks and free runs. See [`Heap::runs`].
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is walked until there is something to do for each run"]
pub struct Runs<'a>(pub(crate) &'a Heap);

impl Runs<'_> {
    /// Does something for each run.
    pub fn for_each(self, mut visit: impl FnMut(&Run)) {
        let _: ControlFlow<()> = self.try_for_each(|run| {
            visit(run);
            ControlFlow::Continue(())
        });
    }

    /// Does something for each run until it breaks.
    pub fn try_for_each<B>(self, visit: impl FnMut(&Run) -> ControlFlow<B>) -> ControlFlow<B> {
        self.0.walk(|raw| raw.visit_runs(visit))
    }
}
