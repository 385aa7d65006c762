#include "slabheap/core/slab.hpp"

namespace slabheap {
namespace {

constexpr unsigned set_share_shift = 6;  // a set takes at most a 64th of the heap's pages, unless a block needs more
constexpr std::uint32_t snug_pages = 8;  // the longest run that a snug set looks at
constexpr unsigned snug_tail_shift = 4;  // and the part of it, a 16th, that may be left over
constexpr std::uint8_t next_free_settles = 1;

std::uint32_t pages_holding(std::size_t bytes, unsigned page_shift) {
  return static_cast<std::uint32_t>(((bytes - 1) >> page_shift) + 1);
}

/// Stands for a current set where there is none: full, so that it is never written to.
constexpr Page no_set{};

}  // namespace

SetShape SetShape::fit(std::size_t block_bytes, Pages pages, std::size_t most, unsigned page_shift) {
  const std::size_t fitting = (std::size_t{pages.count} << page_shift) / block_bytes;
  const std::size_t blocks = fitting < most ? fitting : most;
  if (blocks == 0) return {};
  return {{pages_holding(blocks * block_bytes, page_shift)}, static_cast<std::uint8_t>(blocks)};
}

SetShape SetShape::aim(std::size_t block_bytes, std::size_t set_blocks, unsigned page_shift) {
  if (set_blocks != 0) return fit(block_bytes, {pages_holding(set_blocks * block_bytes, page_shift)}, set_blocks, page_shift);
  // Snug: the shortest run with a small tail; failing that, the one with the smallest tail for its length.
  SetShape best;
  std::size_t best_tail = 0;
  const std::uint32_t shortest = pages_holding(block_bytes, page_shift);
  for (std::uint32_t count = shortest; count <= (shortest > snug_pages ? shortest : snug_pages); ++count) {
    const SetShape shape = fit(block_bytes, {count}, max_set_blocks, page_shift);
    const std::size_t bytes = std::size_t{count} << page_shift;
    const std::size_t tail = bytes - shape.blocks * block_bytes;
    if (tail <= bytes >> snug_tail_shift) return shape;
    if (best.blocks == 0 || tail * best.pages.count < best_tail * count) {
      best = shape;
      best_tail = tail;
    }
  }
  return best;
}

Slab::Slab(std::uint8_t index, std::size_t block_bytes, std::size_t smallest, std::size_t set_blocks, const PageAllocator& pages)
    : current_{const_cast<Page*>(&no_set)},
      reciprocal_{static_cast<std::uint32_t>(block_bytes)},
      block_bytes_{static_cast<std::uint32_t>(block_bytes)},
      smallest_{static_cast<std::uint32_t>(smallest)},
      size_span_{static_cast<std::uint32_t>(block_bytes - smallest)},
      index_{index} {
  const unsigned page_shift = pages.regions().page_shift();
  const SetShape shape = SetShape::aim(block_bytes, set_blocks, page_shift);
  set_pages_ = shape.pages;
  set_blocks_ = shape.blocks;
  // A block is as aligned as its size is even, as far as the run of even the smallest set is aligned.
  const std::size_t run = pages.regions().bytes(pages.natural_alignment({pages_holding(block_bytes, page_shift)}));
  const std::size_t even = lowest_bit(block_bytes);
  beyond_alignment_ = ~((even < run ? even : run) - 1);
}

Run Slab::run_of(PageNumber set, const Page& page, unsigned page_shift) const {
  return {set, {pages_holding(std::size_t{page.block_count} * block_bytes_, page_shift)}};
}

std::uint32_t Slab::partial_sets() const {
  const bool current_is_partial = current_number_ != no_page && current_->word != 0 && !is_empty(*current_);
  return listed_ + (current_is_partial ? 1U : 0U);
}

void Slab::make_current(const PageAllocator& pages, PageNumber set) {
  current_ = &pages.regions().page(set);
  current_start_ = pages.regions().address(set);
  current_number_ = set;
}

void Slab::drop_current() {
  current_ = const_cast<Page*>(&no_set);
  current_number_ = no_page;
}

bool Slab::refill(PageAllocator& pages) {
  PageNumber next = partial_.first;
  if (next != no_page) {
    pages.regions().unlink(partial_, next);
    --listed_;
  } else {
    next = grow(pages);
    if (next == no_page) return false;
  }
  if (current_number_ != no_page) current_->countdown = next_free_settles;
  make_current(pages, next);
  return true;
}

/// Carves a new set: the shape aimed at, cut down to the heap's 64th and to the longest free run, but not below one block.
PageNumber Slab::grow(PageAllocator& pages) {
  Regions& regions = pages.regions();
  const std::uint32_t shortest = pages_holding(block_bytes_, regions.page_shift());
  const std::uint64_t share = regions.page_count() >> set_share_shift;
  Pages most = set_pages_;
  if (most.count > share) most = {share > shortest ? static_cast<std::uint32_t>(share) : shortest};
  SetShape shape = SetShape::fit(block_bytes_, most, set_blocks_, regions.page_shift());
  PageNumber set = pages.take(shape.pages, {1});
  if (set == no_page) {
    shape = SetShape::fit(block_bytes_, pages.longest(), shape.blocks, regions.page_shift());
    if (shape.blocks == 0) return no_page;
    set = pages.take(shape.pages, {1});
    if (set == no_page) return no_page;
  }

  Region& region = regions.of(set);
  Page& page = region.page(set);
  page.word = all_free(shape.blocks);
  page.kind = PageKind::set;
  page.class_index = index_;
  page.block_count = shape.blocks;
  page.countdown = 0;
  std::uint16_t* distances = region.head_distances + (set - region.first).count;
  for (std::uint32_t i = 0; i < shape.pages.count; ++i) distances[i] = static_cast<std::uint16_t>(i);
  total_blocks_ += shape.blocks;
  pages_ += shape.pages;
  ++sets_;
  return set;
}

void Slab::release(PageAllocator& pages, PageNumber set) {
  Page& page = pages.regions().page(set);
  const Run run = run_of(set, page, pages.regions().page_shift());
  total_blocks_ -= page.block_count;
  pages_ -= run.pages;
  --sets_;
  page.block_count = 0;
  pages.give(run);
}

void Slab::settle(PageAllocator& pages, PageNumber set) {
  Page& page = pages.regions().page(set);
  if (is_empty(page)) {
    settle_empty(pages, set);
    return;
  }
  // It was full. At the end of the list, it gathers more free blocks before it becomes current; at the front it would fill up and
  // come back all the time.
  page.countdown = static_cast<std::uint8_t>(page.block_count - 1);
  pages.regions().push_back(partial_, set);
  ++listed_;
}

/// Keeps an empty set if the slab has no other free block, and gives it back otherwise.
void Slab::settle_empty(PageAllocator& pages, PageNumber set) {
  if (set == current_number_) {
    if (partial_.empty()) return;
    release(pages, set);
    drop_current();
    (void)refill(pages);  // takes the listed set
    return;
  }
  if (pages.regions().page(set).block_count > 1) {  // a set of one block goes from full to empty without being listed
    pages.regions().unlink(partial_, set);
    --listed_;
  }
  if (current_->word != 0) {
    release(pages, set);
    return;
  }
  if (current_number_ != no_page) current_->countdown = next_free_settles;
  make_current(pages, set);
}

Pages Slab::release_kept(PageAllocator& pages) {
  if (current_number_ == no_page || !is_empty(*current_)) return {};
  const PageNumber set = current_number_;
  const Pages released = run_of(set, *current_, pages.regions().page_shift()).pages;
  drop_current();
  release(pages, set);
  return released;
}

void Slab::forget_all() {
  drop_current();
  partial_ = {};
  listed_ = 0;
  deallocations_ = allocations_;
  sets_ = 0;
  pages_ = {};
  total_blocks_ = 0;
}

}  // namespace slabheap
