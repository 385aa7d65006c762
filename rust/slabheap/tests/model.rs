//! Random layouts through `Allocator` and `GlobalAlloc`, against a model of what has to be true.
//!
//! SLABHEAP_CASES says how many sequences each test tries; 10,000 if it is not set.
#![cfg(all(feature = "os", feature = "allocator-api2"))]

use allocator_api2::alloc::Allocator;
use proptest::collection::vec;
use proptest::prelude::*;
use slabheap::{Builder, Error, GlobalHeap, PageLayer, Preset, SharedHeap, Stats};
use std::alloc::{GlobalAlloc, Layout};
use std::collections::BTreeMap;
use std::ptr::NonNull;

#[cfg(miri)]
use slabheap_mock as _;

const HEAP_BYTES: usize = 1 << 20;

/// One of the ways to a heap.
trait Way {
    fn allocate(&self, layout: Layout, zeroed: bool) -> Option<NonNull<u8>>;

    /// SAFETY: the block is live, of this layout, and nobody uses it any more.
    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout);

    /// SAFETY: the block is live and of the old layout, and nobody uses it any more if another is returned. Zeroed: only if it grows.
    unsafe fn resize(&self, block: NonNull<u8>, old: Layout, new: Layout, zeroed: bool) -> Option<NonNull<u8>>;

    /// Whether a block can change its alignment.
    const REALIGNS: bool;

    fn stats(&self) -> Stats;

    fn check(&self) -> Result<(), Error>;
}

struct ByAllocator<'a, A>(A, &'a dyn Fn() -> Stats, &'a dyn Fn() -> Result<(), Error>);

impl<A: Allocator> Way for ByAllocator<'_, A> {
    fn allocate(&self, layout: Layout, zeroed: bool) -> Option<NonNull<u8>> {
        let block = if zeroed { self.0.allocate_zeroed(layout) } else { self.0.allocate(layout) };
        block.ok().inspect(|block| assert!(block.len() >= layout.size())).map(NonNull::cast)
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.0.deallocate(block, layout) }
    }

    unsafe fn resize(&self, block: NonNull<u8>, old: Layout, new: Layout, zeroed: bool) -> Option<NonNull<u8>> {
        // SAFETY: the caller's promise.
        let resized = unsafe {
            match (new.size() >= old.size(), zeroed) {
                (true, true) => self.0.grow_zeroed(block, old, new),
                (true, false) => self.0.grow(block, old, new),
                (false, _) => self.0.shrink(block, old, new),
            }
        };
        resized.ok().map(NonNull::cast)
    }

    const REALIGNS: bool = true;

    fn stats(&self) -> Stats {
        self.1()
    }

    fn check(&self) -> Result<(), Error> {
        self.2()
    }
}

impl Way for GlobalHeap {
    fn allocate(&self, layout: Layout, zeroed: bool) -> Option<NonNull<u8>> {
        // SAFETY: the model asks for at least one byte.
        NonNull::new(unsafe { if zeroed { self.alloc_zeroed(layout) } else { self.alloc(layout) } })
    }

    unsafe fn deallocate(&self, block: NonNull<u8>, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { self.dealloc(block.as_ptr(), layout) }
    }

    unsafe fn resize(&self, block: NonNull<u8>, old: Layout, new: Layout, _zeroed: bool) -> Option<NonNull<u8>> {
        // SAFETY: the caller's promise.
        NonNull::new(unsafe { self.realloc(block.as_ptr(), old, new.size()) })
    }

    const REALIGNS: bool = false;

    fn stats(&self) -> Stats {
        GlobalHeap::stats(self)
    }

    fn check(&self) -> Result<(), Error> {
        GlobalHeap::check(self)
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Allocate { layout: Layout, zeroed: bool },
    Deallocate { which: usize },
    Resize { which: usize, layout: Layout, zeroed: bool },
}

/// As many small as large ones, and some around the bounds of classes and pages.
fn layouts() -> impl Strategy<Value = Layout> {
    let size = prop_oneof![
        4 => (0_u32..17, any::<u32>()).prop_map(|(bits, noise)| 1 + (noise as usize & ((1 << bits) - 1))),
        1 => (3_u32..16, 0_usize..3).prop_map(|(bits, more)| (1 << bits) - 1 + more),
    ];
    let align = prop_oneof![3 => 0_u32..5, 1 => 0_u32..15];
    (size, align).prop_map(|(size, bits)| Layout::from_size_align(size, 1 << bits).expect("a layout"))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (layouts(), any::<bool>()).prop_map(|(layout, zeroed)| Step::Allocate { layout, zeroed }),
        2 => any::<usize>().prop_map(|which| Step::Deallocate { which }),
        2 => (any::<usize>(), layouts(), any::<bool>())
            .prop_map(|(which, layout, zeroed)| Step::Resize { which, layout, zeroed }),
    ];
    vec(step, 1..80)
}

fn builders() -> impl Strategy<Value = Builder<'static>> {
    let presets = prop::sample::select(vec![Preset::Classic, Preset::Compact]);
    let page_layers = prop::sample::select(vec![PageLayer::Preset, PageLayer::Buddy, PageLayer::BestFit]);
    let pages = prop::sample::select(vec![0, 512, 4096, 16_384]);
    let sets = prop::sample::select(vec![0, 1, 7, 64]);
    (presets, page_layers, pages, sets).prop_map(|(preset, page_layer, page_bytes, set_blocks)| {
        Builder::new().preset(preset).page_layer(page_layer).page_bytes(page_bytes).set_blocks(set_blocks)
    })
}

struct Live {
    layout: Layout,
    fill: u8,
}

