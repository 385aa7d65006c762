// Large blocks: one block is one run of pages. A request is trimmed to whole pages; the page layer keeps the surplus.
//
// A pointer into the middle of a large block has to be told from one into free memory without a walk. So the head leaves hints in
// the descriptors of a few pages inside, placed as a Fenwick tree places its partial sums (P. M. Fenwick, "A new data structure
// for cumulative frequency tables", Software: Practice and Experience 24(3), 1994): of the pages on the way from any page inside
// to zero, each got by clearing the lowest bit of the one before, one is the head or has a hint. A hint is believed only if the
// head that it names is live and reaches the page, so hints are never cleaned up. There are at most as many as orders, and none
// where the run is naturally aligned.
#pragma once

#include "slabheap/core/page_allocator.hpp"

namespace slabheap {

class LargeBlocks {
 public:
  /// The head of a new block, or `no_page`.
  [[nodiscard]] PageNumber take(PageAllocator& pages, Pages count, Pages alignment);
  /// A new block of so many pages, at least one, of a run that the cache of the pages keeps and that was a block last: its
  /// address, or 0 if there is none.
  [[nodiscard]] Address take_kept(PageAllocator& pages, std::size_t count);
  /// `page` is the descriptor of the head.
  void give(PageAllocator& pages, PageNumber head, Page& page);
  /// Grows a block into free pages behind it, or gives back its tail. False: they are not free, and nothing has changed.
  [[nodiscard]] static bool resize(PageAllocator& pages, PageNumber head, Pages count);
  /// All blocks are counted as freed. The caller gives the runs back.
  void forget_all();

  /// The head of the large block that holds the page, or `no_page`. Steps: the number of orders.
  [[nodiscard]] static PageNumber head_of(const Region& region, PageNumber page);
  [[nodiscard]] static Run run_of(const Region& region, PageNumber head) {
    return {head, {static_cast<std::uint32_t>(region.page(head).word)}};
  }

  [[nodiscard]] std::uint64_t allocations() const { return allocations_; }
  [[nodiscard]] std::uint64_t deallocations() const { return deallocations_; }
  [[nodiscard]] std::uint64_t live() const { return allocations_ - deallocations_; }

 private:
  static void leave_hints(Region& region, Run run);

  std::uint64_t allocations_ = 0;
  std::uint64_t deallocations_ = 0;
};

inline Address LargeBlocks::take_kept(PageAllocator& pages, std::size_t count) {
  if (!pages.cache().has(count)) [[unlikely]]
    return 0;
  const Pages run_pages{static_cast<std::uint32_t>(count)};
  const PageNumber head = pages.cache().last_of(run_pages);
  Region& region = pages.regions().of(head);
  Page& page = region.page(head);
  if (page.class_index != has_hints) [[unlikely]]
    return 0;
  pages.take_kept(run_pages, page);
  page.kind = PageKind::large;
  ++allocations_;
  return pages.regions().address(region, head);
}

inline void LargeBlocks::give(PageAllocator& pages, PageNumber head, Page& page) {
  ++deallocations_;
  page.class_index = has_hints;
  pages.give(head, {static_cast<std::uint32_t>(page.word)}, page);
}

}  // namespace slabheap
