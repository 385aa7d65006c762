#include "slabheap/core/slab.hpp"

namespace slabheap {
namespace {

constexpr unsigned set_share_shift = 7;    // a set takes at most a 128th of the heap's pages, unless a block needs more
constexpr unsigned snug_share_shift = 11;  // and a snug set that is longer than it need be a 2048th,
constexpr unsigned growth_shift = 2;       // and no more than a quarter of all that its slab ever carved
constexpr std::uint32_t snug_pages = 8;    // the longest run that is looked at for a shorter tail
constexpr unsigned small_tail_shift = 4;   // a tail is small if it is at most a 16th of the run

std::uint32_t within_a_set(std::uint32_t pages) { return pages < max_set_pages ? pages : max_set_pages; }

/// How long the sets of a class can be.
struct Lengths {
  std::uint32_t shortest;  // holds a block
  std::uint32_t full;      // holds as many blocks as a set aims at
  std::uint64_t heap_pages;

  Lengths(std::size_t block_bytes, std::size_t set_blocks, std::uint64_t heap, unsigned page_shift)
      : shortest{pages_holding(block_bytes, page_shift)},
        full{within_a_set(pages_holding(set_blocks * block_bytes, page_shift))},
        heap_pages{heap} {}
  /// Full, but no more than such a part of the heap, nor less than the shortest.
  [[nodiscard]] std::uint32_t at_most(unsigned share_shift) const {
    const std::uint64_t share = heap_pages >> share_shift;
    const std::uint32_t pages = share < full ? static_cast<std::uint32_t>(share) : full;
    return pages > shortest ? pages : shortest;
  }
};

/// What a set of this shape leaves unused.
std::size_t tail_of(const SetShape& shape, std::size_t block_bytes, unsigned page_shift) {
  return (std::size_t{shape.page_count} << page_shift) - shape.blocks * block_bytes;
}

/// Of the shapes of `from` to `to` pages, in that order, the first whose tail is small, or the one with the smallest for its
/// length.
SetShape first_with_small_tail(std::size_t block_bytes, std::uint32_t from, std::uint32_t to, unsigned page_shift) {
  SetShape best;
  std::size_t best_tail = 0;
  for (std::uint32_t count = from;; from < to ? ++count : --count) {
    const SetShape shape = SetShape::fit(block_bytes, {count}, page_shift);
    const std::size_t tail = tail_of(shape, block_bytes, page_shift);
    if (tail <= (std::size_t{shape.page_count} << page_shift) >> small_tail_shift) return shape;
    if (best.blocks == 0 || tail * best.page_count < best_tail * shape.page_count) {
      best = shape;
      best_tail = tail;
    }
    if (count == to) return best;
  }
}

}  // namespace

SetShape SetShape::fit(std::size_t block_bytes, Pages pages, unsigned page_shift) {
  const std::size_t fitting = (std::size_t{within_a_set(pages.count)} << page_shift) / block_bytes;
  const std::size_t blocks = fitting < max_set_blocks ? fitting : max_set_blocks;
  if (blocks == 0) return {};
  const std::uint32_t page_count = pages_holding(blocks * block_bytes, page_shift);
  return {static_cast<std::uint16_t>(page_count), static_cast<std::uint16_t>(blocks)};
}

SetShape SetShape::full(std::size_t block_bytes, std::size_t set_blocks, std::uint64_t heap_pages, unsigned page_shift) {
  const Lengths lengths{block_bytes, set_blocks, heap_pages, page_shift};
  return first_with_small_tail(block_bytes, lengths.at_most(set_share_shift), lengths.shortest, page_shift);
}

SetShape SetShape::least(std::size_t block_bytes, std::uint64_t heap_pages, unsigned page_shift) {
  const Lengths lengths{block_bytes, max_set_blocks, heap_pages, page_shift};
  const std::uint32_t shortest = lengths.shortest;
  const SetShape shape = first_with_small_tail(block_bytes, shortest, shortest > snug_pages ? shortest : snug_pages, page_shift);
  const std::uint32_t most = lengths.at_most(set_share_shift);
  return shape.page_count <= most ? shape : fit(block_bytes, {most}, page_shift);
}

SetShape SetShape::snug(std::size_t block_bytes, std::uint64_t heap_pages, unsigned page_shift) {
  const SetShape shape = least(block_bytes, heap_pages, page_shift);
  const std::uint32_t share = Lengths{block_bytes, max_set_blocks, heap_pages, page_shift}.at_most(snug_share_shift);
  return share > shape.page_count ? first_with_small_tail(block_bytes, share, shape.page_count, page_shift) : shape;
}

Slab::Slab(SlabFront& front, std::uint8_t front_line, std::uint8_t index, std::size_t block_bytes, std::size_t below,
           unsigned page_shift)
    : front_{&front}, index_{index}, front_line_{front_line} {
  front.layouts.least_last = below;
  front.block_bytes = static_cast<std::uint32_t>(block_bytes);
  front.alignment = static_cast<std::uint32_t>(alignment_of(block_bytes, page_shift));
  front.divisor = ExactDivisor{front.block_bytes};
  // What is rounded up to an alignment that blocks do not honour must not route here.
  const bool serves_all = round_down(block_bytes, std::size_t{2} * front.alignment) <= below;
  front.layouts.last_count = serves_all ? block_bytes - below : 0;
}

void Slab::reshape(const Regions& regions, std::size_t set_blocks) {
  const std::size_t bytes = front_->block_bytes;
  if (set_blocks != 0) {
    least_shape_ = most_shape_ = SetShape::full(bytes, set_blocks, regions.page_count(), regions.page_shift());
  } else {
    least_shape_ = SetShape::least(bytes, regions.page_count(), regions.page_shift());
    most_shape_ = SetShape::snug(bytes, regions.page_count(), regions.page_shift());
  }
}

bool Slab::is_as_made(const SlabFront& front, std::uint8_t front_line, std::uint8_t index, std::size_t below,
                      const Regions& regions, std::size_t set_blocks) const {
  if (front_ != &front || front_line_ != front_line || index_ != index) return false;
  SlabFront made = front;
  (void)Slab{made, front_line, index, front.block_bytes, below, regions.page_shift()};
  Slab reshaped = *this;
  reshaped.reshape(regions, set_blocks);
  return made == front && reshaped == *this;
}

/// Leaves a current set that is empty, and will be no set any more.
void Slab::drop_current() {
  offered_blocks_ -= bit_count(front_->offered);
  front_->offered = 0;
  current_number_ = no_page;
}

PageNumber Slab::take_listed(PageAllocator& pages) {
  const PageNumber set = partial_.first;
  if (set == no_page) return no_page;
  pages.regions().unlink(partial_, set);
  --listed_;
  return set;
}

bool Slab::refill(PageAllocator& pages) {
  return offer_again() || turn_to_listed(pages) || carve_kept(pages) || turn_to_other(pages);
}

bool Slab::turn_to_other(PageAllocator& pages) {
  // While there is room, another set is better than a few blocks.
  if (pages.is_roomy() && grow(pages)) return true;
  const PageNumber next = take_listed(pages);
  if (next != no_page) {
    leave_current(pages);
    make_current(pages, next);
    return true;
  }
  const std::uint64_t again = free_in_current();
  if (again == 0) return grow(pages);
  offer(again, bit_count(again));
  return true;
}

/// Of the next set. A snug slab has short sets as long as it has few, so that a class that is hardly used costs little;
/// what it carves again and again becomes longer, and half of that when the heap is not roomy.
SetShape Slab::snug_shape(const PageAllocator& pages) const {
  const std::uint32_t most = std::uint32_t{most_shape_.page_count} >> (pages.is_roomy() ? 0 : 1);
  const std::uint32_t share = carved_pages_ >> growth_shift;
  const std::uint32_t length = share < most ? share : most;
  if (length <= least_shape_.page_count) return least_shape_;
  if (length == most_shape_.page_count) return most_shape_;
  return first_with_small_tail(front_->block_bytes, length, least_shape_.page_count, pages.regions().page_shift());
}

/// Makes a new set current: of the shape aimed at, or what the longest free run holds of it, but not below one block.
bool Slab::grow(PageAllocator& pages) {
  SetShape shape = next_shape(pages);
  PageNumber set = pages.take(shape.pages(), {1});
  if (set == no_page) {
    shape = SetShape::fit(front_->block_bytes, pages.longest(), pages.regions().page_shift());
    if (shape.blocks == 0) return false;
    set = pages.take(shape.pages(), {1});
    if (set == no_page) return false;
  }

  Region& region = pages.regions().of(set);
  carve(pages, region, region.page(set), {set, shape.pages()}, shape.blocks);
  return true;
}

/// Leaves the current set, which is empty, if another has a free block.
void Slab::leave_empty(PageAllocator& pages, PageNumber set, Page& page) {
  if (partial_.empty()) return;
  drop_current();
  release(pages, set, page);
  make_current(pages, take_listed(pages));
}

/// Makes an empty set current.
void Slab::keep_empty(PageAllocator& pages, PageNumber set, Page& page) {
  leave_current(pages);
  page.front = front_line_;
  make_current(pages, set);
}

void Slab::release_kept(PageAllocator& pages) {
  if (current_number_ == no_page || front_->current->word != 0) return;
  const PageNumber set = current_number_;
  Page& page = *front_->current;
  drop_current();
  release(pages, set, page);
}

void Slab::forget_all() {
  drop_current();
  partial_ = {};
  listed_ = 0;
  front_->deallocations = allocations();
  sets_ = 0;
  pages_ = {};
  carved_pages_ = 0;
  total_blocks_ = 0;
}

}  // namespace slabheap
