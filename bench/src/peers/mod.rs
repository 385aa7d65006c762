//! The peers. A new one is a file here and two lines below: its module, and its entry in the order of the tables' rows.

use crate::peer::Entry;

mod ax_slab_allocator;
mod buddy_system_allocator;
mod glibc;
mod jemalloc;
mod linked_list_allocator;
mod mimalloc;
mod none;
mod rlsf;
mod slabheap;
mod snmalloc;
mod talc4;
mod talc5;

/// Every peer.
pub const ALL: &[Entry] = &[
    Entry::of::<none::NoAllocator>(),
    Entry::of::<slabheap::Slabheap<slabheap::Classic>>(),
    Entry::of::<slabheap::Slabheap<slabheap::Compact>>(),
    Entry::of::<ax_slab_allocator::AxSlabAllocator>(),
    Entry::of::<buddy_system_allocator::BuddySystemAllocator>(),
    Entry::of::<talc4::Talc4>(),
    Entry::of::<talc5::Talc5>(),
    Entry::of::<linked_list_allocator::LinkedListAllocator>(),
    Entry::of::<rlsf::Rlsf>(),
    Entry::of::<mimalloc::Global>(),
    Entry::of::<mimalloc::PrivateHeap>(),
    Entry::of::<snmalloc::Snmalloc>(),
    Entry::of::<jemalloc::Jemalloc>(),
    Entry::of::<glibc::Glibc>(),
];

/// The peer of this name.
pub fn find(name: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| (entry.name)() == name)
}