/// What the blocks of a heap have to be: apart from each other, aligned, and as they were written.
struct Model<'a, W> {
    way: &'a W,
    live: BTreeMap<NonNull<u8>, Live>,
    /// Blocks that are not the model's.
    others: usize,
    next_fill: u8,
}

impl<'a, W: Way> Model<'a, W> {
    fn new(way: &'a W) -> Self {
        Self { way, live: BTreeMap::new(), others: way.stats().live_blocks, next_fill: 1 }
    }

    fn run(&mut self, steps: &[Step]) {
        for step in steps {
            match *step {
                Step::Allocate { layout, zeroed } => self.allocate(layout, zeroed),
                Step::Deallocate { which } => self.deallocate(which),
                Step::Resize { which, layout, zeroed } => self.resize(which, layout, zeroed),
            }
            let stats = self.way.stats();
            assert_eq!((stats.live_blocks, stats.rejected_frees), (self.live.len() + self.others, 0));
        }
        assert_eq!(self.way.check(), Ok(()));
        while !self.live.is_empty() {
            self.deallocate(0);
        }
        assert_eq!((self.way.stats().live_blocks, self.way.check()), (self.others, Ok(())));
    }

    fn allocate(&mut self, layout: Layout, zeroed: bool) {
        match self.way.allocate(layout, zeroed) {
            Some(block) if zeroed => self.add(block, layout, 0, layout.size()),
            Some(block) => self.add(block, layout, 0, 0),
            None => self.had_to_fail(layout),
        }
    }

    fn had_to_fail(&self, layout: Layout) {
        // What is said of the largest request is said of alignments up to a page.
        assert!(layout.align() > 512 || layout.size() > self.way.stats().largest_free_bytes, "{layout:?} fits");
    }

    /// A block that is `fill` up to `filled` bytes.
    fn add(&mut self, block: NonNull<u8>, layout: Layout, fill: u8, filled: usize) {
        assert_eq!(block.addr().get() % layout.align(), 0);
        let end = |(start, live): (&NonNull<u8>, &Live)| start.addr().get() + live.layout.size().max(1);
        assert!(self.live.range(..=block).next_back().is_none_or(|before| end(before) <= block.addr().get()));
        let after = self.live.range(block..).next();
        assert!(after.is_none_or(|(start, _)| block.addr().get() + layout.size().max(1) <= start.addr().get()));
        assert_filled(block, filled, fill);
        // SAFETY: the block is ours, and holds so many bytes.
        unsafe { block.write_bytes(self.next_fill, layout.size()) };
        self.live.insert(block, Live { layout, fill: self.next_fill });
        self.next_fill = self.next_fill.wrapping_add(1).max(1);
    }

    /// Takes a block out of the model, if it has one.
    fn take(&mut self, which: usize) -> Option<(NonNull<u8>, Live)> {
        let block = *self.live.keys().nth(which % self.live.len().max(1))?;
        let live = self.live.remove(&block)?;
        assert_filled(block, live.layout.size(), live.fill);
        Some((block, live))
    }

    fn deallocate(&mut self, which: usize) {
        if let Some((block, live)) = self.take(which) {
            // SAFETY: the model has no other use of the block.
            unsafe { self.way.deallocate(block, live.layout) };
        }
    }

    fn resize(&mut self, which: usize, wanted: Layout, zeroed: bool) {
        let Some((block, live)) = self.take(which) else { return };
        let align = if W::REALIGNS { wanted.align() } else { live.layout.align() };
        let layout = Layout::from_size_align(wanted.size(), align).expect("a layout");
        // SAFETY: the model has no other use of the block.
        match unsafe { self.way.resize(block, live.layout, layout, zeroed) } {
            Some(resized) => self.add(resized, layout, live.fill, live.layout.size().min(layout.size())),
            None => {
                self.had_to_fail(layout);
                assert_filled(block, live.layout.size(), live.fill);
                self.live.insert(block, live);
            }
        }
    }
}

fn assert_filled(block: NonNull<u8>, bytes: usize, fill: u8) {
    // SAFETY: the block is live, and so many of its bytes are written.
    let content = unsafe { std::slice::from_raw_parts(block.as_ptr(), bytes) };
    // Each byte is as the one before it: one comparison of memory, however little the test is optimised.
    assert!(
        content.first().is_none_or(|first| *first == fill && content[1..] == content[..bytes - 1]),
        "a block was written over"
    );
}

fn config() -> ProptestConfig {
    let set = std::env::var("SLABHEAP_CASES").ok();
    let cases = set.map_or(if cfg!(miri) { 5 } else { 10_000 }, |cases| cases.parse().expect("SLABHEAP_CASES is a number"));
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_heap_of_one_thread_does_what_the_model_says(builder in builders(), steps in steps()) {
        let heap = builder.map(HEAP_BYTES).expect("memory can be mapped");
        let (stats, check) = (|| heap.stats(), || heap.check());
        Model::new(&ByAllocator(&heap, &stats, &check)).run(&steps);
    }

    #[test]
    fn a_shared_heap_does_what_the_model_says(builder in builders(), steps in steps()) {
        let heap: SharedHeap = SharedHeap::new(builder.map(HEAP_BYTES).expect("memory can be mapped")).expect("there is room");
        let (stats, check) = (|| heap.stats(), || heap.check());
        Model::new(&ByAllocator(heap.clone(), &stats, &check)).run(&steps);
    }

    #[test]
    fn a_global_heap_does_what_the_model_says(builder in builders(), steps in steps()) {
        let heap = GlobalHeap::mapped(HEAP_BYTES).with(builder);
        Model::new(&heap).run(&steps);
    }
}
