//! Sizes and alignments at the edges of their ranges, in all pairs, through every function that takes them.
#![cfg(all(feature = "os", feature = "allocator-api2", not(miri)))] // it is about the library itself

use allocator_api2::alloc::Allocator;
use slabheap::{Builder, Error, GlobalHeap, Heap, PageLayer, Preset, SharedHeap, Stats};
use std::alloc::{GlobalAlloc, Layout};
use std::ptr::NonNull;

const MIB: usize = 1 << 20;

/// 0, every power of two and its neighbours, and the largest numbers.
fn edges() -> Vec<usize> {
    let powers = (0..usize::BITS).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1_usize << bit).wrapping_add(1)]);
    let mut edges: Vec<usize> = powers.chain((0..9).map(|below| usize::MAX - below)).collect();
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// Every layout of the edges. What is none cannot be asked for: `Layout` itself refuses it.
fn layouts() -> Vec<Layout> {
    let pairs = edges().into_iter().flat_map(|size| edges().into_iter().map(move |align| (size, align)));
    let layouts: Vec<Layout> = pairs.filter_map(|(size, align)| Layout::from_size_align(size, align).ok()).collect();
    assert!(layouts.len() > 10_000);
    layouts
}

fn heaps() -> impl Iterator<Item = Heap> {
    [Preset::Classic, Preset::Compact].into_iter().flat_map(|preset| {
        [PageLayer::Buddy, PageLayer::BestFit]
            .map(|layer| Heap::builder().preset(preset).page_layer(layer).map(MIB).expect("memory can be mapped"))
    })
}

/// What must be as it was before: all but the counters.
fn holdings(stats: &Stats) -> (usize, usize, usize, u64) {
    (stats.used_bytes, stats.live_blocks, stats.largest_free_bytes, stats.rejected_frees)
}

fn expect_fitting(block: NonNull<u8>, layout: Layout, held: usize) {
    assert_eq!(block.as_ptr() as usize % layout.align(), 0, "{layout:?}");
    assert!(held >= layout.size() && held <= MIB, "{layout:?} holds {held}");
}

#[test]
fn a_heap_gives_a_block_that_fits_or_nothing() {
    let (mut given, mut refused) = (0, 0);
    for mut heap in heaps() {
        let before = holdings(&heap.stats());
        for layout in layouts() {
            let blocks = [heap.try_allocate(layout), heap.try_allocate_zeroed(layout)];
            let (min, max) = heap.usable_size(layout);
            assert!(max == 0 || (min == layout.size() && max >= min));
            for block in blocks {
                let Ok(block) = block else {
                    refused += 1;
                    continue;
                };
                given += 1;
                expect_fitting(block, layout, heap.block_size(block.as_ptr()).expect("it is live"));
                assert_eq!(heap.block_size(block.as_ptr()), Some(max));
                // SAFETY: nobody uses the block.
                unsafe { heap.try_deallocate(block, layout) }.expect("it is a block of this layout");
            }
            if let Ok(address) = heap.allocate(layout) {
                // SAFETY: nobody uses the block.
                unsafe { heap.deallocate(address, layout) };
            }
        }
        assert_eq!((holdings(&heap.stats()), heap.check()), (before, Ok(())));
    }
    assert!(given > 1000 && refused > 1000);
}

#[test]
fn a_live_block_withstands_every_layout_that_is_not_its_own() {
    let own = Layout::from_size_align(100, 8).expect("a layout");
    for mut heap in heaps() {
        let mut block = heap.try_allocate(own).expect("there is room");
        let held = heap.usable_size(own).1;
        for layout in layouts() {
            let is_same = heap.usable_size(layout).1 == held && layout.align() <= held;
            // SAFETY: if the block goes, another takes its place, and nobody uses either.
            let (freed, moved) = unsafe {
                let freed = heap.try_deallocate(block, layout);
                if freed.is_ok() {
                    block = heap.try_allocate(own).expect("there is room");
                }
                (freed, heap.try_reallocate(block, layout, 500))
            };
            assert_eq!(freed, if is_same { Ok(()) } else { Err(Error::WrongLayout) }, "{layout:?}");
            assert_eq!(moved.is_ok(), is_same, "{layout:?}");
            if let Ok(moved) = moved {
                // SAFETY: nobody uses the block.
                unsafe { heap.try_free(moved) }.expect("it is a block");
                block = heap.try_allocate(own).expect("there is room");
            }
        }
        for size in edges() {
            // SAFETY: nobody uses the block but through what is returned.
            match unsafe { heap.try_reallocate(block, own, size) } {
                Err(_) => assert_eq!(heap.block_size(block.as_ptr()), Some(held)),
                Ok(moved) => {
                    let layout = Layout::from_size_align(size, 8).expect("it was served");
                    expect_fitting(moved, layout, heap.block_size(moved.as_ptr()).expect("it is live"));
                    // SAFETY: as before.
                    unsafe { heap.try_deallocate(moved, layout) }.expect("it is a block of this layout");
                    block = heap.try_allocate(own).expect("there is room");
                }
            }
        }
        assert_eq!((heap.stats().live_blocks, heap.check()), (1, Ok(())));
    }
}

