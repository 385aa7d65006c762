//! A heap that does as the real one, slowly: a list of live blocks in order of address, and first fit in the gaps between them.

use crate::list::List;
use slabheap_sys::known::HeapStatus as Status;
use slabheap_sys::{HeapOptions, HeapPreset, HeapStats};
use std::alloc::{GlobalAlloc, Layout, System};

const CLASSIC: [usize; 7] = [64, 128, 256, 512, 1024, 2048, 4096];
/// As in heaps of less than 8 MiB.
const COMPACT: [usize; 27] = [
    16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 320, 384, 512, 640, 768, 896, 1024, 1280, 1536, 1792, 2048, 2560, 3072,
    3584, 4096,
];
const METADATA_PAGES: usize = 2;

/// Whole pages, and what of their memory has to be given back.
#[derive(Clone, Copy)]
pub struct Region {
    pub start: *mut u8,
    pub bytes: usize,
    given: *mut u8,
    given_bytes: usize,
    mapped: Option<Layout>,
}

#[derive(Clone, Copy)]
pub struct Block {
    pub start: *mut u8,
    pub bytes: usize,
    /// Index of the class; none for whole pages.
    pub class: Option<usize>,
}

#[derive(Clone, Copy)]
pub struct Class {
    pub size: usize,
    pub used: usize,
    pub allocations: u64,
    pub deallocations: u64,
}

pub struct Model {
    pub options: HeapOptions,
    pub page: usize,
    pub classes: List<Class>,
    pub regions: List<Region>,
    pub blocks: List<Block>,
    /// So many of the first blocks have no gap before them, so that filling a heap does not look at them all each time.
    solid: usize,
    pub stats: HeapStats,
}

/// The greatest power of two that divides every multiple of the size, but no more than a page.
fn natural_align(size: usize, page: usize) -> usize {
    (1 << size.trailing_zeros()).min(page)
}

impl Model {
    /// SAFETY: the classes of the options can be read.
    pub unsafe fn new(options: HeapOptions) -> Self {
        let is_compact = options.preset == HeapPreset::Compact;
        let page = [options.page_bytes, if is_compact { 1024 } else { 4096 }][usize::from(options.page_bytes == 0)];
        let mut classes = List::new();
        let mut add = |size| classes.push(Class { size, used: 0, allocations: 0, deallocations: 0 });
        if !options.classes.is_null() {
            // SAFETY: the caller's promise.
            unsafe { std::slice::from_raw_parts(options.classes, options.class_count) }.iter().copied().for_each(add);
        } else if is_compact {
            COMPACT.into_iter().for_each(add);
        } else {
            CLASSIC.into_iter().for_each(add);
        }
        Self { options, page, classes, regions: List::new(), blocks: List::new(), solid: 0, stats: HeapStats::default() }
    }

    /// SAFETY: the memory is the model's from now on.
    pub unsafe fn add_region(&mut self, memory: *mut u8, bytes: usize) -> Status {
        let overlaps = |region: &Region| {
            let (start, end) = (region.given.addr(), region.given.addr() + region.given_bytes);
            memory.addr() < end && start < memory.addr() + bytes
        };
        if !memory.is_null() && self.regions.iter().any(overlaps) {
            return Status::Overlap;
        }
        if bytes < (METADATA_PAGES + 1) * self.page {
            return Status::TooSmall;
        }
        let layout = Layout::from_size_align(bytes, 4096).expect("a layout");
        let mapped = memory.is_null().then_some(layout);
        // SAFETY: the layout is not empty.
        let memory = if memory.is_null() { unsafe { System.alloc_zeroed(layout) } } else { memory };
        let skipped = memory.align_offset(self.page) + METADATA_PAGES * self.page;
        if bytes < skipped + self.page {
            return Status::TooSmall;
        }
        let usable = (bytes - skipped) / self.page * self.page;
        // SAFETY: the start lies in the memory.
        let start = unsafe { memory.add(skipped) };
        self.regions.push(Region { start, bytes: usable, given: memory, given_bytes: bytes, mapped });
        self.stats.total_bytes += usable;
        self.stats.metadata_bytes += METADATA_PAGES * self.page;
        self.stats.region_count += 1;
        Status::Ok
    }

    pub fn destroy(&mut self) {
        for region in self.regions.iter() {
            if let Some(layout) = region.mapped {
                // SAFETY: it was allocated with this layout, and goes with the heap.
                unsafe { System.dealloc(region.given, layout) };
            }
        }
    }

    /// The bytes that a block of this layout has, its class if it has one, and what it is aligned to.
    pub fn fitting(&self, size: usize, align: usize) -> Option<(usize, Option<usize>, usize)> {
        let fits = |class: &Class| class.size >= size.max(1) && natural_align(class.size, self.page) >= align;
        if let Some(index) = self.classes.iter().position(fits) {
            return Some((self.classes[index].size, Some(index), natural_align(self.classes[index].size, self.page)));
        }
        Some((size.max(1).checked_next_multiple_of(self.page)?, None, align.max(self.page)))
    }

