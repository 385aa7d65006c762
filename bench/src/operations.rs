//! Lists of operations, made before anything is timed.

/// One allocation or one free. Eight bytes, so that reading the list disturbs the caches as little as it can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    slot_and_kind: u32,
    size: u32,
}

impl Operation {
    /// Set in `slot_and_kind` of a free.
    const FREE: u32 = 1 << 31;

    /// Where the block's address is kept.
    #[inline]
    pub fn slot(self) -> usize {
        (self.slot_and_kind & !Self::FREE) as usize
    }

    /// Whether it frees the block of the slot; otherwise it allocates one for the slot.
    #[inline]
    pub fn is_free(self) -> bool {
        self.slot_and_kind & Self::FREE != 0
    }

    /// The size requested, also in a free.
    #[inline]
    pub fn size(self) -> usize {
        self.size as usize
    }
}

/// Operations of which every allocation finds its slot empty, every free finds it full, with the same size, and the last
/// leaves all slots empty, so that the list can be replayed again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperationList {
    operations: Vec<Operation>,
    slot_count: usize,
}

impl OperationList {
    /// The operations in order.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// How many slots there are. Every operation's slot is below.
    pub fn slot_count(&self) -> usize {
        self.slot_count
    }
}

/// Writes an operation list and keeps the promises of [`OperationList`].
#[derive(Debug)]
pub struct Recorder {
    operations: Vec<Operation>,
    /// The size of the block in each slot; none in an empty one.
    live: Vec<Option<u32>>,
}

impl Recorder {
    /// An empty list over empty slots.
    pub fn new(slot_count: usize) -> Self {
        assert!(slot_count < Operation::FREE as usize, "a slot's number leaves the kind its bit");
        Self { operations: Vec::new(), live: vec![None; slot_count] }
    }

    /// How many operations there are so far.
    pub fn count(&self) -> usize {
        self.operations.len()
    }

    /// Whether the slot holds a block now.
    pub fn is_full(&self, slot: usize) -> bool {
        self.live[slot].is_some()
    }

    /// Allocates `size` bytes for an empty slot.
    pub fn allocate(&mut self, slot: usize, size: usize) {
        assert!(!self.is_full(slot), "an allocation finds its slot empty");
        let size = u32::try_from(size).expect("a size fits into 32 bits");
        self.live[slot] = Some(size);
        self.operations.push(Operation { slot_and_kind: slot as u32, size });
    }

    /// Frees the block of a full slot.
    pub fn free(&mut self, slot: usize) {
        let size = self.live[slot].take().expect("a free finds its slot full");
        self.operations.push(Operation { slot_and_kind: slot as u32 | Operation::FREE, size });
    }

    /// Frees what is live, in order of slots, and hands out the list.
    pub fn finish(mut self) -> OperationList {
        for slot in 0..self.live.len() {
            if self.is_full(slot) {
                self.free(slot);
            }
        }
        OperationList { operations: self.operations, slot_count: self.live.len() }
    }
}