#[test]
fn a_global_heap_gives_a_block_that_fits_or_null() {
    static HEAP: GlobalHeap = GlobalHeap::mapped(MIB);
    let other = Layout::from_size_align(48, 8).expect("a layout");
    for layout in layouts().into_iter().filter(|layout| layout.size() != 0) {
        // SAFETY: no layout is of 0 bytes, and each block is freed once, as what it was allocated.
        unsafe {
            for block in [HEAP.alloc(layout), HEAP.alloc_zeroed(layout)].into_iter().filter_map(NonNull::new) {
                assert_eq!(block.as_ptr() as usize % layout.align(), 0, "{layout:?}");
                HEAP.dealloc(block.as_ptr(), layout);
            }
            let block = NonNull::new(HEAP.alloc(other)).expect("there is room");
            if layout.align() == 8 {
                match NonNull::new(HEAP.realloc(block.as_ptr(), other, layout.size())) {
                    Some(moved) => HEAP.dealloc(moved.as_ptr(), layout),
                    None => HEAP.dealloc(block.as_ptr(), other),
                }
            } else {
                HEAP.dealloc(block.as_ptr(), other);
            }
        }
    }
    let stats = HEAP.stats();
    assert_eq!((stats.live_blocks, stats.used_bytes, stats.rejected_frees, HEAP.check()), (0, 0, 0, Ok(())));
}

#[test]
fn an_allocator_gives_a_block_that_fits_or_an_error() {
    let shared: SharedHeap = SharedHeap::new(heaps().next().expect("there are four")).expect("there is room");
    let before = holdings(&shared.stats());
    let small = Layout::from_size_align(10, 4).expect("a layout");
    for layout in layouts() {
        for block in [shared.allocate(layout), shared.allocate_zeroed(layout)].into_iter().flatten() {
            expect_fitting(block.cast(), layout, block.len());
            // SAFETY: nobody uses the block.
            unsafe { shared.deallocate(block.cast(), layout) };
        }
        if layout.size() < small.size() {
            continue;
        }
        let block = shared.allocate(small).expect("there is room").cast();
        // SAFETY: the layout is no smaller than the block's; of the two, the one that is left is freed.
        unsafe {
            match shared.grow(block, small, layout) {
                Ok(grown) => shared.deallocate(grown.cast(), layout),
                Err(_) => shared.deallocate(block, small),
            }
        }
    }
    assert_eq!((holdings(&shared.stats()), shared.check()), (before, Ok(())));
}

#[test]
fn memory_of_every_length_at_the_edges_is_served_or_refused() {
    for bytes in edges() {
        let made = Heap::builder().map(bytes);
        // A terabyte is less than any system has addresses for; below, it may have them or not.
        match &made {
            Ok(heap) => assert!(heap.check().is_ok() && heap.total_bytes() < bytes),
            Err(error) => assert!(
                matches!(error, Error::TooSmall if bytes < 16_384)
                    || matches!(error, Error::OutOfMemory | Error::InvalidArgument if bytes >= 1 << 40),
                "{bytes}: {error}"
            ),
        }
        let mut heap = Heap::builder().map(MIB).expect("memory can be mapped");
        let before = heap.total_bytes();
        if heap.map_memory(bytes).is_err() {
            assert_eq!(heap.total_bytes(), before);
        }
        assert_eq!(heap.check(), Ok(()));
        // SAFETY: what wraps around, or is no memory at all, is refused before it is touched.
        unsafe {
            let end = std::ptr::without_provenance_mut(usize::MAX - bytes / 2);
            assert!(heap.try_add_memory(end, bytes.max(2)).is_err());
        }
    }
}

#[test]
fn choices_at_the_edges_are_refused_by_name_or_make_a_heap_that_is_sound() {
    let mut made = 0;
    for first in edges() {
        for second in edges() {
            let builder: Builder<'_> = Heap::builder().set_blocks(first).page_bytes(second);
            let is_right = first <= 64 && (second == 0 || second.is_power_of_two() && (512..=65_536).contains(&second));
            match builder.map(MIB) {
                Ok(heap) => assert!(is_right && heap.check().is_ok()),
                Err(error) => assert!(!is_right && matches!(error, Error::InvalidOption(_)), "{first}, {second}: {error}"),
            }
            made += u32::from(is_right);
        }
        let one_class = [first];
        let heap = Heap::builder().classes(&one_class).map(MIB);
        assert_eq!(heap.is_ok(), (8..=65_536).contains(&first), "a class of {first} bytes");
    }
    assert_eq!(made, 17 * 9);
}