    /// First fit.
    fn gap(&self, bytes: usize, align: usize) -> Option<(usize, *mut u8)> {
        for region in self.regions.iter() {
            let end = region.start.addr() + region.bytes;
            let mut from = region.start.addr();
            let mut first = self.blocks.partition_point(|block| block.start.addr() < from);
            let solid = self.solid.min(self.blocks.partition_point(|block| block.start.addr() < end));
            if solid > first {
                first = solid;
                from = self.blocks[solid - 1].start.addr() + self.blocks[solid - 1].bytes;
            }
            for index in first..=self.blocks.len() {
                let next = self.blocks.get(index).filter(|block| block.start.addr() < end);
                let start = from.checked_next_multiple_of(align)?;
                if start.checked_add(bytes)? <= next.map_or(end, |block| block.start.addr()) {
                    return Some((index, region.start.wrapping_add(start - region.start.addr())));
                }
                match next {
                    Some(block) => from = block.start.addr() + block.bytes,
                    None => break,
                }
            }
        }
        None
    }

    pub fn allocate(&mut self, size: usize, align: usize) -> Option<Block> {
        let (bytes, class, align) = self.fitting(size, align)?;
        let (index, start) = self.gap(bytes, align)?;
        let block = Block { start, bytes, class };
        let begins_region = self.regions.iter().any(|region| region.start == start);
        let follows =
            begins_region || index > 0 && self.blocks[index - 1].start.addr() + self.blocks[index - 1].bytes == start.addr();
        self.blocks.insert(index, block);
        self.solid = if index <= self.solid && follows { self.solid + 1 } else { self.solid.min(index) };
        self.count(block, true);
        Some(block)
    }

    fn count(&mut self, block: Block, begins: bool) {
        let step = |value: &mut usize, by: usize| *value = if begins { *value + by } else { *value - by };
        step(&mut self.stats.used_bytes, block.bytes);
        step(&mut self.stats.live_blocks, 1);
        let class = block.class.map(|index| &mut self.classes[index]);
        let counters = (&mut self.stats.allocations, &mut self.stats.deallocations);
        *(if begins { counters.0 } else { counters.1 }) += 1;
        if let Some(class) = class {
            step(&mut class.used, 1);
            *(if begins { &mut class.allocations } else { &mut class.deallocations }) += 1;
        }
    }

    /// The live block at an address, or what is wrong with it. Layout: as it was asked for, if that is to be compared.
    pub fn find(&self, address: usize, layout: Option<(usize, usize)>) -> Result<usize, Status> {
        if !self.regions.iter().any(|region| (region.given.addr()..region.given.addr() + region.given_bytes).contains(&address)) {
            return Err(Status::NotOwned);
        }
        let behind = self.blocks.partition_point(|block| block.start.addr() <= address);
        let index = behind.checked_sub(1).ok_or(Status::NotAllocated)?;
        let block = self.blocks[index];
        match address - block.start.addr() {
            0 => {}
            inside if inside < block.bytes => return Err(Status::Misaligned),
            _ => return Err(Status::NotAllocated),
        }
        let is_same = |(size, align)| {
            self.fitting(size, align).is_some_and(|(bytes, class, _)| (bytes, class) == (block.bytes, block.class))
        };
        if layout.is_some_and(|layout| !is_same(layout)) { Err(Status::WrongLayout) } else { Ok(index) }
    }

    pub fn free(&mut self, index: usize) {
        let block = self.blocks.remove(index);
        self.solid = self.solid.min(index);
        self.count(block, false);
    }

    /// Whether a block of whole pages could be made to have so many bytes where it is.
    pub fn resize(&mut self, index: usize, bytes: usize) -> bool {
        let block = self.blocks[index];
        let end_of = |region: &Region| region.start.addr() + region.bytes;
        let region = self.regions.iter().find(|region| (region.start.addr()..end_of(region)).contains(&block.start.addr()));
        let end = region.map(end_of).expect("a block lies in a region");
        let next = self.blocks.get(index + 1).map(|next| next.start.addr()).filter(|&next| next < end).unwrap_or(end);
        if next - block.start.addr() < bytes {
            return false;
        }
        self.stats.used_bytes = self.stats.used_bytes - block.bytes + bytes;
        self.solid = self.solid.min(index + 1);
        self.blocks[index].bytes = bytes;
        true
    }

    pub fn reset(&mut self) {
        while !self.blocks.is_empty() {
            self.free(0);
        }
        self.blocks.clear();
    }
}
