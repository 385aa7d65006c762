// A slab: all sets of one size class. A set is a run of pages cut into at most 64 blocks; its free blocks are the bits of one
// word.
//
// Where a set stands:
//   current     the one that allocations come from; it may be partial, full or empty
//   listed      partial, and not current
//   unlisted    full, and not current
// An empty set that is not current goes back to the page layer; an empty current one is kept back, one a slab, until something
// else has a free block to offer or the heap wants its pages.
//
// `Page::countdown` spares the free path a look at what a set was before: it counts the frees until the set has to move. That is
// the number of used blocks (then the set is empty), but 1 for an unlisted set, which is listed by its next free.
//
// I4: a set's word has no bit beyond its blocks; a set is listed if and only if it has a used and a free block and is not
// current; an empty set is current.
#pragma once

#include "slabheap/core/page_allocator.hpp"
#include "slabheap/core/reciprocal.hpp"

namespace slabheap {

/// How a set of some class is cut.
struct SetShape {
  Pages pages;
  std::uint8_t blocks = 0;

  /// As many blocks as fit into so many pages, at most `most`, in as few pages as hold them. No block fits: no blocks.
  [[nodiscard]] static SetShape fit(std::size_t block_bytes, Pages pages, std::size_t most, unsigned page_shift);
  /// The shape that a class aims at: `set_blocks` blocks, or, for 0, as few pages as leave a small tail.
  [[nodiscard]] static SetShape aim(std::size_t block_bytes, std::size_t set_blocks, unsigned page_shift);
};

/// The bits of a set with all its blocks free.
[[nodiscard]] constexpr std::uint64_t all_free(std::uint32_t blocks) {
  return blocks == 0 ? 0 : ~std::uint64_t{0} >> (max_set_blocks - blocks);
}

/// Whether no block of a set is in use.
[[nodiscard]] constexpr bool is_empty(const Page& set) { return set.word == all_free(set.block_count); }

class Slab {
 public:
  /// `smallest` is the least request that routes here by size alone.
  Slab(std::uint8_t index, std::size_t block_bytes, std::size_t smallest, std::size_t set_blocks, const PageAllocator& pages);

  /// Whether a request of this alignment, if its size routes here, is served here: a power of two that every block honours.
  [[nodiscard]] bool serves(std::size_t align) const { return ((align - 1) & (align | beyond_alignment_)) == 0; }
  /// Whether a request of this size routes here by size alone.
  [[nodiscard]] bool fits(std::size_t size) const { return size - smallest_ <= size_span_; }

  /// A block of the current set, or null if it has none.
  [[nodiscard]] void* take();
  /// Where in a set an offset falls.
  [[nodiscard]] Quotient locate(std::size_t offset) const { return reciprocal_.divide(offset); }
  /// Frees a block in use. True asks for `settle`.
  [[nodiscard]] bool put(Page& set, std::size_t block);

  /// Makes a set with a free block current: a listed one, or a new one. False: there is no memory, and nothing has changed.
  [[nodiscard]] bool refill(PageAllocator& pages);
  /// Moves a set whose countdown has ended to where it belongs.
  void settle(PageAllocator& pages, PageNumber set);
  /// Gives the empty set kept back, if there is one, to the page layer; returns its pages.
  Pages release_kept(PageAllocator& pages);
  /// Forgets every set, all blocks counted as freed. The caller gives the runs back.
  void forget_all();

  [[nodiscard]] std::size_t block_bytes() const { return block_bytes_; }
  [[nodiscard]] std::size_t alignment() const { return ~beyond_alignment_ + 1; }
  [[nodiscard]] std::uint64_t allocations() const { return allocations_; }
  [[nodiscard]] std::uint64_t deallocations() const { return deallocations_; }
  [[nodiscard]] std::uint64_t used_blocks() const { return allocations_ - deallocations_; }
  [[nodiscard]] std::uint64_t total_blocks() const { return total_blocks_; }
  [[nodiscard]] std::uint32_t set_count() const { return sets_; }
  [[nodiscard]] Pages pages() const { return pages_; }
  [[nodiscard]] std::uint32_t listed() const { return listed_; }
  [[nodiscard]] std::uint32_t partial_sets() const;
  [[nodiscard]] PageNumber current() const { return current_number_; }
  [[nodiscard]] const Regions::List& list() const { return partial_; }
  /// The run of a set of this slab.
  [[nodiscard]] Run run_of(PageNumber set, const Page& page, unsigned page_shift) const;

 private:
  void make_current(const PageAllocator& pages, PageNumber set);
  void drop_current();
  [[nodiscard]] PageNumber grow(PageAllocator& pages);
  void release(PageAllocator& pages, PageNumber set);
  void settle_empty(PageAllocator& pages, PageNumber set);

  // What the fast paths touch, one cache line.
  Page* current_;
  Address current_start_ = 0;
  Reciprocal reciprocal_;
  std::size_t beyond_alignment_;  // the bits of an alignment that blocks do not honour
  std::uint64_t allocations_ = 0;
  std::uint64_t deallocations_ = 0;
  std::uint32_t block_bytes_;
  std::uint32_t smallest_;
  std::uint32_t size_span_;

  std::uint32_t listed_ = 0;
  PageNumber current_number_ = no_page;
  Regions::List partial_;
  Pages set_pages_;  // the shape that a set aims at: pages, and blocks
  std::uint8_t set_blocks_;
  std::uint8_t index_;
  std::uint32_t sets_ = 0;
  Pages pages_;
  std::uint64_t total_blocks_ = 0;
};

[[gnu::always_inline]] inline void* Slab::take() {
  Page& set = *current_;
  const std::uint64_t free = set.word;
  if (free == 0) [[unlikely]]
    return nullptr;
  set.word = free & (free - 1);
  ++set.countdown;
  ++allocations_;
  return reinterpret_cast<void*>(current_start_ + static_cast<std::size_t>(std::countr_zero(free)) * block_bytes_);
}

[[gnu::always_inline]] inline bool Slab::put(Page& set, std::size_t block) {
  set.word |= std::uint64_t{1} << block;
  ++deallocations_;
  return --set.countdown == 0;
}

}  // namespace slabheap
